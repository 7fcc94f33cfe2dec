import { readFileSync } from 'node:fs'
import { CommandError, type ExitCode, exitCodes, systemCode, systemReason } from '../config/exit-codes.ts'
import { KeyferryError } from '../core/errors.ts'

/** Reads a file that a flag names. Throws a `CommandError` (78) that begins with `what`. */
export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(exitCodes.config, `the ${what} ${file} cannot be read: ${systemReason(error)}`)
  }
}

/** A no of the operating system, as a sentence that begins with `problem`; whatever else it is stays as it is. */
export function explainSystem(error: unknown, code: ExitCode, problem: string): unknown {
  if (error instanceof KeyferryError || systemCode(error) === undefined) return error
  return new CommandError(code, `${problem}: ${systemReason(error)}`)
}
