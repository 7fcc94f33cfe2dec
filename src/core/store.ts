import type { CountedKind, NamespaceLimits } from './access/limits.ts'
import type { Head } from './audit/chain.ts'
import type { RestoreStore } from './backup/restore-store.ts'
import type { IdempotencyStore } from './idempotency.ts'
import type { KeyType } from './keys/types.ts'
import type { Protection, Purpose, WrappingKey } from './kms/provider.ts'
import type { SealStore } from './seal/seal-store.ts'

/**
 * What the core asks of a store. One write method is one atomic, durable change: when its promise resolves, the change survives a
 * loss of power; when it rejects, nothing changed. Reads may answer at once or later (SQLite does at once, a server will not).
 * Times are ms since 1970. Everything secret is handed in sealed.
 */
export type Awaitable<T> = T | Promise<T>

export interface NamespaceRow {
  id: string
  parentId: string | null
  path: string
  customMetadata: Record<string, string>
  createdAt: number
  /** Set while its last cloud keys are being removed: nobody can reach it any more. */
  deletedAt: number | null
}

export interface MountRow {
  id: string
  namespaceId: string
  path: string
  type: string
  accessor: string
  description: string
  config: Record<string, unknown>
  createdAt: number
}

export interface KeyRow {
  id: string
  namespaceId: string
  mountId: string
  name: string
  type: KeyType
  latestVersion: number
  minEnabledVersion: number
  deletionAllowed: boolean
  replicaRegions: string[] | null
  createdAt: number
}

export interface NewKeyVersion {
  publicKey: string | null
  box: Buffer
  createdAt: number
}

export interface KeyVersionRow extends NewKeyVersion {
  keyId: string
  version: number
}

export interface KmsRow {
  id: string
  namespaceId: string
  mountId: string
  name: string
  provider: string
  keyCollection: string
  settingsBox: Buffer
  credentialsGeneration: number
  createdAt: number
}

export interface CopyRow {
  id: string
  namespaceId: string
  mountId: string
  /** Null once a removal has outlived its request: then nothing here names the key or the KMS. */
  keyId: string | null
  kmsId: string | null
  collection: string
  remoteName: string
  protection: Protection
  purposes: Purpose[]
  options: CopyOptions
  desired: 'present' | 'absent'
  /** Counts changes of what should be; `seenGeneration` is the last one that was seen done (0: never delivered). */
  generation: number
  seenGeneration: number
  state: 'pending' | 'settled' | 'stopped'
  reason: string | null
  attempts: number
  nextAttemptAt: number
  distributedAt: number
  settingsBox: Buffer | null
  /** When a delete was first sent whose effect is not known; null: none is out. */
  deleteSentAt: number | null
  leaseOwner: string | null
  leaseUntil: number
  fence: number
}

/** What a caller may add to a distribution, beyond Vault. Times are seconds since 1970. */
export interface CopyOptions {
  tags?: Record<string, string>
  notBefore?: number
  expires?: number
  /** The remote name was the caller's choice: when it is taken, no other is tried. */
  nameChosen?: boolean
}

export interface CopyVersionRow {
  copyId: string
  version: number
  importId: string
  sentAt: number | null
  remoteVersion: string | null
  seenAt: number | null
  enabled: boolean | null
}

export type OperationKind = 'distribute' | 'rotate' | 'update' | 'remove'

export interface OperationRow {
  id: string
  namespaceId: string
  mountId: string
  copyId: string
  generation: number
  kind: OperationKind
  state: 'pending' | 'succeeded' | 'failed' | 'superseded'
  reason: string | null
  successor: string | null
  createdAt: number
  finishedAt: number | null
}

export interface TokenRow {
  id: string
  namespaceId: string
  accessor: string
  parentId: string | null
  type: 'service' | 'batch'
  displayName: string
  policies: string[]
  meta: Record<string, string>
  /** The path that it was made by: `auth/token/create`. */
  path: string
  /** The role that it was made with; '' for none. */
  role: string
  renewable: boolean
  /** Seconds; 0: none. */
  creationTtl: number
  explicitMaxTtl: number
  period: number
  /** What is left of them; 0: any number. */
  numUses: number
  boundCidrs: string[]
  createdAt: number
  renewedAt: number | null
  /** Null: never. */
  expiresAt: number | null
  /** The `exp` of its string: no renewal goes beyond. */
  outerBound: number
  digest: string | null
}

