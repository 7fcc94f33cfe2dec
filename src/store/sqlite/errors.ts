import { KeyferryError } from '../../core/errors.ts'
import { StaleSeal } from '../../core/seal/stale.ts'

/** SQLite's code, also of an error that drizzle has wrapped. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  return 'code' in error ? String(error.code) : codeOf(error.cause)
}

/** What the caller of a change is told: what was thrown on purpose as it is, also where drizzle has wrapped it. */
export function unwritable(cause: unknown): KeyferryError {
  for (let error = cause; error instanceof Error; error = error.cause) if (error instanceof KeyferryError) return error
  const code = codeOf(cause)
  if (code.startsWith('SQLITE_BUSY'))
    return new KeyferryError('unavailable', 'the database is locked by another process: nothing was changed', { cause })
  if (code.startsWith('SQLITE_FULL'))
    return new KeyferryError('unavailable', 'the disk is full: nothing was changed', { cause })
  if (code.startsWith('SQLITE_READONLY'))
    return new KeyferryError('unavailable', 'the database cannot be written: nothing was changed', { cause })
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB')
    return new KeyferryError('corrupt', 'the database is damaged: nothing was changed', { cause })
  if (code === 'SQLITE_CONSTRAINT_TRIGGER') return new StaleSeal({ cause })
  return new KeyferryError('unavailable', 'the database refused the change: nothing was changed', { cause })
}

/** An error of SQLite that nobody has put in words, in words; undefined for every other. */
export function unexplained(error: unknown): KeyferryError | undefined {
  if (error instanceof KeyferryError || !codeOf(error).startsWith('SQLITE_')) return undefined
  const { code, message } = explained('', error)
  return new KeyferryError(code, message.replace('the database :', 'the database cannot be used:'), { cause: error })
}

/** Why a file could not be opened, in a sentence. */
export function explained(file: string, cause: unknown): KeyferryError {
  const code = codeOf(cause)
  const why =
    code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')
      ? 'it is not an intact SQLite database'
      : code.startsWith('SQLITE_BUSY')
        ? 'another process holds it locked'
        : code.startsWith('SQLITE_CANTOPEN')
          ? 'it cannot be opened: check that the folder exists and that this user may write there'
          : code.startsWith('SQLITE_READONLY')
            ? 'it cannot be written'
            : code.startsWith('SQLITE_FULL')
              ? 'the disk is full'
              : cause instanceof Error
                ? cause.message
                : String(cause)
  return new KeyferryError(
    code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT') ? 'corrupt' : 'unavailable',
    `the database ${file}: ${why}`,
    { cause },
  )
}
