import type { Directory } from './directory.ts'
import type { Faults } from './faults.ts'
import type { RsaKeyPairs } from './key-material.ts'
import type { RequestLog } from './request-log.ts'
import type { Throttle } from './throttle.ts'
import type { TokenIssuer } from './tokens.ts'
import type { Vault } from './vault.ts'

/** Everything that an emulator holds. The library object, the admin API and the served APIs all work on this. */
export interface EmulatorState {
  readonly directory: Directory
  /** By host name. */
  readonly vaults: ReadonlyMap<string, Vault>
  readonly faults: Faults
  readonly throttle: Throttle
  readonly log: RequestLog
  readonly tokens: TokenIssuer
  readonly tokenLifetimeSeconds: number
  readonly rsaKeyPairs: RsaKeyPairs | undefined
  /** The emulator's clock in ms, which `advanceClock` moves. */
  now(): number
  /** The clock before it was moved: what the clients' clocks say, by which their assertions are judged. */
  clientNow(): number
}
