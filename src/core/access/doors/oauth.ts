import { KeyferryError } from '../../errors.ts'
import type { SigningKeyRow, TokenRow, TokenStore } from '../../store.ts'
import type { Authenticator } from '../authenticator.ts'
import type { Issued, TokenService } from '../tokens.ts'
import type { AppRoleClient, AppRoleCredentials, AppRoleLogin } from './approle/login.ts'
import { type AuthMountService, tokenPath } from './auth-mounts.ts'
import type { JwtLogin } from './jwt/login.ts'
import { ScopeError } from './login.ts'
import { policyNames } from './token-settings.ts'

export interface OAuthServiceParts {
  store: { tokens: TokenStore }
  authenticator: Authenticator
  tokens: TokenService
  mounts: AuthMountService
  approle: AppRoleLogin
  jwt: JwtLogin
  /** The `iss` and `aud` of tokens. */
  issuer: string
}

/** RFC 7662: what is said of a good token. Times in seconds since 1970. */
export interface Introspection {
  scope: string
  client_id: string
  sub: string
  token_type: 'Bearer'
  iat: number
  exp: number
  iss: string
  aud: string
  jti: string
}

/** Where JWTs to be exchanged are taken, when the request does not say. */
const usualDoor = 'auth/jwt'

/**
 * The doors in OAuth's words: an AppRole is a client (its role id the client id), a JWT login is a token exchange. All in the namespace of
 * the request, and nowhere else.
 */
export class OAuthService {
  readonly #parts: OAuthServiceParts

  constructor(parts: OAuthServiceParts) {
    this.#parts = parts
  }

  /** RFC 6749 4.4. Throws `invalid` for wrong credentials, `ScopeError` for a scope beyond the role. */
  async clientCredentials(namespaceId: string, client: AppRoleCredentials, scope: string | undefined): Promise<Issued> {
    return await this.#parts.approle.login({ namespaceId }, client, scopeNames(scope))
  }

  /**
   * RFC 8693. `audience` names the door: `auth/<mount>` or `auth/<mount>/role/<role>`; without one it is `auth/jwt`, and without a role
   * the mount's default. Throws `not_found` for an audience that names no door by its form, `invalid` for a token that is not let in.
   */
  async exchange(
    namespaceId: string,
    request: { subjectToken: string; audience: string | undefined; remoteAddress?: string },
    scope: string | undefined,
  ): Promise<Issued> {
    const { subjectToken: jwt, audience = usualDoor, remoteAddress } = request
    const [, path, role = ''] = /^auth\/(.+?)(?:\/role\/([^/]+))?$/.exec(audience) ?? []
    if (path === undefined || audience.length > 1024) {
      throw new KeyferryError('not_found', 'the audience is not of the form auth/<mount> or auth/<mount>/role/<role>')
    }
    const mount = await this.#parts.mounts.resolve(namespaceId, `${path}/`)
    const exact = mount?.path === `${path}/` ? mount : undefined
    const from = remoteAddress === undefined ? {} : { remoteAddress }
    return await this.#parts.jwt.login(exact, { jwt, role, ...from }, scopeNames(scope))
  }

  /**
   * RFC 7662. Undefined for a token that is unknown, over, of another namespace, or (asked by a client) not the client's own: these look
   * the same. Takes no use of it.
   */
  async introspect(
    namespaceId: string,
    token: string,
    client: AppRoleClient | undefined,
  ): Promise<Introspection | undefined> {
    const row = await this.#find(namespaceId, token, client)
    return (
      row && {
        scope: row.policies.join(' '),
        client_id: row.displayName,
        sub: row.displayName,
        token_type: 'Bearer',
        iat: Math.floor(row.createdAt / 1000),
        exp: Math.floor((row.expiresAt ?? row.outerBound) / 1000),
        iss: this.#parts.issuer,
        aud: this.#parts.issuer,
        jti: row.id,
      }
    )
  }

  /**
   * RFC 7009. A token that is not there, or not the client's, is no error. False: a batch token, which ends by itself and cannot be
   * revoked.
   */
  async revoke(namespaceId: string, token: string, client: AppRoleClient | undefined): Promise<boolean> {
    const row = await this.#find(namespaceId, token, client)
    if (row?.type === 'batch') return false
    if (row) await this.#parts.tokens.revoke(row)
    return true
  }

  /** Public halves of the keys that sign tokens, the newest first (RFC 7517). */
  async jwks(): Promise<{ keys: Record<string, string>[] }> {
    const rows: SigningKeyRow[] = await this.#parts.store.tokens.signingKeys()
    return { keys: rows.map((row) => row.publicJwk) }
  }

  async #find(namespaceId: string, token: string, client: AppRoleClient | undefined): Promise<TokenRow | undefined> {
    const row = (await this.#parts.authenticator.find(token))?.token
    if (row?.namespaceId !== namespaceId) return undefined
    if (client === undefined) return row
    const { mount, row: role } = client
    const own =
      row.path === tokenPath(mount) && row.meta.role_name === role.name && row.createdAt >= role.createdAt - 1000
    return own ? row : undefined
  }
}

/** RFC 6749 3.3: names with blanks between. Undefined where nothing is asked for. Throws `ScopeError` for what are no names. */
function scopeNames(scope: string | undefined): string[] | undefined {
  const words = (scope ?? '').split(' ')
  if (words.length > 100 || !words.every((word) => /^[\x21-\x7e]*$/.test(word))) throw new ScopeError()
  try {
    const names = policyNames(words)
    return names.length === 0 ? undefined : names
  } catch (error) {
    if (error instanceof KeyferryError) throw new ScopeError()
    throw error
  }
}
