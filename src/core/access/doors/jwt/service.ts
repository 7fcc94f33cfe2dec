import type { Context } from '../../../context.ts'
import { invalid, KeyferryError } from '../../../errors.ts'
import { checkName } from '../../../names.ts'
import type { AuthMountRow, RoleStore } from '../../../store.ts'
import type { AuthMountService } from '../auth-mounts.ts'
import { DocumentError } from '../documents.ts'
import { checkJwtConfig, type JwtConfig, jwtConfigOf } from './config.ts'
import type { IssuerKeyCache } from './issuer-keys.ts'
import { type JwtRole, type JwtRoleInput, jwtRoleOf, withJwtRole } from './role.ts'

export interface JwtServiceParts {
  context: Context
  store: { roles: RoleStore }
  mounts: AuthMountService
  keys: IssuerKeyCache
}

/** What JWT mounts are configured for, and their roles. */
export class JwtService {
  readonly #parts: JwtServiceParts

  constructor(parts: JwtServiceParts) {
    this.#parts = parts
  }

  config(mount: AuthMountRow): JwtConfig | undefined {
    return jwtConfigOf(mount.config)
  }

  /** Replaces the configuration, once the keys that it names could be read. Throws `invalid` naming the field. */
  async configure(mount: AuthMountRow, input: Partial<JwtConfig>): Promise<void> {
    const { mounts, keys } = this.#parts
    const config = checkJwtConfig(input)
    try {
      await keys.check(mount.namespaceId, config)
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error
      const field = config.jwksUrl === '' ? 'oidc_discovery_url' : 'jwks_url'
      throw new KeyferryError('invalid', `${field}: ${error.message}`, { cause: error })
    }
    await mounts.configure(mount, { ...config })
    keys.forget(mount.id)
  }

  async names(mount: AuthMountRow): Promise<string[]> {
    return await this.#parts.store.roles.names(mount.namespaceId, mount.id)
  }

  /** Undefined when there is none. */
  async find(mount: AuthMountRow, name: string): Promise<JwtRole | undefined> {
    const row = await this.#parts.store.roles.find(mount.namespaceId, mount.id, checkName('role', name))
    return row && jwtRoleOf(row)
  }

  /** Makes a role, or changes what is given of one. Throws `invalid` naming the field. */
  async write(mount: AuthMountRow, name: string, input: JwtRoleInput): Promise<void> {
    const { context, store } = this.#parts
    checkName('role', name)
    if (jwtConfigOf(mount.config) === undefined) {
      throw invalid(`could not load configuration: write auth/${mount.path}config first`)
    }
    await store.roles.change(mount.namespaceId, mount.id, name, (now) => ({
      id: now?.id ?? context.uuid(),
      namespaceId: mount.namespaceId,
      door: mount.id,
      name,
      config: { ...withJwtRole(jwtRoleOf(now), input) },
      roleId: null,
      createdAt: now?.createdAt ?? context.now(),
    }))
  }

  /** Tokens that were made live on, as in Vault. What is not there is no error. */
  async delete(mount: AuthMountRow, name: string): Promise<void> {
    await this.#parts.store.roles.remove(mount.namespaceId, mount.id, checkName('role', name))
  }
}
