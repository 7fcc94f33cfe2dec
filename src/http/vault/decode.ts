import type { z } from 'zod'
import { invalid } from '../../core/errors.ts'
import { printable } from '../../core/keys/types.ts'

/**
 * Validates the fields of a body. Unknown ones are ignored, as in Vault. Throws `invalid` naming the field, in the words in which Vault
 * begins such a sentence; what was sent is not repeated, since it may be secret.
 */
export function decodeFields<S extends z.ZodType>(schema: S, body: Readonly<Record<string, unknown>>): z.output<S> {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const field = printable(String(issue?.path[0] ?? ''))
  throw invalid(`Field validation failed: error converting input for field "${field}": ${issue?.message}`)
}

/** The members that are not undefined: a field that was not sent is not there at all. */
export function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