/** A role of a door: what tokens made through it are like. */
export interface RoleRow {
  id: string
  namespaceId: string
  /** `token`, or the id of an auth mount. */
  door: string
  name: string
  config: Record<string, unknown>
  roleId: string | null
  createdAt: number
}

/** A door other than tokens: what is at `auth/<path>` of a namespace. */
export interface AuthMountRow {
  id: string
  namespaceId: string
  /** With its final slash, without `auth/` before it: `approle/`. */
  path: string
  type: string
  accessor: string
  description: string
  /** Settings of the mount itself, as `sys/auth/<path>/tune` has them. */
  tune: Record<string, unknown>
  /** What `auth/<path>/config` holds: nothing secret. */
  config: Record<string, unknown>
  createdAt: number
}

/** A secret id of an AppRole; of the secret itself only a digest. */
export interface SecretIdRow {
  accessor: string
  namespaceId: string
  /** The row of the role, not its role id. */
  role: string
  digest: string
  meta: Record<string, string>
  /** Where it may be used from; [] is anywhere. */
  cidrs: string[]
  /** Where tokens made with it may be used from; [] is what the role says. */
  tokenCidrs: string[]
  /** Uses left; 0: any number. */
  numUses: number
  /** Seconds; 0: no end. */
  ttl: number
  createdAt: number
  expiresAt: number | null
}

export interface SigningKeyRow {
  kid: string
  algorithm: string
  publicJwk: Record<string, string>
  box: Buffer
  createdAt: number
  retiredAt: number | null
}

export interface DataKeyRow {
  id: string
  namespaceId: string
  rootId: string
  box: Buffer
  createdAt: number
}

/** A change of the desired side of copies, made in the same atomic change as what it is about. */
export interface Touched {
  copyId: string
  operationId: string
}

export interface MetaStore {
  get(name: string): Awaitable<string | undefined>
  /** First start: instance id, root key id, root namespace, its data key and signing key. Throws `already_exists` when done before. */
  initialise(first: {
    meta: Record<string, string>
    namespace: NamespaceRow
    dataKey: DataKeyRow
    signingKey: SigningKeyRow
    mount: MountRow
    token: TokenRow
  }): Promise<void>
}

export interface NamespaceStore {
  byPath(path: string): Awaitable<NamespaceRow | undefined>
  /** Also one that is being deleted. */
  byId(id: string): Awaitable<NamespaceRow | undefined>
  children(parentId: string): Awaitable<NamespaceRow[]>
  /** Throws `already_exists` when the path is taken, `not_found` when the parent is gone. */
  create(row: NamespaceRow, dataKey: DataKeyRow): Promise<void>
  /** `decide` is called inside the change with the metadata as it is then, and may throw to refuse. Throws `not_found` when it is gone. */
  setMetadata(
    id: string,
    decide: (customMetadata: Record<string, string>) => Record<string, string>,
  ): Promise<Record<string, string>>
  /** The copies of a namespace that still have a key and a KMS, with the settings of each. */
  attachedCopies(id: string): Awaitable<{ copy: CopyRow; kms: KmsRow }[]>
  /**
   * Deletes a namespace with all that is in it. `detached` holds sealed settings for each of its attached copies, whose removals go on;
   * where none is left, not a row remains. Throws `conflict` when it has children, or copies that are not in `detached`.
   */
  remove(id: string, detached: ReadonlyMap<string, Buffer>, operationIds: () => string, now: number): Promise<void>
  /** The newest first: that one seals, the others still open. */
  dataKeys(namespaceId: string): Awaitable<DataKeyRow[]>
}

export interface MountStore {
  list(namespaceId: string): Awaitable<MountRow[]>
  /** Throws `already_exists` when the path is taken, or is in front of or below one that is. */
  create(mount: MountRow): Promise<void>
  tune(
    namespaceId: string,
    id: string,
    change: { description?: string; config?: Record<string, unknown> },
  ): Promise<void>
  /** Gives a mount another path. Throws `not_found` when it is gone, `already_exists` as `create` does. */
  move(namespaceId: string, id: string, path: string): Promise<void>
  /** Removes the mount with its keys and KMSs. Gives the remote names of copies that are left in clouds. */
  remove(namespaceId: string, id: string): Promise<string[]>
}

