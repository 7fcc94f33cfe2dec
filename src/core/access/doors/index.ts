import type { Context } from '../../context.ts'
import type { AuthMountStore, RoleStore, SecretIdStore, TokenStore } from '../../store.ts'
import type { Authenticator } from '../authenticator.ts'
import type { TokenService } from '../tokens.ts'
import { AppRoleLogin } from './approle/login.ts'
import { AppRoleService } from './approle/roles.ts'
import { SecretIdService } from './approle/secret-ids.ts'
import { AuthMountService } from './auth-mounts.ts'
import { documentReader, type FetchRules } from './documents.ts'
import { IssuerKeyCache } from './jwt/issuer-keys.ts'
import { JwtLogin } from './jwt/login.ts'
import { JwtService } from './jwt/service.ts'
import { Lockout } from './lockout.ts'
import { OAuthService } from './oauth.ts'

export interface DoorsParts {
  context: Context
  store: { authMounts: AuthMountStore; roles: RoleStore; secretIds: SecretIdStore; tokens: TokenStore }
  authenticator: Authenticator
  tokens: TokenService
  /** The `iss` of tokens. */
  issuer: string
  /** How documents of issuers may be read; the operator's hosts among them. */
  documents?: FetchRules
}

/** The ways to a token other than from another token. */
export interface Doors {
  mounts: AuthMountService
  approle: AppRoleService
  secretIds: SecretIdService
  approleLogin: AppRoleLogin
  jwt: JwtService
  jwtLogin: JwtLogin
  oauth: OAuthService
  /** Drops what is remembered of mounts. */
  forget(): void
}

export function createDoors(parts: DoorsParts): Doors {
  const { context, store, authenticator, tokens, issuer } = parts
  const mounts = new AuthMountService({ context, store, forgetTokens: () => authenticator.forget() })
  const approle = new AppRoleService({ context, store })
  const lockout = new Lockout(() => context.now())
  const approleLogin = new AppRoleLogin({ context, store, tokens, lockout })
  const keys = new IssuerKeyCache(context, documentReader(parts.documents))
  const jwtLogin = new JwtLogin({ context, store, tokens, keys })
  return {
    mounts,
    approle,
    secretIds: new SecretIdService({ context, store, roles: approle }),
    approleLogin,
    jwt: new JwtService({ context, store, mounts, keys }),
    jwtLogin,
    oauth: new OAuthService({ store, authenticator, tokens, mounts, approle: approleLogin, jwt: jwtLogin, issuer }),
    forget: () => mounts.forget(),
  }
}
