import { closeSync, existsSync, openSync, rmSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { temporaryBeside, writePrivateFile } from '../client/private-file.ts'
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
    const probe = temporaryBeside(path)
    closeSync(openSync(probe, 'wx', 0o600))
    rmSync(probe)
  } catch (error) {
    throw new CommandError(exitCodes.cannotCreate, `--env-file ${file} cannot be written: ${systemReason(error)}`)
  }
}

/** Writes the file, mode 0600, in one step: whoever sees it sees all of it. */
export function writeEnvFile(file: string, values: Readonly<Record<string, string>>): void {
  try {
    writePrivateFile(resolve(file), formatEnvFile(values))
  } catch (error) {
    throw new CommandError(exitCodes.cannotCreate, `--env-file ${file} cannot be written: ${systemReason(error)}`)
  }
}