export interface KeyStore {
  find(mountId: string, name: string): Awaitable<KeyRow | undefined>
  byId(id: string): Awaitable<KeyRow | undefined>
  /** Names in order; those after `after`, at most `limit`. */
  names(mountId: string, page?: { after?: string; limit?: number }): Awaitable<string[]>
  /** Versions from `from` up, in order. `box` is left out where only `public` is asked for. */
  versions(keyId: string, from: number): Awaitable<Omit<KeyVersionRow, 'box'>[]>
  version(keyId: string, version: number): Awaitable<KeyVersionRow | undefined>
  /** Throws `already_exists` when the name is taken, `not_found` when the mount is gone. */
  create(key: KeyRow, first: NewKeyVersion): Promise<void>
  /**
   * Adds the next version: `make` is called inside the change with its number and must not wait. Every copy that should be present
   * gets a new generation with an operation. Throws `not_found` when the key is gone.
   */
  addVersion(
    keyId: string,
    make: (version: number) => NewKeyVersion,
    now: number,
  ): Promise<{ version: number; touched: Touched[] }>
  /**
   * Changes settings. `decide` is called inside the change with the row as it is then, gives what should change, and may throw to
   * refuse. A new `minEnabledVersion` gives every copy a new generation with an operation.
   */
  update(
    keyId: string,
    decide: (key: KeyRow) => { deletionAllowed?: boolean; minEnabledVersion?: number },
    now: number,
  ): Promise<Touched[]>
  /** Deletes the key. `check` is called inside the change with the row and the number of its copies, and may throw to refuse. */
  remove(keyId: string, check: (key: KeyRow, copies: number) => void): Promise<void>
}

export interface KmsStore {
  find(mountId: string, name: string): Awaitable<KmsRow | undefined>
  byId(id: string): Awaitable<KmsRow | undefined>
  names(mountId: string, page?: { after?: string; limit?: number }): Awaitable<string[]>
  /** Throws `already_exists` when the name is taken, `not_found` when the mount is gone. */
  create(kms: KmsRow): Promise<void>
  replaceSettings(id: string, settingsBox: Buffer): Promise<void>
  remove(id: string, check: (copies: number) => void): Promise<void>
}

export interface WrappingKeyStore {
  current(collection: string): WrappingKey | undefined
  plan(row: { id: string; collection: string; name: string; createdAt: number }): Promise<WrappingKey>
  pin(id: string, keyId: string, fingerprint: string): Promise<WrappingKey>
  retire(id: string, reason: string): Promise<void>
}

/**
 * What every change of a leased copy names. Without the current fence it changes nothing and throws `conflict`. Where `generation` is
 * no longer the copy's, what should be was changed meanwhile: a refusal or a delay of the old says nothing of the new, which is due at once.
 */
export interface Lease {
  copyId: string
  fence: number
  generation: number
}

export interface CopyStore {
  byId(id: string): Awaitable<CopyRow | undefined>
  find(keyId: string, kmsId: string): Awaitable<CopyRow | undefined>
  versions(copyId: string): Awaitable<CopyVersionRow[]>
  /** Names of the KMSs that have (or should have) a key, in order. */
  kmsNames(keyId: string): Awaitable<string[]>
  keyNames(kmsId: string): Awaitable<string[]>
  /** Whether the KMS has a copy that was seen done. */
  anyDelivered(kmsId: string): Awaitable<boolean>
  /** Ids of pending copies whose next attempt is due and that nobody leases. */
  due(now: number, limit: number): Awaitable<string[]>
  /**
   * Records a distribution, with one row a version of the key as it is then, and its operation; reserves the remote name. Where
   * the key is in the KMS already, gives that copy and its unfinished operation, if any. Throws `not_found` when key or KMS is gone,
   * `conflict` when the remote name is reserved by another.
   */
  create(copy: CopyRow, operationId: string): Promise<{ copy: CopyRow; touched: Touched | undefined }>
  /** Takes the lease when it is free (or run out); undefined when somebody else has it, the copy is gone, or copies are held. */
  lease(copyId: string, owner: string, now: number, until: number): Promise<CopyRow | undefined>
  extend(lease: Lease, until: number): Promise<void>
  release(lease: Lease): Promise<void>
  rename(lease: Lease, remoteName: string): Promise<void>
  sent(lease: Lease, version: number, at: number): Promise<void>
  /** The import certainly had no effect: none is out any more. */
  notSent(lease: Lease, version: number): Promise<void>
  /** A delete is about to be sent (`at`), or certainly had no effect (null). */
  deleteSent(lease: Lease, at: number | null): Promise<void>
  seen(lease: Lease, version: number, seen: { remoteVersion?: string; at?: number; enabled: boolean }): Promise<void>
  /** The lease's generation was seen done: its operations and older ones end, and the lease with them. */
  settle(lease: Lease, now: number): Promise<void>
  /** To be taken up again later. `failed` counts for the back-off; waiting for a time to come does not. Ends the lease. */
  postpone(lease: Lease, reason: string, nextAttemptAt: number, failed: boolean): Promise<void>
  /** Refused for good: operations end as failed, nothing is tried until something changes. */
  stop(lease: Lease, reason: string, now: number): Promise<void>
  /** The copy should be gone. Gives the operation, the existing one when a removal is under way. */
  requestRemoval(copyId: string, operationId: string, now: number): Promise<Touched>
  /**
   * A removal was refused. Where key and KMS are still known, the copy is what it was before, to be looked at once more: a version may
   * have been on its way. Where they are not, or an earlier delete may have had its effect, it is tried again at `again`, for ever, and
   * a delivery that waits for it ends as failed.
   */
  refuseRemoval(lease: Lease, reason: string, now: number, again: number): Promise<void>
  /** The removal goes on without key and KMS, with settings of its own. */
  detach(copyId: string, settingsBox: Buffer): Promise<void>
  /**
   * A first delivery was refused while its caller waits: key and KMS are let go at once, and the copy turns into a removal with
   * settings of its own (or is forgotten, where nothing was ever sent). Its operation fails with the reason once nothing is left.
   * Ends the lease.
   */
  giveUp(lease: Lease, reason: string, settingsBox: Buffer, now: number): Promise<void>
  /** Nothing is there any more: forgets the copy with its name; its operations end. */
  drop(lease: Lease, now: number): Promise<void>
}

