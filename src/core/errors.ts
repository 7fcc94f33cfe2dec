/**
 * The stable list of what can go wrong. Codes are an API: clients of the core switch on them, and http/ maps each to a status in
 * one table (src/http/errors.ts).
 *
 * - `invalid`: the caller's input or an unmet precondition; the message says what is allowed
 * - `not_found`: the thing named does not exist (or is not visible to the caller)
 * - `already_exists`: the name is taken
 * - `unauthenticated`: no token, or one that does not verify
 * - `denied`: a good token without the right
 * - `unsupported_path`, `unsupported_operation`, `no_route`: Vault's three answers to a request that nothing serves
 * - `unsupported_type`: a body of a kind that the operation does not take
 * - `still_running`, `key_reused`: of an `Idempotency-Key`, whose first request still runs, or had another body
 * - `too_large`, `too_many`: size and rate limits
 * - `refused`: the cloud said no for good, with its reason
 * - `conflict`: something else is in the way right now
 * - `unavailable`: the service (or the store below it) cannot serve now
 * - `corrupt`: stored data does not open or does not agree with itself
 */
export type ErrorCode =
  | 'invalid'
  | 'not_found'
  | 'already_exists'
  | 'unauthenticated'
  | 'denied'
  | 'unsupported_path'
  | 'unsupported_operation'
  | 'no_route'
  | 'unsupported_type'
  | 'still_running'
  | 'key_reused'
  | 'too_large'
  | 'too_many'
  | 'refused'
  | 'conflict'
  | 'unavailable'
  | 'corrupt'

/**
 * Every error that Keyferry throws on purpose. `message` is a sentence for the caller and never holds a secret; `cause` keeps what
 * led to it for the operator's log.
 */
export class KeyferryError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'KeyferryError'
    this.code = code
  }
}

/** Shorthand for the commonest error: input that is not allowed. `message` says what was wrong and what is allowed. */
export function invalid(message: string): KeyferryError {
  return new KeyferryError('invalid', message)
}

/** A sentence listing what is allowed: `allowed values are a, b and c`. */
export function oneOf(values: readonly string[]): string {
  if (values.length < 2) return values.join('')
  return `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}
