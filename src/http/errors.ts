import { TooManyRequests } from '../core/access/quotas.ts'
import type { Context } from '../core/context.ts'
import { type ErrorCode, KeyferryError } from '../core/errors.ts'
import { type Respond, respondJson } from './vault/envelope.ts'
import type { OperationName } from './vault/route.ts'

/**
 * Where each code meets the wire: the one place. Conflicts are 400 and not 409, since that is what Vault's clients know (409 and 422 are
 * for those alone that send an `Idempotency-Key`); nothing that a client would send again by itself (412, 429, 5xx) is used for what
 * sending again does not mend, but for a namespace that is full: 429, as Vault answers at its quotas, since somebody may make room.
 */
const statuses: Record<ErrorCode, number> = {
  invalid: 400,
  refused: 400,
  conflict: 400,
  already_exists: 400,
  not_found: 404,
  unauthenticated: 403,
  denied: 403,
  unsupported_path: 404,
  unsupported_operation: 405,
  no_route: 404,
  unsupported_type: 415,
  still_running: 409,
  key_reused: 422,
  too_large: 413,
  too_many: 429,
  unavailable: 503,
  corrupt: 500,
}

/** What the answer to a failed request needs to know of it. */
export interface Failed {
  requestId: string
  method: string
  path: string
  /** The template of its route, once that is known. */
  route?: string
  operation: OperationName | undefined
}

/**
 * Takes what was thrown; gives Vault's error answer, `{"errors":[…]}`. What is missing is an empty 404 to a read or list, and a 400 with
 * its sentence to a write: the Go clients take a 404 to a write for success without an answer. What was not thrown on purpose is a 500
 * that tells nothing but the request's id; the rest goes to the operator's log.
 */
export function respondError(error: unknown, failed: Failed, log: Context['log']): Respond {
  if (!(error instanceof KeyferryError) || statuses[error.code] === 500) {
    log('error', 'request failed', { ...failed, error: describe(error) })
    return respondJson(500, errorBody([`internal error (request id ${failed.requestId})`]))
  }
  if (error.code === 'not_found') {
    const reading = failed.operation === 'read' || failed.operation === 'list'
    return reading ? respondJson(404, errorBody([])) : respondJson(400, errorBody([error.message]))
  }
  const answer = respondJson(statuses[error.code], errorBody([wording(error)]))
  return error instanceof TooManyRequests ? { ...answer, retryAfter: error.retryAfterSeconds } : answer
}

/** Vault's error body. */
export function errorBody(errors: readonly string[]): string {
  return JSON.stringify({ errors })
}

/** Refusals of rights have Vault's words, and say no more than these. */
function wording(error: KeyferryError): string {
  if (error.code === 'unauthenticated') return 'permission denied'
  if (error.code === 'denied') return '1 error occurred:\n\t* permission denied\n\n'
  return error.message
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by: ${describe(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}