export interface OperationStore {
  byId(namespaceId: string, id: string): Awaitable<OperationRow | undefined>
  /** Forgets at most `limit` of those that ended before a time, the oldest first. Gives how many. */
  prune(endedBefore: number, limit: number): Promise<number>
}

export interface TokenStore {
  byId(id: string): Awaitable<TokenRow | undefined>
  byDigest(digest: string): Awaitable<TokenRow | undefined>
  byAccessor(namespaceId: string, accessor: string): Awaitable<TokenRow | undefined>
  accessors(namespaceId: string): Awaitable<string[]>
  count(namespaceId: string): Awaitable<number>
  /** Throws `denied` when the parent is gone or has expired meanwhile. */
  create(token: TokenRow): Promise<void>
  /** Changes the end of a token's life; `decide` is called inside the change. Throws `not_found` when it is gone. */
  renew(id: string, decide: (token: TokenRow) => { expiresAt: number | null }, now: number): Promise<TokenRow>
  /** Takes one of the uses of a token that has a number of them; at the last one it is revoked. False: there was none left. */
  use(id: string): Promise<boolean>
  /** Revokes a token; its children with it, or they become orphans. False: it was gone. */
  revoke(id: string, children: 'revoke' | 'orphan'): Promise<boolean>
  /** Revokes what has expired, with its children, at most `limit`. Gives how many. */
  expire(now: number, limit: number): Promise<number>
  /** Removes every token that was made by `initialise` or by dev mode with this path, before a new one is put in its place. */
  replace(path: string, token: TokenRow): Promise<void>
  /** The newest first. */
  signingKeys(): Awaitable<SigningKeyRow[]>
  /** `check` is called inside the change with those that are there, and may throw; of these, who does not yet know retires at `retireAt`. */
  addSigningKey(row: SigningKeyRow, retireAt: number, check: (rows: SigningKeyRow[]) => void): Promise<void>
  /** Forgets those that have retired before a time. Gives how many. */
  forgetSigningKeys(retiredBefore: number): Promise<number>
}

export interface PolicyStore {
  get(namespaceId: string, name: string): Awaitable<string | undefined>
  names(namespaceId: string): Awaitable<string[]>
  put(namespaceId: string, name: string, rules: string): Promise<void>
  remove(namespaceId: string, name: string): Promise<void>
}

export interface RoleStore {
  find(namespaceId: string, door: string, name: string): Awaitable<RoleRow | undefined>
  byRoleId(roleId: string): Awaitable<RoleRow | undefined>
  names(namespaceId: string, door: string): Awaitable<string[]>
  /** Makes or replaces the role of that name; `id` and `createdAt` of an existing one stay. Throws `conflict` for a taken role id. */
  put(role: RoleRow): Promise<void>
  /**
   * The same, where what it becomes depends on what it is: `decide` is called inside the change with the role as it is then, and may
   * throw to refuse.
   */
  change(namespaceId: string, door: string, name: string, decide: (role: RoleRow | undefined) => RoleRow): Promise<void>
  /** With its secret ids. */
  remove(namespaceId: string, door: string, name: string): Promise<void>
}

