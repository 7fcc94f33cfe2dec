import { TooManyRequests } from '../../core/access/quotas.ts'
import type { Context } from '../../core/context.ts'
import { KeyferryError } from '../../core/errors.ts'

/** RFC 6749 5.2, RFC 7009 2.2.1, RFC 6750 3.1 and RFC 8693 2.2.2. */
export type OAuthCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_scope'
  | 'invalid_target'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'unsupported_grant_type'
  | 'unsupported_token_type'
  | 'temporarily_unavailable'
  | 'server_error'

const statuses: Readonly<Record<OAuthCode, number>> = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_token: 401,
  insufficient_scope: 403,
  unsupported_grant_type: 400,
  unsupported_token_type: 400,
  temporarily_unavailable: 503,
  server_error: 500,
}

/** What goes wrong under `/oauth`, in OAuth's words. `message` is for the caller. */
export class OAuthError extends Error {
  readonly code: OAuthCode

  constructor(code: OAuthCode, message: string) {
    super(message)
    this.name = 'OAuthError'
    this.code = code
  }
}

const noStore = { 'content-type': 'application/json', 'cache-control': 'no-store', pragma: 'no-cache' }

export function oauthAnswer(body: object, headers: Record<string, string> = noStore): Response {
  return new Response(JSON.stringify(body), { status: 200, headers })
}

/** Takes what was thrown; gives RFC 6749's error answer. What was not thrown on purpose says nothing but the request's id. */
export function oauthFailure(error: unknown, requestId: string, log: Context['log']): Response {
  if (error instanceof TooManyRequests) {
    const headers = { 'retry-after': `${error.retryAfterSeconds}` }
    return failure('temporarily_unavailable', error.message, 429, headers)
  }
  const known = error instanceof OAuthError ? error : translated(error)
  if (!known) {
    log('error', 'request failed', { requestId, error: error instanceof Error ? error.stack : String(error) })
    return failure('server_error', `internal error (request id ${requestId})`)
  }
  return failure(known.code, known.message)
}

/** Errors of the core that mean the same whatever was asked for. */
function translated(error: unknown): OAuthError | undefined {
  if (!(error instanceof KeyferryError)) return undefined
  switch (error.code) {
    case 'too_large':
    case 'invalid':
      return new OAuthError('invalid_request', error.message)
    case 'too_many':
    case 'unavailable':
      return new OAuthError('temporarily_unavailable', error.message)
    case 'unauthenticated':
      return new OAuthError('invalid_token', 'the token is not good')
    case 'denied':
      return new OAuthError('insufficient_scope', 'the token has no right to this')
    default:
      return undefined
  }
}

function failure(
  error: OAuthCode,
  description: string,
  status = statuses[error],
  headers: Record<string, string> = {},
): Response {
  // RFC 6749 5.2: only these characters.
  const error_description = description.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'")
  return new Response(JSON.stringify({ error, error_description }), {
    status,
    headers: { ...noStore, ...challenge(error), ...headers },
  })
}

function challenge(error: OAuthCode): Record<string, string> {
  switch (error) {
    case 'invalid_client':
      return { 'www-authenticate': 'Basic realm="keyferry", charset="UTF-8"' }
    case 'invalid_token':
    case 'insufficient_scope':
      return { 'www-authenticate': `Bearer realm="keyferry", error="${error}"` }
    default:
      return {}
  }
}
