import type { WrapInfo } from '../../core/access/wrapping.ts'
import type { KeptAnswer } from '../answer-cache.ts'
import { rfc3339 } from './times.ts'

/**
 * What a handler gives: nothing (Vault's 204), `data` and `warnings` for the envelope, or a `raw` object for the few paths of `sys/` that
 * answer without one. `repeat`: the members of `data` stand at the top level too, as Vault has it for `sys/mounts`.
 */
export interface Enveloped {
  data: Record<string, unknown> | null
  warnings?: readonly string[]
  repeat?: boolean
  /** A token that was made or renewed. */
  auth?: Record<string, unknown>
  /** 200 unless told. */
  status?: number
  /** Where to look for what comes of it. */
  location?: string
}

/** An answer that is no JSON. `type`: its media type. */
export interface TextAnswer {
  text: string
  type: string
}

export type Answer = undefined | Enveloped | { raw: Record<string, unknown>; status?: number } | TextAnswer

export function isEnveloped(answer: Answer): answer is Enveloped {
  return answer !== undefined && 'data' in answer
}

/** An answer ready to leave. */
export interface Respond {
  status: number
  body: string | null
  /** Seconds after which to come again. */
  retryAfter?: number
  location?: string
  /** The media type of a body that is no JSON. */
  type?: string
  /** Where it came from, when it was not made for this request. */
  kept?: KeptAnswer
}

// One object for all answers: no header of ours differs from request to request. `Content-Type` is exactly this: hvac reads errors only
// then.
const jsonHeaders = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
const emptyHeaders = { 'Cache-Control': 'no-store' }

export function respondJson(status: number, body: string): Respond {
  return { status, body }
}

/** The answer as `fetch` knows it. */
export function toResponse({ status, body, retryAfter, location, type }: Respond): Response {
  if (type !== undefined) return new Response(body, { status, headers: { ...jsonHeaders, 'Content-Type': type } })
  if (location !== undefined) return new Response(body, { status, headers: { ...jsonHeaders, Location: location } })
  if (retryAfter !== undefined) {
    return new Response(body, { status, headers: { ...jsonHeaders, 'Retry-After': `${retryAfter}` } })
  }
  return new Response(body, { status, headers: body === null ? emptyHeaders : jsonHeaders })
}

/** Nothing to say but warnings: 204 without, 200 with `data: null` and them. */
export function done(warnings: readonly string[]): Answer {
  return warnings.length === 0 ? undefined : { data: null, warnings }
}

/** Names as Vault lists them: `{"keys": […]}`. An empty list is an empty 404, as in Vault, and so undefined here. */
export function listOf(names: readonly string[]): { data: { keys: readonly string[] } } | undefined {
  return names.length === 0 ? undefined : { data: { keys: names } }
}

/**
 * The envelope without its first member, to be finished by `withRequestId`: this part is the same for every asker, and is what the cache of
 * answers keeps. Vault's order of members.
 */
export function envelopeTail(answer: Enveloped, mountType: string): string {
  const data = JSON.stringify(answer.data)
  const warnings = answer.warnings?.length ? JSON.stringify(answer.warnings) : 'null'
  const repeated = answer.repeat && data.length > 2 ? `,${data.slice(1, -1)}` : ''
  return `"lease_id":"","renewable":false,"lease_duration":0,"data":${data},"wrap_info":null,"warnings":${warnings},"auth":${answer.auth ? JSON.stringify(answer.auth) : 'null'},"mount_type":"${mountType}"${repeated}}`
}

/**
 * The envelope of an answer that is kept: nothing of it, and the token that it can be had for. `wrappedAccessor`: of the token in that
 * answer, so that who made it can revoke it without unwrapping.
 */
export function wrappedTail(info: WrapInfo, mountType: string, wrappedAccessor: unknown): string {
  const wrapInfo = {
    token: info.token,
    accessor: info.accessor,
    ttl: info.ttl,
    creation_time: rfc3339(info.createdAt),
    creation_path: info.creationPath,
    ...(wrappedAccessor ? { wrapped_accessor: wrappedAccessor } : {}),
  }
  return `"lease_id":"","renewable":false,"lease_duration":0,"data":null,"wrap_info":${JSON.stringify(wrapInfo)},"warnings":null,"auth":null,"mount_type":"${mountType}"}`
}

/**
 * Turns an answer into what is sent: nothing to read or list is Vault's empty 404, a write with nothing to say its 204. `keep` gets the
 * serialised envelope without its request id.
 */
export function respondAnswer(
  answer: Answer,
  about: { requestId: string; reading: boolean; mountType: string },
  keep?: (tail: string) => void,
): Respond {
  if (answer === undefined) return about.reading ? respondJson(404, '{"errors":[]}') : { status: 204, body: null }
  if ('text' in answer) return { status: 200, body: answer.text, type: answer.type }
  if ('raw' in answer) return respondJson(answer.status ?? 200, JSON.stringify(answer.raw))
  const tail = envelopeTail(answer, about.mountType)
  keep?.(tail)
  const respond = respondJson(answer.status ?? 200, withRequestId(about.requestId, tail))
  return answer.location === undefined ? respond : { ...respond, location: answer.location }
}

export function withRequestId(requestId: string, tail: string): string {
  return `{"request_id":"${requestId}",${tail}`
}
