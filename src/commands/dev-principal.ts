import { randomBytes, randomUUID } from 'node:crypto'

/** Names of the emulator's two vaults: one that takes keys into its HSM, one that takes software keys alone. */
export const premiumVault = 'keyferry-premium'
export const standardVault = 'keyferry-standard'

/** Who may use the emulator's vaults. Kept in a dev folder, so that what was written into a KMS works after a restart too. */
export interface DevPrincipal {
  tenantId: string
  clientId: string
  clientSecret: string
}

export function newDevPrincipal(): DevPrincipal {
  return { tenantId: randomUUID(), clientId: randomUUID(), clientSecret: randomBytes(24).toString('base64url') }
}
