import { longestWrapTtl } from '../../core/access/wrapping.ts'
import type { Core } from '../../core/core.ts'
import { parseDuration } from '../../core/durations.ts'
import { invalid } from '../../core/errors.ts'
import {
  type Answer,
  type Enveloped,
  isEnveloped,
  type Respond,
  respondAnswer,
  respondJson,
  withRequestId,
  wrappedTail,
} from '../vault/envelope.ts'

/** For how many seconds the caller wants the answer wrapped (`X-Vault-Wrap-TTL`); undefined: not at all. Throws `invalid`. */
export function wrapTtlOf(headers: Headers): number | undefined {
  const text = headers.get('x-vault-wrap-ttl')
  if (text === null || text === '' || text === '0') return undefined
  const seconds = Math.floor(parseDuration(text) ?? 0)
  // Before anything is done: an answer that could not be wrapped would be lost.
  if (!seconds || seconds > longestWrapTtl) {
    throw invalid(`X-Vault-Wrap-TTL must be 1 to ${longestWrapTtl} seconds, or a duration such as "5m"`)
  }
  return seconds
}

/** The answer in its envelope, or kept and wrapped where that was asked for (`ttl`, seconds). */
export async function finish(
  core: Core,
  answer: Answer,
  about: { requestId: string; mountType: string; reading: boolean },
  wrapping: { namespaceId: string; path: string; ttl: number | undefined },
  keep?: (tail: string) => void,
): Promise<Respond> {
  const { ttl } = wrapping
  if (ttl !== undefined && isEnveloped(answer)) return await wrap(core, answer, { ...wrapping, ...about, ttl })
  return respondAnswer(answer, about, keep)
}

/** Keeps the answer and gives the envelope with its wrapping token instead. `path`: of the request, in its namespace. */
async function wrap(
  core: Core,
  answer: Enveloped,
  about: { namespaceId: string; path: string; ttl: number; requestId: string; mountType: string },
): Promise<Respond> {
  const kept = JSON.stringify({ data: answer.data, auth: answer.auth ?? null, warnings: answer.warnings ?? null })
  const info = await core.wrapping.wrap(about.namespaceId, about.path, kept, about.ttl)
  const tail = wrappedTail(info, about.mountType, answer.auth?.accessor)
  return respondJson(200, withRequestId(about.requestId, tail))
}
