import { forbidden, type ServiceError } from './errors.ts'
import type { Permission } from './specs.ts'
import type { EmulatorState } from './state.ts'
import type { TokenClaims } from './tokens.ts'
import type { Vault } from './vault.ts'

const location = 'westeurope'

/** The data actions of role-based access, which the service names in place of permissions. */
const vaultActions: Readonly<Record<Permission, string>> = {
  backup: 'keys/backup/action',
  create: 'keys/create/action',
  decrypt: 'keys/decrypt/action',
  delete: 'keys/delete',
  encrypt: 'keys/encrypt/action',
  get: 'keys/read',
  import: 'keys/import/action',
  list: 'keys/read',
  purge: 'keys/purge/action',
  recover: 'keys/recover/action',
  release: 'keys/release/action',
  restore: 'keys/restore/action',
  rotate: 'keys/rotate/action',
  sign: 'keys/sign/action',
  unwrapKey: 'keys/unwrap/action',
  update: 'keys/update/action',
  verify: 'keys/verify/action',
  wrapKey: 'keys/wrap/action',
}

/** A Managed HSM has its own roles and actions (Azure: local RBAC built-in roles). */
const managedHsmActions: Readonly<Partial<Record<Permission, string>>> = {
  create: 'keys/create',
  get: 'keys/read/action',
  list: 'keys/read/action',
  update: 'keys/write/action',
  purge: 'keys/deletedKeys/delete',
  recover: 'keys/deletedKeys/recover/action',
}

const caller = (claims: TokenClaims) =>
  `appid=${claims.clientId};oid=${claims.objectId};iss=https://sts.windows.net/${claims.tenantId}/`

/** The three forms of a 403 for a missing permission: access policy, role assignment, Managed HSM role. */
function denied(vault: Vault, claims: TokenClaims, permission: Permission, path: string): ServiceError {
  if (vault.isManagedHsm) {
    const action = `Microsoft.KeyVault/managedHsm/${managedHsmActions[permission] ?? vaultActions[permission]}`
    return forbidden(
      `Not authorized to perform the operation. Caller: ${caller(claims)}; action: ${action}; resource: ${path}.`,
      'ForbiddenByRbac',
    )
  }
  if (vault.spec.authorization === 'rbac') {
    return forbidden(
      'Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions ' +
        `were changed recently, please observe propagation time.\r\nCaller: ${caller(claims)}\r\n` +
        `Action: 'Microsoft.KeyVault/vaults/${vaultActions[permission]}'\r\n` +
        `Resource: '/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/emulator/providers/` +
        `microsoft.keyvault/vaults/${vault.name}${path.replace(/\/$/, '')}'\r\nAssignment: (not found)\r\n` +
        `DenyAssignmentId: null\r\nDecisionReason: null\r\nVault: ${vault.name};location=${location}\r\n`,
      'ForbiddenByRbac',
    )
  }
  return forbidden(
    `The user, group or application '${caller(claims)}' does not have keys ${permission} permission on key vault ` +
      `'${vault.name};location=${location}'. For help resolving this issue, please see ` +
      'https://go.microsoft.com/fwlink/?linkid=2125287',
    'AccessDenied',
  )
}

/**
 * Lets a caller pass who holds `permission` in this vault.
 *
 * @throws {ServiceError} 403 that names the permission or the action
 */
export function authorize(
  state: EmulatorState,
  vault: Vault,
  claims: TokenClaims,
  permission: Permission,
  path: string,
): void {
  const principal = state.directory.find(claims.tenantId, claims.clientId)
  const allowed =
    principal !== undefined &&
    (principal.vaults?.includes(vault.name) ?? true) &&
    (principal.permissions?.includes(permission) ?? true)
  if (!allowed) throw denied(vault, claims, permission, path)
}

/** @throws {ServiceError} 403 for every caller of a vault behind a closed firewall */
export function checkFirewall(vault: Vault, claims: TokenClaims): void {
  if (!vault.spec.firewall) return
  throw forbidden(
    'Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1\r\n' +
      `Caller: ${caller(claims)}\r\nVault: ${vault.name};location=${location}`,
    'ForbiddenByFirewall',
  )
}
