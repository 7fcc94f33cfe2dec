import { ScopeError } from '../../core/access/doors/login.ts'
import type { Issued } from '../../core/access/tokens.ts'
import { KeyferryError } from '../../core/errors.ts'
import { clientCredentials, unknownClient } from './client.ts'
import { OAuthError, oauthAnswer } from './errors.ts'
import { needed, type OAuthRequest } from './incoming.ts'

export const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
const jwtType = 'urn:ietf:params:oauth:token-type:jwt'
const subjectTypes = [jwtType, 'urn:ietf:params:oauth:token-type:id_token', accessToken]

/** `POST /oauth/token`. */
export async function token(request: OAuthRequest): Promise<Response> {
  const grant = needed(request.form, 'grant_type')
  if (grant === 'client_credentials') return issuedAnswer(request, await byClient(request))
  if (grant === exchangeGrant) {
    return issuedAnswer(request, await byExchange(request), { issued_token_type: accessToken })
  }
  throw new OAuthError('unsupported_grant_type', `allowed are client_credentials and ${exchangeGrant}`)
}

/** RFC 6749 4.4: an AppRole, in the namespace of the request and nowhere else. */
async function byClient(request: OAuthRequest): Promise<Issued> {
  const { core, form, namespace } = request
  const credentials = clientCredentials(request)
  if (!credentials || !namespace) throw unknownClient()
  return await inOAuthWords(unknownClient(), () =>
    core.doors.oauth.clientCredentials(namespace.id, credentials, form.get('scope')),
  )
}

/** RFC 8693: a JWT of an issuer, let in by a role of a JWT mount. The JWT is all the authentication there is; a client has none besides. */
async function byExchange({ core, form, namespace, remoteAddress }: OAuthRequest): Promise<Issued> {
  const subjectToken = needed(form, 'subject_token')
  const type = needed(form, 'subject_token_type')
  if (!subjectTypes.includes(type)) {
    throw new OAuthError('invalid_request', `subject_token_type: allowed are ${subjectTypes.join(', ')}`)
  }
  const wanted = form.get('requested_token_type')
  if (wanted !== undefined && wanted !== accessToken && wanted !== jwtType) {
    throw new OAuthError('invalid_request', `requested_token_type: allowed is ${accessToken}`)
  }
  if (form.has('actor_token') || form.has('actor_token_type')) {
    throw new OAuthError('invalid_request', 'actor_token is not offered: nobody acts for another here')
  }
  if (form.has('resource')) {
    throw new OAuthError('invalid_target', 'resource is not offered: audience names the door')
  }
  const refused = new OAuthError('invalid_request', 'the subject token is not accepted')
  if (!namespace) throw refused
  const exchange = { subjectToken, audience: form.get('audience'), ...(remoteAddress ? { remoteAddress } : {}) }
  return await inOAuthWords(refused, () => core.doors.oauth.exchange(namespace.id, exchange, form.get('scope')))
}

async function inOAuthWords(refused: OAuthError, login: () => Promise<Issued>): Promise<Issued> {
  try {
    return await login()
  } catch (error) {
    if (error instanceof ScopeError) throw new OAuthError('invalid_scope', error.message)
    if (!(error instanceof KeyferryError)) throw error
    if (error.code === 'not_found') throw new OAuthError('invalid_target', error.message)
    if (error.code === 'invalid' || error.code === 'denied') throw refused
    throw error
  }
}

function issuedAnswer({ core }: OAuthRequest, { token: access_token, row }: Issued, more: object = {}): Response {
  const until = row.expiresAt ?? row.outerBound
  return oauthAnswer({
    access_token,
    ...more,
    token_type: 'Bearer',
    expires_in: Math.max(0, Math.floor((until - core.context.now()) / 1000)),
    scope: row.policies.join(' '),
  })
}
