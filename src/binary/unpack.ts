import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KeyferryError } from '../core/errors.ts'

/** A native addon that has to become a file for a moment: the system loads programs from files only. */
export interface PackedAddon {
  bytes: Uint8Array
  /** Of `bytes`, in hex, written down when the program was built. */
  sha256: string
}

export interface UnpackOptions {
  /** Folders to try, in this order. */
  places: readonly string[]
  /** Loads a file as an addon and gives its exports; throws what the system says when it does not allow it. */
  load?: (file: string) => object
}

/**
 * Where an addon may be unpacked, best first: beside the database, where only this user writes; systemd's RuntimeDirectory; then the
 * places for temporary files. Some of them are mounted read-only, or so that nothing in them may run, which only trying shows.
 */
export function unpackingPlaces(
  databaseFolder: string,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const runtime = environment.RUNTIME_DIRECTORY?.split(':') ?? []
  const places = [databaseFolder, ...runtime, environment.TMPDIR ?? '', '/tmp', '/dev/shm']
  return [...new Set(places.filter((place) => place !== ''))]
}

/**
 * Writes the addon into a private folder (0700) in the first place that allows it, checks what was written, loads it and removes it
 * again: the system keeps what it has loaded. Throws `invalid`, which a restart will not mend, when no place allows it, and `corrupt`
 * when the bytes are not those that were built.
 */
export function loadAddon(addon: PackedAddon, { places, load = loadFile }: UnpackOptions): object {
  const refusals: string[] = []
  for (const place of places) {
    let folder: string | undefined
    try {
      folder = mkdtempSync(join(place, '.keyferry-addon-'))
      const file = join(folder, 'better_sqlite3.node')
      writeFileSync(file, addon.bytes, { mode: 0o500, flag: 'wx' })
      const written = createHash('sha256').update(readFileSync(file)).digest('hex')
      if (written !== addon.sha256) throw new KeyferryError('corrupt', damaged)
      return load(file)
    } catch (error) {
      if (error instanceof KeyferryError) throw error
      refusals.push(`${place} (${reason(error)})`)
    } finally {
      if (folder !== undefined) remove(folder)
    }
  }
  throw new KeyferryError('invalid', `${nowhere}: tried ${refusals.join(', ')}. ${remedy}`)
}

const damaged = 'this program is damaged: its SQLite is not the one that it was built with. Install it again'
const nowhere = 'SQLite must be unpacked into a folder that can be written and may hold programs, and there is none'
const remedy = 'Set TMPDIR to one that is not mounted "noexec"'

function loadFile(file: string): object {
  const module: { exports: object } = { exports: {} }
  process.dlopen(module, file)
  return module.exports
}

/** Where a loaded file cannot be removed, it stays: that is no reason to stop. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {
    // See above.
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is no folder',
  EACCES: 'this user has no permission',
  EPERM: 'this user has no permission',
  EROFS: 'is read-only',
  ENOSPC: 'is full',
  EDQUOT: 'is full',
}

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (reasons[code] !== undefined) return reasons[code]
  const text = error instanceof Error ? error.message : String(error)
  // glibc's words for a file system that is mounted noexec.
  return /failed to map segment|Operation not permitted/.test(text) ? 'programs may not run from there' : text
}
