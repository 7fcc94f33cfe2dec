import type { Core } from '../../core/core.ts'
import { invalid } from '../../core/errors.ts'
import type { KeptAnswer } from '../../core/idempotency.ts'
import type { Respond } from '../vault/envelope.ts'

/** Told where a change was made and its answer is not known. */
export const changedBefore =
  'an earlier request with this Idempotency-Key made the change and ended before its answer was kept: read what it was about to see how that is'

/** The `Idempotency-Key` of a request, without its quotes (RFC 8941 strings have them; not all clients do). Throws `invalid`. */
export function idempotencyKeyOf(headers: Headers): string | undefined {
  const text = headers.get('idempotency-key')
  if (text === null) return undefined
  const key = /^"(.*)"$/.exec(text)?.[1]?.replace(/\\(["\\])/g, '$1') ?? text
  if (/^[\x20-\x7e]{1,255}$/.test(key) && key.trim() !== '') return key
  throw invalid('Idempotency-Key must be 1 to 255 printable ASCII characters')
}

/** Answers a write once: see core/idempotency.ts. `work` never rejects; `unknown` is the answer where a change is all that is known. */
export async function answerOnce(
  core: Core,
  request: { namespaceId: string; tokenId: string; method: string; path: string; key: string; body: string },
  work: () => Promise<Respond>,
  unknown: () => Respond,
): Promise<Respond> {
  const { tokenId: caller, ...rest } = request
  let fresh: Respond | undefined
  const kept: KeptAnswer | undefined = await core.idempotency.once({ ...rest, caller }, async () => {
    fresh = await work()
    const { status, body, location } = fresh
    return { status, body, ...(location === undefined ? {} : { location }) }
  })
  return fresh ?? kept ?? unknown()
}
