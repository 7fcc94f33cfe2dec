import type { Context } from '../../../context.ts'
import { KeyferryError } from '../../../errors.ts'
import { checkName } from '../../../names.ts'
import type { AuthMountRow, RoleRow, RoleStore } from '../../../store.ts'
import { type AppRole, type AppRoleInput, appRoleOf, checkRoleId, withAppRole } from './role.ts'

export interface AppRoleServiceParts {
  context: Context
  store: { roles: RoleStore }
}

/** The roles of AppRole mounts. Names do not tell upper from lower case, as in Vault. */
export class AppRoleService {
  readonly #parts: AppRoleServiceParts

  constructor(parts: AppRoleServiceParts) {
    this.#parts = parts
  }

  async names(mount: AuthMountRow): Promise<string[]> {
    return await this.#parts.store.roles.names(mount.namespaceId, mount.id)
  }

  /** Undefined when there is none. */
  async find(mount: AuthMountRow, name: string): Promise<{ row: RoleRow; role: AppRole } | undefined> {
    const row = await this.#parts.store.roles.find(mount.namespaceId, mount.id, roleName(name))
    return row && { row, role: appRoleOf(row) }
  }

  /** Throws `not_found`. */
  async get(mount: AuthMountRow, name: string): Promise<{ row: RoleRow; role: AppRole }> {
    const found = await this.find(mount, name)
    if (!found) throw new KeyferryError('not_found', `role "${roleName(name)}" does not exist`)
    return found
  }

  /** Makes a role, or changes what is given of one. Throws `invalid` naming the field, `conflict` for a role id that is taken. */
  async write(mount: AuthMountRow, name: string, input: AppRoleInput): Promise<void> {
    const { context, store } = this.#parts
    const wanted = roleName(name)
    if (input.roleId !== undefined) checkRoleId(input.roleId)
    await store.roles.change(mount.namespaceId, mount.id, wanted, (now) => ({
      id: now?.id ?? context.uuid(),
      namespaceId: mount.namespaceId,
      door: mount.id,
      name: wanted,
      config: { ...withAppRole(appRoleOf(now), input) },
      roleId: input.roleId ?? now?.roleId ?? context.uuid(),
      createdAt: now?.createdAt ?? context.now(),
    }))
  }

  /** Gives a role another role id. Throws `not_found`, `invalid`, `conflict`. */
  async setRoleId(mount: AuthMountRow, name: string, roleId: string): Promise<void> {
    checkRoleId(roleId)
    const { row } = await this.get(mount, name)
    await this.#parts.store.roles.change(mount.namespaceId, mount.id, row.name, (now) => {
      if (!now) throw new KeyferryError('not_found', `role "${row.name}" does not exist`)
      return { ...now, roleId }
    })
  }

  /** With its secret ids; tokens that were made live on, as in Vault. What is not there is no error. */
  async delete(mount: AuthMountRow, name: string): Promise<void> {
    await this.#parts.store.roles.remove(mount.namespaceId, mount.id, roleName(name))
  }
}

function roleName(name: string): string {
  return checkName('role', name).toLowerCase()
}
