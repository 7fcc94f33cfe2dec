import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { CommandError, exitCodes, systemReason } from '../config/exit-codes.ts'
import { rootKeyFile } from '../config/root-key.ts'
import { KeyferryError } from '../core/errors.ts'
import { formatRootKey, newRootKey } from '../core/seal/root-key.ts'

export const databaseFile = 'keyferry.db'
/** Marks a folder as one of `keyferry dev`'s, and keeps what its emulator must know again after a restart. */
export const devFile = 'dev.json'

const temporaryPrefix = '.keyferry-init-'

/**
 * Makes a data folder with a root key (0600) and an initialised database. Gives the first root token, which is kept nowhere. `more`:
 * other files to put in, by name. Throws as `buildDataFolder` does.
 */
export async function makeDataFolder(folder: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  return await buildDataFolder(folder, (building) => fill(building, more))
}

/**
 * Makes a data folder, mode 0700, of what `fill` puts into it. It is built out of sight and moved into place when it is complete, so
 * that nobody ever finds half of one; a failure leaves nothing behind. Throws a `CommandError` (73) when `folder` is there already and
 * not empty, or cannot be made.
 */
export async function buildDataFolder<T>(folder: string, fill: (building: string) => Promise<T>): Promise<T> {
  process.umask(0o077)
  const path = resolve(folder)
  const there = existsSync(path)
  if (there) refuseUnlessEmpty(path)
  let building: string | undefined
  try {
    if (there) chmodSync(path, 0o700)
    else mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    building = mkdtempSync(
      there ? join(path, temporaryPrefix) : join(dirname(path), `${temporaryPrefix}${basename(path)}-`),
    )
    const made = await fill(building)
    if (there) moveInto(path, building)
    else renameSync(building, path)
    sync(path)
    sync(dirname(path))
    return made
  } catch (error) {
    if (building !== undefined) rmSync(building, { recursive: true, force: true })
    if (error instanceof KeyferryError || error instanceof CommandError) throw error
    throw new CommandError(exitCodes.cannotCreate, `the data folder ${folder} cannot be made: ${systemReason(error)}`)
  }
}

function refuseUnlessEmpty(path: string): void {
  let names: string[]
  try {
    names = readdirSync(path)
  } catch (error) {
    throw new CommandError(exitCodes.cannotCreate, `the data folder ${path} cannot be made: ${systemReason(error)}`)
  }
  if (names.includes(databaseFile)) {
    throw new CommandError(
      exitCodes.cannotCreate,
      `${path} is a data folder already: nothing was changed. Choose another, or go on with this one`,
    )
  }
  if (names.includes(rootKeyFile)) {
    throw new CommandError(
      exitCodes.cannotCreate,
      `${path} has a ${rootKeyFile} but no ${databaseFile}: nothing was changed. Put the database back, or choose another folder`,
    )
  }
  if (names.length > 0) {
    throw new CommandError(
      exitCodes.cannotCreate,
      `${path} is not empty: nothing was changed. Choose a folder of its own`,
    )
  }
}

async function fill(folder: string, more: Readonly<Record<string, string>>): Promise<string> {
  const [{ initialise }, { openStore }] = await Promise.all([
    import('../core/core.ts'),
    import('../store/sqlite/index.ts'),
  ])
  const rootKey = newRootKey()
  try {
    for (const [name, text] of Object.entries({ ...more, [rootKeyFile]: formatRootKey(rootKey) })) {
      writeFileSync(join(folder, name), text, { mode: 0o600, flag: 'wx', flush: true })
    }
    const store = openStore({ file: join(folder, databaseFile) })
    try {
      return await initialise(store, rootKey)
    } finally {
      store.close()
    }
  } finally {
    rootKey.key.fill(0)
  }
}

/** The folder is there, perhaps as the mount point of a volume: what is in `building` moves in, the database last, as it is the mark. */
function moveInto(path: string, building: string): void {
  const names = readdirSync(building).sort(
    (one, other) => Number(one === databaseFile) - Number(other === databaseFile),
  )
  const moved: string[] = []
  try {
    for (const name of names) {
      renameSync(join(building, name), join(path, name))
      moved.push(name)
    }
    rmSync(building, { recursive: true })
  } catch (error) {
    for (const name of moved) rmSync(join(path, name), { force: true })
    throw error
  }
}

/** Makes renames in a folder survive a loss of power. */
function sync(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * Checks that `folder` is a data folder that may be used. Throws a `CommandError` (78) that says what is missing or too open. The
 * root key is checked where it is read: it may be elsewhere.
 */
export function checkDataFolder(folder: string): void {
  const fail = (problem: string) => new CommandError(exitCodes.config, problem)
  const hint = `"keyferry init --data ${folder}" makes one`
  let mode: number
  try {
    const stats = statSync(folder)
    if (!stats.isDirectory()) throw fail(`the data folder ${folder} is not a folder: ${hint} where nothing is`)
    mode = stats.mode & 0o7777
    if (!existsSync(join(folder, databaseFile))) {
      statSync(join(folder, '.'))
      throw fail(`the data folder ${folder} has no ${databaseFile}: ${hint}`)
    }
  } catch (error) {
    if (error instanceof CommandError) throw error
    const reason = systemReason(error)
    throw fail(`the data folder ${folder} cannot be used: ${reason}${existsSync(folder) ? '' : `. ${hint}`}`)
  }
  if ((mode & 0o022) !== 0) {
    const shown = `0${mode.toString(8)}`
    throw fail(
      `the data folder ${folder} is too open: its mode is ${shown}, and only its owner may write: chmod 700 ${folder}`,
    )
  }
}

/**
 * A folder of `keyferry dev` trusts a root token that may be as short as "root". It stays with `dev`, and `dev` stays away from all
 * others: that token must never open a gateway that is meant to last.
 */
export function refuseDevFolder(folder: string): void {
  if (!existsSync(join(folder, devFile))) return
  throw new CommandError(
    exitCodes.config,
    `${folder} is a folder of "keyferry dev", whose root token may be anything: make one for "keyferry serve" with "keyferry init"`,
  )
}
