import type { AppRoleClient } from '../../core/access/doors/approle/login.ts'
import { authenticate } from '../middleware/authenticate.ts'
import { authorize } from '../middleware/authorize.ts'
import { authenticateClient, clientCredentials, unknownClient } from './client.ts'
import { OAuthError, oauthAnswer } from './errors.ts'
import { needed, type OAuthRequest } from './incoming.ts'

/** `POST /oauth/introspect` (RFC 7662). What is not good is `{"active": false}` and nothing else. */
export async function introspect(request: OAuthRequest): Promise<Response> {
  const token = needed(request.form, 'token')
  const { core, namespace } = request
  const client = await asker(request, token, 'lookup')
  const found = namespace && (await core.doors.oauth.introspect(namespace.id, token, client))
  return oauthAnswer(found ? { active: true, ...found } : { active: false })
}

/** `POST /oauth/revoke` (RFC 7009). 200 for what is not there, or not the caller's to revoke. */
export async function revoke(request: OAuthRequest): Promise<Response> {
  const token = needed(request.form, 'token')
  const { core, namespace } = request
  const client = await asker(request, token, 'revoke')
  if (namespace && !(await core.doors.oauth.revoke(namespace.id, token, client))) {
    throw new OAuthError('unsupported_token_type', 'a batch token cannot be revoked: it ends by itself')
  }
  return oauthAnswer({})
}

/**
 * Who asks: a client, about its own tokens; or a token with the right that Vault's path for the same asks for, about any of the
 * namespace, where the answer is undefined. Throws `invalid_client`, `invalid_token` or `insufficient_scope`.
 */
async function asker(
  request: OAuthRequest,
  about: string,
  what: 'lookup' | 'revoke',
): Promise<AppRoleClient | undefined> {
  const { core, headers, namespace, remoteAddress } = request
  const credentials = clientCredentials(request)
  if (credentials) return await authenticateClient(request, credentials)
  if (!headers.has('authorization') && !headers.has('x-vault-token')) throw unknownClient()
  const { caller, presentedToken } = await authenticate(core, headers, remoteAddress)
  if (!namespace) throw new OAuthError('insufficient_scope', 'the token has no right to this')
  const own = presentedToken === about
  const reads = own && what === 'lookup'
  const path = `auth/token/${what}${own ? '-self' : ''}`
  await authorize(core, caller, {
    path: namespace.path === '' ? path : `${namespace.path}/${path}`,
    operation: reads ? 'read' : 'write',
    capability: reads ? 'read' : 'update',
    parameters: reads ? {} : { token: about },
  })
  return undefined
}
