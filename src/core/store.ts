import type { RestoreStore } from './backup/restore-store.ts'
import type { IdempotencyStore } from './idempotency.ts'
import type { SealStore } from './seal/seal-store.ts'
import type { CopyStore, OperationStore } from './store/copies.ts'
import type { FigureStore } from './store/figures.ts'
import type { KeyStore, KmsStore, WrappingKeyStore } from './store/keys.ts'
import type { LookStore } from './store/looks.ts'
import type { ProcessStore } from './store/processes.ts'
import type {
  AuditStore,
  MetaStore,
  MountStore,
  NamespaceStore,
  PolicyStore,
  RateLimitStore,
  UsageStore,
} from './store/tenants.ts'
import type { AuthMountStore, RoleStore, SecretIdStore, TokenStore, WrappedStore } from './store/tokens.ts'

export type * from './store/awaitable.ts'
export type * from './store/copies.ts'
export type * from './store/figures.ts'
export type * from './store/keys.ts'
export type * from './store/looks.ts'
export type * from './store/processes.ts'
export type * from './store/tenants.ts'
export type * from './store/tokens.ts'

/**
 * What the core asks of a store. One write method is one atomic, durable change: when its promise resolves, the change survives a
 * loss of power; when it rejects, nothing changed. Reads may answer at once or later (SQLite does at once, a server will not).
 * Times are ms since 1970. Everything secret is handed in sealed.
 */
export interface Store {
  usage: UsageStore
  idempotency: IdempotencyStore
  audit: AuditStore
  seal: SealStore
  restore: RestoreStore
  authMounts: AuthMountStore
  secretIds: SecretIdStore
  wrapped: WrappedStore
  rateLimits: RateLimitStore
  policies: PolicyStore
  roles: RoleStore
  meta: MetaStore
  namespaces: NamespaceStore
  mounts: MountStore
  keys: KeyStore
  kms: KmsStore
  wrappingKeys: WrappingKeyStore
  processes: ProcessStore
  copies: CopyStore
  operations: OperationStore
  looks: LookStore
  figures: FigureStore
  tokens: TokenStore
  /** True when another process has committed since the last call: caches are then worth nothing. Cheap enough for every request. */
  changedElsewhere(): boolean
  /** A number that differs whenever something in the mount may have changed: what was computed under the same one is still right. */
  stamp(mountId: string): number
  close(): void
}
