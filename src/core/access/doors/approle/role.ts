import { invalid } from '../../../errors.ts'
import type { RoleRow } from '../../../store.ts'
import { checkCidrs } from '../../cidrs.ts'
import { noTokenSettings, type TokenSettings, type TokenSettingsInput, withTokenSettings } from '../token-settings.ts'

/** An AppRole. Durations in seconds; 0 is "no limit". */
export interface AppRole {
  bindSecretId: boolean
  /** Where a login may come from; [] is anywhere. */
  secretIdBoundCidrs: string[]
  secretIdNumUses: number
  secretIdTtl: number
  token: TokenSettings
}

/** What a write of a role may say. */
export interface AppRoleInput extends Partial<Omit<AppRole, 'token'>> {
  roleId?: string
  token?: TokenSettingsInput
}

const noAppRole: AppRole = {
  bindSecretId: true,
  secretIdBoundCidrs: [],
  secretIdNumUses: 0,
  secretIdTtl: 0,
  token: noTokenSettings,
}

/** What a row says, with Vault's defaults for what it does not. */
export function appRoleOf(row: RoleRow | undefined): AppRole {
  const stored = (row?.config ?? {}) as Partial<AppRole>
  return { ...noAppRole, ...stored, token: { ...noTokenSettings, ...stored.token } }
}

/** A role with what came in put over it. Throws `invalid` naming the field. */
export function withAppRole(now: AppRole, { roleId: _, token, ...input }: AppRoleInput): AppRole {
  const role: AppRole = { ...now, ...input, token: withTokenSettings(now.token, token ?? {}) }
  role.secretIdBoundCidrs = checkCidrs('secret_id_bound_cidrs', role.secretIdBoundCidrs)
  checkCount('secret_id_num_uses', role.secretIdNumUses)
  if (!role.bindSecretId && role.secretIdBoundCidrs.length === 0 && role.token.boundCidrs.length === 0) {
    throw invalid(
      'at least one constraint should be enabled on the role: bind_secret_id, secret_id_bound_cidrs or token_bound_cidrs',
    )
  }
  return role
}

export function checkCount(field: string, count: number): void {
  if (Number.isSafeInteger(count) && count >= 0 && count <= 1e9) return
  throw invalid(`${field}: allowed are 0 (no limit) to 1000000000`)
}

/** A role id of one's own choice. Throws `invalid`. */
export function checkRoleId(roleId: string): string {
  if (/^[\x21-\x7e]{1,256}$/.test(roleId)) return roleId
  throw invalid('role_id: allowed are 1 to 256 visible ASCII characters')
}
