import { timingSafeEqual } from 'node:crypto'
import { KeyferryError } from '../../../errors.ts'
import type { AuthMountRow, RoleRow, RoleStore, SecretIdRow, SecretIdStore } from '../../../store.ts'
import { inCidrs } from '../../cidrs.ts'
import type { Issued } from '../../tokens.ts'
import type { Lockout } from '../lockout.ts'
import { issueLogin, type LoginParts } from '../login.ts'
import { type AppRole, appRoleOf } from './role.ts'
import { secretDigest } from './secret-ids.ts'

export interface AppRoleLoginParts extends LoginParts {
  store: LoginParts['store'] & { roles: RoleStore; secretIds: SecretIdStore }
  lockout: Lockout
}

/** What somebody logs in with. */
export interface AppRoleCredentials {
  roleId: string
  secretId: string
  remoteAddress?: string
}

/** A role whose credentials were found good. */
export interface AppRoleClient {
  mount: AuthMountRow
  row: RoleRow
  role: AppRole
  secretId: SecretIdRow | undefined
}

/** Stands in for a role that does not exist, so that the same work is done for it. */
const nobody = 'no role'
const mostCharacters = 4096

/** Logs in by role id and secret id; as an OAuth client, where the role id is the client id. */
export class AppRoleLogin {
  readonly #parts: AppRoleLoginParts

  constructor(parts: AppRoleLoginParts) {
    this.#parts = parts
  }

  /**
   * Makes a token. `mount`: the door at which somebody stands, or the namespace, where the role id leads to the mount. Throws `invalid`
   * in the same words whether role id or secret is wrong, used up or from the wrong address, or the role is locked out.
   */
  async login(
    at: AuthMountRow | { namespaceId: string },
    credentials: AppRoleCredentials,
    scope?: readonly string[],
  ): Promise<Issued> {
    const { mount, row, role, secretId } = await this.authenticate(at, credentials)
    return await issueLogin(this.#parts, mount, role.token, {
      displayName: mount.path.slice(0, -1),
      meta: { ...secretId?.meta, role_name: row.name },
      ...(secretId ? { boundCidrs: secretId.tokenCidrs } : {}),
      ...(scope ? { scope } : {}),
    })
  }

  /** Finds out whose credentials these are, and takes a use of the secret id. Throws as `login` does. */
  async authenticate(
    at: AuthMountRow | { namespaceId: string },
    credentials: AppRoleCredentials,
  ): Promise<AppRoleClient> {
    const { store, lockout, context } = this.#parts
    const { roleId, secretId, remoteAddress } = credentials
    if (roleId.length > mostCharacters || secretId.length > mostCharacters) throw refused()
    const found = await store.roles.byRoleId(roleId)
    const here = found?.namespaceId === at.namespaceId && (!('id' in at) || found.door === at.id)
    const row = here ? found : undefined
    const owner = row?.id ?? nobody
    const digest = secretDigest(owner, secretId)
    const secret = await store.secretIds.find(owner, digest)
    const mount = await store.authMounts.byId(row?.door ?? nobody)
    const role = appRoleOf(row)
    if (!row || mount?.namespaceId !== at.namespaceId || mount.type !== 'approle') throw refused()
    if (role.bindSecretId && !this.#isGood(secret, digest)) {
      if (lockout.wrong(row.id)) {
        context.log('warn', 'an AppRole is locked out after wrong secret ids', {
          namespace: row.namespaceId,
          mount: mount.path,
          role: row.name,
        })
      }
      throw refused()
    }
    // The lock is looked at last of all: of many guesses at once, none gets in after the fifth wrong one.
    const allowed = (secretRow: SecretIdRow | undefined) =>
      !lockout.locked(row.id) &&
      [role.secretIdBoundCidrs, role.token.boundCidrs, secretRow?.cidrs ?? []].every((cidrs) =>
        inCidrs(cidrs, remoteAddress),
      )
    const used = await this.#use(role.bindSecretId ? secret : undefined, allowed)
    if (used === 'refused') throw refused()
    lockout.clear(row.id)
    return { mount, row, role, secretId: used }
  }

  #isGood(secret: SecretIdRow | undefined, digest: string): secret is SecretIdRow {
    if (!secret || !timingSafeEqual(Buffer.from(secret.digest), Buffer.from(digest))) return false
    return secret.expiresAt === null || secret.expiresAt > this.#parts.context.now()
  }

  /** Uses are counted in the store, so that of many at once no more succeed than there are uses. */
  async #use(
    secret: SecretIdRow | undefined,
    check: (secret: SecretIdRow | undefined) => boolean,
  ): Promise<SecretIdRow | undefined | 'refused'> {
    if (!secret || secret.numUses === 0) return check(secret) ? secret : 'refused'
    const { store, context } = this.#parts
    return (await store.secretIds.use(secret.role, secret.digest, context.now(), check)) ?? 'refused'
  }
}

function refused(): KeyferryError {
  return new KeyferryError('invalid', 'invalid role or secret ID')
}
