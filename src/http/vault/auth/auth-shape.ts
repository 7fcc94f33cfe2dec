import type { TokenRow } from '../../../core/store.ts'

/** A token that was just made or renewed, as Vault's envelope has it under `auth`. `now`: ms since 1970. */
export function authShape(token: string, row: TokenRow, now: number): Record<string, unknown> {
  return {
    client_token: token,
    accessor: row.accessor,
    policies: row.policies,
    token_policies: row.policies,
    metadata: Object.keys(row.meta).length === 0 ? null : row.meta,
    lease_duration: row.expiresAt === null ? 0 : Math.max(0, Math.ceil((row.expiresAt - now) / 1000)),
    renewable: row.renewable,
    entity_id: '',
    token_type: row.type,
    orphan: row.parentId === null,
    mfa_requirement: null,
    num_uses: row.numUses,
  }
}
