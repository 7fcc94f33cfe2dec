import type { AppRoleClient, AppRoleCredentials } from '../../core/access/doors/approle/login.ts'
import { KeyferryError } from '../../core/errors.ts'
import { OAuthError } from './errors.ts'
import type { OAuthRequest } from './incoming.ts'

/**
 * The credentials of a client (RFC 6749 2.3.1): Basic, or in the form, never both. Undefined where there are none. An id without a secret
 * is none either: clients of these grants are confidential.
 */
export function clientCredentials({ headers, form, remoteAddress }: OAuthRequest): AppRoleCredentials | undefined {
  const basic = basicCredentials(headers.get('authorization'))
  const [id, secret] = [form.get('client_id'), form.get('client_secret')]
  if (basic && (secret !== undefined || (id !== undefined && id !== basic.roleId))) {
    throw new OAuthError('invalid_request', 'client credentials must come once: by Basic or in the form')
  }
  const inForm = id !== undefined && secret !== undefined ? { roleId: id, secretId: secret } : undefined
  const found = basic ?? inForm
  return found && { ...found, ...(remoteAddress === undefined ? {} : { remoteAddress }) }
}

/** Finds out which client calls. Throws `invalid_client` in the same words whatever is wrong. */
export async function authenticateClient(
  request: OAuthRequest,
  credentials: AppRoleCredentials | undefined,
): Promise<AppRoleClient> {
  if (!credentials || !request.namespace) throw unknownClient()
  try {
    return await request.core.doors.approleLogin.authenticate({ namespaceId: request.namespace.id }, credentials)
  } catch (error) {
    if (error instanceof KeyferryError && error.code === 'invalid') throw unknownClient()
    throw error
  }
}

export function unknownClient(): OAuthError {
  return new OAuthError('invalid_client', 'client authentication failed')
}

function basicCredentials(header: string | null): { roleId: string; secretId: string } | undefined {
  if (header?.slice(0, 6).toLowerCase() !== 'basic ') return undefined
  try {
    const text = Buffer.from(header.slice(6).trim(), 'base64').toString('utf8')
    const colon = text.indexOf(':')
    const [roleId, secretId] = [decoded(text.slice(0, colon)), decoded(text.slice(colon + 1))]
    if (colon > 0 && secretId !== '') return { roleId, secretId }
  } catch (error) {
    if (!(error instanceof URIError)) throw error
  }
  throw unknownClient()
}

/** Within Basic, both halves are form-encoded. */
function decoded(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}
