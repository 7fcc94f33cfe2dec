import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { CommandError, exitCodes, systemReason } from '../config/exit-codes.ts'

/** `KEY='value'` lines for `set -a; . FILE`: without `export`, values quoted for every POSIX shell. */
export function formatEnvFile(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${shellQuote(value)}\n`)
    .join('')
}

/** A text as one word of a POSIX shell, whatever is in it. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/**
 * Takes away what an earlier process left under this name, so that whoever waits for the file is not given old values, and checks
 * early that it will be possible to write. Throws a `CommandError` (73).
 */
export function prepareEnvFile(file: string): void {
  const path = resolve(file)
  if (existsSync(path) && !statSync(path).isFile()) {
    throw new CommandError(
      exitCodes.cannotCreate,
      `--env-file ${file} cannot be written: it is there and is no plain file`,
    )
  }
  try {
    rmSync(path, { force: true })
    const probe = temporaryName(path)
    closeSync(openSync(probe, 'wx', 0o600))
    rmSync(probe)
  } catch (error) {
    throw new CommandError(exitCodes.cannotCreate, `--env-file ${file} cannot be written: ${systemReason(error)}`)
  }
}

/** Writes the file, mode 0600, in one step: whoever sees it sees all of it. */
export function writeEnvFile(file: string, values: Readonly<Record<string, string>>): void {
  const path = resolve(file)
  const temporary = temporaryName(path)
  try {
    const handle = openSync(temporary, 'wx', 0o600)
    try {
      writeSync(handle, formatEnvFile(values))
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw new CommandError(exitCodes.cannotCreate, `--env-file ${file} cannot be written: ${systemReason(error)}`)
  }
}

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`)
}
