import { invalid } from '../../core/errors.ts'
import { printable } from '../../core/keys/types.ts'

/** A page of a list: names after `after`, at most `limit`. */
export interface Page {
  after?: string
  limit?: number
}

const none = new URLSearchParams()

/** Parameters of a query; the common case, none, costs nothing. */
export function parseQuery(query: string): URLSearchParams {
  return query === '' ? none : new URLSearchParams(query)
}

/** A boolean as Go's `strconv.ParseBool` reads it; undefined for anything else. */
export function goBoolean(text: string): boolean | undefined {
  switch (text) {
    case '1':
    case 't':
    case 'T':
    case 'true':
    case 'TRUE':
    case 'True':
      return true
    case '0':
    case 'f':
    case 'F':
    case 'false':
    case 'FALSE':
    case 'False':
      return false
    default:
      return undefined
  }
}

/** A flag of the query, false where it is missing or empty. Throws `invalid` for what Go would not read. */
export function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name)
  if (text === null || text === '') return false
  const value = goBoolean(text)
  if (value === undefined) throw invalid(`query parameter "${name}" must be true or false, not "${printable(text)}"`)
  return value
}

/** `after` and `limit` of a list; a limit of 0 or less means all, as in OpenBao. */
export function parsePage(query: URLSearchParams): Page {
  const after = query.get('after') ?? ''
  const text = query.get('limit') ?? ''
  if (!/^(?:[+-]?\d{1,9})?$/.test(text)) {
    throw invalid(`query parameter "limit" must be a whole number, not "${printable(text)}"`)
  }
  const limit = Number(text)
  return { ...(after === '' ? {} : { after }), ...(limit > 0 ? { limit } : {}) }
}

/** The page of names that are at hand already, in order. */
export function pageOf(names: readonly string[], { after, limit }: Page): readonly string[] {
  const rest = after === undefined ? names : names.filter((name) => name > after)
  return limit === undefined ? rest : rest.slice(0, limit)
}
