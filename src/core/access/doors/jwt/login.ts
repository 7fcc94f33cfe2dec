import type { JWTPayload } from 'jose'
import { KeyferryError } from '../../../errors.ts'
import type { AuthMountRow, RoleStore } from '../../../store.ts'
import { inCidrs } from '../../cidrs.ts'
import type { Issued } from '../../tokens.ts'
import { DocumentError } from '../documents.ts'
import { issueLogin, type LoginParts } from '../login.ts'
import { admit } from './claims.ts'
import { algorithms, type JwtConfig, jwtConfigOf } from './config.ts'
import type { IssuerKeyCache } from './issuer-keys.ts'
import { jwtRoleOf } from './role.ts'
import { peek, verifySignature } from './verify.ts'

export interface JwtLoginParts extends LoginParts {
  store: LoginParts['store'] & { roles: RoleStore }
  keys: IssuerKeyCache
}

/** What somebody logs in with. */
export interface JwtCredentials {
  jwt: string
  /** '' for the mount's default. */
  role: string
  remoteAddress?: string
}

/** Logs in by a JWT of an issuer; in OAuth's words, exchanges it for a token. */
export class JwtLogin {
  readonly #parts: JwtLoginParts

  constructor(parts: JwtLoginParts) {
    this.#parts = parts
  }

  /**
   * Makes a token. Throws `invalid` in the same words whatever is wrong: no such mount, role or key, signature, issuer, time or claims.
   * Why, is in the operator's log, once the signature was good.
   */
  async login(
    mount: AuthMountRow | undefined,
    credentials: JwtCredentials,
    scope?: readonly string[],
  ): Promise<Issued> {
    const { store, context } = this.#parts
    const config = mount && mount.type !== 'approle' ? jwtConfigOf(mount.config) : undefined
    if (!mount || !config) throw refused()
    const name = credentials.role || config.defaultRole
    const row = await store.roles.find(mount.namespaceId, mount.id, name)
    if (!row) throw refused()
    const role = jwtRoleOf(row)
    const claims = await this.#verify(mount, config, credentials.jwt)
    const admitted = admit(claims, role, context.now())
    const why =
      'refused' in admitted
        ? admitted.refused
        : inCidrs(role.token.boundCidrs, credentials.remoteAddress)
          ? ''
          : 'address'
    if ('refused' in admitted || why !== '') {
      context.log('info', 'a JWT of the issuer was not let in by the role', {
        namespace: mount.namespaceId,
        mount: mount.path,
        role: row.name,
        why,
      })
      throw refused()
    }
    return await issueLogin(this.#parts, mount, role.token, {
      displayName: `${mount.path.slice(0, -1)}-${admitted.user}`.slice(0, 256),
      meta: { ...admitted.meta, role: row.name },
      ...(scope ? { scope } : {}),
    })
  }

  /** The claims of a token that is the issuer's. */
  async #verify(mount: AuthMountRow, config: JwtConfig, jwt: string): Promise<JWTPayload> {
    const allowed: readonly string[] = config.supportedAlgs.length === 0 ? algorithms : config.supportedAlgs
    const said = peek(jwt)
    if (!said || !allowed.includes(said.algorithm)) throw refused()
    // Before the network is asked: a token of somebody else costs nothing. The same claim is signed, as it turns out below.
    const issuers = [config.oidcDiscoveryUrl, config.boundIssuer].filter((issuer) => issuer !== '')
    if (issuers.some((issuer) => said.issuer !== issuer)) throw refused()
    const claims = await verifySignature(jwt, await this.#keys(mount, config, said.kid), allowed)
    if (!claims || issuers.some((issuer) => claims.iss !== issuer)) throw refused()
    return claims
  }

  async #keys(mount: AuthMountRow, config: JwtConfig, kid: string | undefined) {
    try {
      return await this.#parts.keys.get(mount, config, kid)
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error
      this.#parts.context.log('warn', "an issuer's keys cannot be read", {
        namespace: mount.namespaceId,
        mount: mount.path,
        why: error.message,
      })
      throw refused()
    }
  }
}

function refused(): KeyferryError {
  return new KeyferryError('invalid', 'the JWT or the role is not accepted')
}
