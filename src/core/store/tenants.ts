import type { CountedKind, NamespaceLimits } from '../access/limits.ts'
import type { Head } from '../audit/chain.ts'
import type { Awaitable } from './awaitable.ts'
import type { CopyRow } from './copies.ts'
import type { KmsRow } from './keys.ts'
import type { SigningKeyRow, TokenRow } from './tokens.ts'

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

export interface DataKeyRow {
  id: string
  namespaceId: string
  rootId: string
  box: Buffer
  createdAt: number
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

/** A copy that has a key and a KMS. */
export interface AttachedCopy {
  copy: CopyRow
  kms: KmsRow
}

/** Copies whose removals go on without their keys and KMSs. */
export interface Detached {
  /** Id of the copy -> the settings that its removal needs, sealed for it. */
  settings: ReadonlyMap<string, Buffer>
  operationIds: () => string
  now: number
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
  /** The copies of a namespace that still have a key and a KMS. */
  attachedCopies(id: string): Awaitable<AttachedCopy[]>
  /**
   * Deletes a namespace with all that is in it. `detached` is of its attached copies, whose removals go on; where none is left, not a row
   * remains. Throws `conflict` when it has children, or attached copies that are not in `detached`.
   */
  remove(id: string, detached: Detached): Promise<void>
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
  /** The copies of a mount that still have a key and a KMS. */
  attachedCopies(namespaceId: string, id: string): Awaitable<AttachedCopy[]>
  /**
   * Removes the mount with its keys and KMSs. Gives the remote names of copies that are left in clouds: with `detached`, whose removals go
   * on, there are none, and it throws `conflict` when the mount has attached copies that are not in it.
   */
  remove(namespaceId: string, id: string, detached?: Detached): Promise<string[]>
}

export interface PolicyStore {
  get(namespaceId: string, name: string): Awaitable<string | undefined>
  names(namespaceId: string): Awaitable<string[]>
  put(namespaceId: string, name: string, rules: string): Promise<void>
  remove(namespaceId: string, name: string): Promise<void>
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
