import { randomUUID } from 'node:crypto'
import { allPermissions, type Permission, type PrincipalSpec, parseSpec, principalSpec } from './specs.ts'

type Parsed = ReturnType<typeof principalSpec.parse>

/** A principal of the directory. What it may do can change at any time; `undefined` means everything. */
export interface Principal extends Omit<Parsed, 'objectId'> {
  readonly objectId: string
  permissions: Permission[] | undefined
  vaults: string[] | undefined
}

/** The service principals and managed identities that the token authority knows. */
export class Directory {
  readonly principals: Principal[] = []

  /**
   * Adds a principal, or replaces the one with the same tenant and client id.
   *
   * @throws {TypeError} for a wrong spec
   */
  add(spec: PrincipalSpec): Principal {
    const parsed = parseSpec('principal', principalSpec, spec)
    const principal: Principal = {
      ...parsed,
      objectId: parsed.objectId ?? randomUUID(),
      permissions: parsed.permissions,
      vaults: parsed.vaults?.map((name) => name.toLowerCase()),
    }
    const index = this.principals.findIndex((other) => same(other, principal.tenantId, principal.clientId))
    if (index >= 0) this.principals[index] = principal
    else this.principals.push(principal)
    return principal
  }

  find(tenantId: string, clientId: string): Principal | undefined {
    return this.principals.find((principal) => same(principal, tenantId, clientId))
  }

  hasTenant(tenantId: string): boolean {
    return this.principals.some((principal) => equal(principal.tenantId, tenantId))
  }

  /**
   * Changes what every principal with this client id may do; `null` means everything, an absent `vaults` leaves them as they are.
   *
   * @throws {TypeError} when there is none, or a permission does not exist
   */
  restrict(clientId: string, permissions: readonly Permission[] | null, vaults?: readonly string[] | null): void {
    const unknown = permissions?.filter((permission) => !allPermissions.includes(permission)) ?? []
    if (unknown.length > 0) {
      throw new TypeError(`Not a permission: ${unknown.join(', ')}. There are ${allPermissions.join(', ')}.`)
    }
    const found = this.principals.filter((principal) => equal(principal.clientId, clientId))
    if (found.length === 0) throw new TypeError(`There is no principal with client id ${clientId}.`)
    for (const principal of found) {
      principal.permissions = permissions === null ? undefined : [...permissions]
      if (vaults !== undefined) principal.vaults = vaults?.map((name) => name.toLowerCase())
    }
  }
}

const equal = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()

function same(principal: Principal, tenantId: string, clientId: string): boolean {
  return equal(principal.tenantId, tenantId) && equal(principal.clientId, clientId)
}
