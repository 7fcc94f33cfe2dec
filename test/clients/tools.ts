import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

export const here = import.meta.dirname

/** Installed and built things, beside those of npm: gone with `node_modules`, and never in the way of git. */
const cache = resolve(here, '../../node_modules/.cache/keyferry/clients')

/** Why a command is not to be had, in words; undefined where it runs. */
export function missingCommand(command: string, ...args: string[]): string | undefined {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0 ? undefined : `${command} is not installed`
}

/**
 * A folder made by `make` once for these inputs (paths of files, or contents), and found again as long as they stay the same. One that
 * was not finished is not taken for one that was. Gives its path.
 */
export async function once(
  name: string,
  inputs: readonly (string | Buffer)[],
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256')
  for (const input of inputs) hash.update(typeof input === 'string' ? readFileSync(input) : input)
  const folder = join(cache, `${name}-${hash.digest('hex').slice(0, 16)}`)
  const finished = join(folder, '.finished')
  if (!existsSync(finished)) {
    mkdirSync(folder, { recursive: true })
    await make(folder)
    writeFileSync(finished, '')
  }
  return folder
}

/** Runs a command to its end. Rejects, with what it said, when it fails. */
export async function run(
  command: string,
  args: string[],
  options: { cwd?: string; env?: object } = {},
): Promise<void> {
  const { cwd = here, env = {} } = options
  await promisify(execFile)(command, args, { cwd, env: { ...process.env, ...env }, maxBuffer: 1 << 26 })
}

/** `npm ci` in a folder of its own, once for its lock file. */
export async function npmCi(folder: string): Promise<void> {
  const lock = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex')
  const installed = join(folder, 'node_modules/.installed')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lock) return
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder })
  writeFileSync(installed, lock)
}
