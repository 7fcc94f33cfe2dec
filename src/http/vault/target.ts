import { invalid } from '../../core/errors.ts'
import { unsupportedPath } from './operation.ts'

/** What a request is about, as its URL says. */
export interface Target {
  /** The parts of the path after `/v1/`, each decoded once; none at a trailing slash. */
  segments: readonly string[]
  /** The parts joined again. Since no part holds a slash, this is one to one. */
  path: string
  /** Path and query as they were sent. */
  raw: string
  /** As it was sent, without its `?`; '' where there is none. */
  query: string
}

const prefix = '/v1/'
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/**
 * Takes the URL of a request under `/v1/`. Throws `invalid` for a path that could be taken for another one: bad percent-encoding, encoded
 * slashes and control characters, `.` and `..`.
 */
export function parseTarget(url: string): Target {
  const slash = url.indexOf('/', url.indexOf('://') + 3)
  if (!url.startsWith(prefix, slash)) throw unsupportedPath()
  const start = slash + prefix.length
  const mark = url.indexOf('?', start)
  const end = mark === -1 ? url.length : mark
  const query = mark === -1 ? '' : url.slice(mark + 1)
  let path = url.slice(start, end)
  let segments = path.split('/')
  const full = segments.length
  while (segments.length > 0 && segments.at(-1) === '') segments.pop()
  if (path.includes('%')) {
    segments = segments.map(decode)
    path = segments.join('/')
  } else if (segments.length < full) path = segments.join('/')
  for (const segment of segments) {
    if (segment === '.' || segment === '..') throw unclear(`a path must not have the part "${segment}"`)
  }
  return { segments, path, raw: url.slice(start), query }
}

function decode(raw: string): string {
  let segment: string
  try {
    segment = decodeURIComponent(raw)
  } catch {
    throw unclear('the path has a "%" that does not begin the code of a UTF-8 character')
  }
  if (segment.includes('/')) throw unclear('a part of the path must not contain an encoded slash ("%2f")')
  if (control.test(segment)) throw unclear('the path must not contain control characters')
  return segment
}

function unclear(why: string) {
  return invalid(`invalid path: ${why}`)
}
