/**
 * How a call to a cloud failed.
 * - `refused`: a final no (bad credentials, no permission, not allowed); sending it again changes nothing
 * - `name_taken`: the remote name is held by a key that is deleted but recoverable, or being deleted
 * - `throttled`: not now; nothing happened
 * - `unavailable`: no usable answer; for a write, `effect` says whether it may have happened
 */
export type CloudFailure = 'refused' | 'name_taken' | 'throttled' | 'unavailable'

export class CloudError extends Error {
  readonly kind: CloudFailure
  /** `none`: nothing happened there. `unknown`: the answer was lost and the call may have, or may yet, take effect. */
  readonly effect: 'none' | 'unknown'
  /** The service's own code (`Forbidden/ForbiddenByRbac`), for operators and tests. */
  readonly serviceCode: string | undefined
  /** Of the HTTP answer, where there was one. */
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined

  constructor(
    kind: CloudFailure,
    message: string,
    more: {
      effect?: 'none' | 'unknown'
      serviceCode?: string
      status?: number | undefined
      retryAfterMs?: number
      cause?: unknown
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'CloudError'
    this.kind = kind
    this.effect = more.effect ?? 'none'
    this.serviceCode = more.serviceCode
    this.status = more.status
    this.retryAfterMs = more.retryAfterMs
  }
}
