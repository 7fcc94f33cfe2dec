import { type ErrorCode, KeyferryError } from '../core/errors.ts'

/** What the process ends with, after BSD's sysexits.h, so that a service manager can tell what a restart will not mend. */
export const exitCodes = {
  ok: 0,
  /** A fault of the program. */
  failure: 1,
  /** As Vault's command line: a gateway that is asked refuses, is sealed, or does not answer. */
  refused: 2,
  /** EX_USAGE: an unknown command or flag, or one without its value. */
  usage: 64,
  /** EX_DATAERR: the database is damaged, newer than this version, or not of this root key. */
  data: 65,
  /** EX_UNAVAILABLE: a port in use, a database that something else holds locked. */
  unavailable: 69,
  /** EX_CANTCREAT: a file or folder cannot be made, or is there already. */
  cannotCreate: 73,
  /** EX_CONFIG: a setting, the data folder or the root key is missing, unreadable, too open or not allowed. */
  config: 78,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** What stops a command: a sentence for the person at the keyboard that says what to do, and the code to exit with. */
export class CommandError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'CommandError'
    this.exitCode = exitCode
  }
}

const byErrorCode: Partial<Record<ErrorCode, ExitCode>> = {
  invalid: exitCodes.config,
  already_exists: exitCodes.cannotCreate,
  conflict: exitCodes.unavailable,
  unavailable: exitCodes.unavailable,
  corrupt: exitCodes.data,
}

/** The code that an error ends the process with. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode
  if (error instanceof KeyferryError) return byErrorCode[error.code] ?? exitCodes.failure
  return exitCodes.failure
}

/** The `code` of an error of the operating system (`ENOENT`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

const systemSentences: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'this user has no permission',
  EPERM: 'this user has no permission',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  ELOOP: 'its symbolic links go round in circles',
  EEXIST: 'it exists already',
  ENOTEMPTY: 'it exists already and is not empty',
}

/** Why the operating system refused, in words: the end of a sentence. */
export function systemReason(error: unknown): string {
  const code = systemCode(error)
  return (code && systemSentences[code]) ?? (error instanceof Error ? error.message : String(error))
}