/** An answer that waits to be unwrapped once. */
export interface WrappedRow {
  id: string
  namespaceId: string
  accessor: string
  creationPath: string
  box: Buffer
  /** Seconds. */
  ttl: number
  createdAt: number
  expiresAt: number
}

export interface WrappedStore {
  byId(id: string): Awaitable<WrappedRow | undefined>
  create(row: WrappedRow): Promise<void>
  /** Takes it away: of any number of callers, in any process, one gets it. */
  take(id: string): Promise<WrappedRow | undefined>
  expire(now: number, limit: number): Promise<number>
}

/** A rate limit of a namespace. */
export interface RateLimitRow {
  namespaceId: string
  name: string
  /** Path under the namespace that it is for; '' is all of it. */
  path: string
  /** Requests in an interval. */
  rate: number
  /** Seconds. */
  interval: number
  /** Seconds during which somebody who went over is refused; 0: none. */
  blockInterval: number
  role: string
}

export interface RateLimitStore {
  list(namespaceId: string): Awaitable<RateLimitRow[]>
  all(): Awaitable<RateLimitRow[]>
  put(row: RateLimitRow): Promise<void>
  remove(namespaceId: string, name: string): Promise<void>
}

export interface AuthMountStore {
  /** In order of their paths. */
  list(namespaceId: string): Awaitable<AuthMountRow[]>
  byId(id: string): Awaitable<AuthMountRow | undefined>
  /** Throws `already_exists` when the path is taken, or is in front of or below one that is. */
  create(mount: AuthMountRow): Promise<void>
  /** `decide` is called inside the change with the mount as it is then. Throws `not_found` when it is gone. */
  change(
    namespaceId: string,
    id: string,
    decide: (mount: AuthMountRow) => Partial<Pick<AuthMountRow, 'description' | 'tune' | 'config'>>,
  ): Promise<void>
  /** Removes the mount with its roles and secret ids, and revokes the tokens made through it (their `path`), with their children. */
  remove(namespaceId: string, id: string, tokenPath: string): Promise<void>
}

export interface SecretIdStore {
  find(role: string, digest: string): Awaitable<SecretIdRow | undefined>
  byAccessor(role: string, accessor: string): Awaitable<SecretIdRow | undefined>
  accessors(role: string): Awaitable<string[]>
  /** Throws `not_found` when the role is gone, `already_exists` when the role has a secret id of this digest. */
  create(secretId: SecretIdRow): Promise<void>
  /**
   * Takes one use of a secret id, and forgets it at the last one. `check` is called inside the change, and may refuse: then no use is
   * taken. Gives the row as it was; undefined when there is none, it has run out, or was refused.
   */
  use(
    role: string,
    digest: string,
    now: number,
    check: (secretId: SecretIdRow) => boolean,
  ): Promise<SecretIdRow | undefined>
  /** False: it was gone. */
  remove(role: string, accessor: string): Promise<boolean>
  /** Forgets those that have run out, at most `limit`. Gives how many. */
  expire(now: number, limit: number): Promise<number>
}

export interface UsageStore {
  /** From now on, changes of this process that go beyond these are refused with `too_many`, whatever asks for them. */
  limit(limits: NamespaceLimits): void
  /** How much a namespace has of each kind; what is not named it never had. */
  of(namespaceId: string): Awaitable<Partial<Record<CountedKind, number>>>
}

export interface AuditStore {
  /** The instance's audit secret, sealed; at the first call what `make` gives is kept. */
  secret(make: () => Buffer): Promise<Buffer>
  /** Where the chains of a sink got to. */
  heads(sink: string): Awaitable<Head[]>
  keepHeads(heads: readonly Head[], now: number): Promise<void>
}

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
  copies: CopyStore
  operations: OperationStore
  tokens: TokenStore
  /** True when another process has committed since the last call: caches are then worth nothing. Cheap enough for every request. */
  changedElsewhere(): boolean
  /** A number that differs whenever something in the mount may have changed: what was computed under the same one is still right. */
  stamp(mountId: string): number
  close(): void
}
