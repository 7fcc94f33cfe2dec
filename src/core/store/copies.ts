import type { Protection, Purpose } from '../kms/provider.ts'
import type { Awaitable } from './awaitable.ts'

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
  /** When a delete was last sent whose effect is not known; null: none is out. */
  deleteSentAt: number | null
  /** When a recovery of the deleted key was last sent that may still have its effect; null: none is out. */
  recoverySentAt: number | null
  leaseOwner: string | null
  leaseUntil: number
  fence: number
  repair: Repair
  drift: DriftEntry[]
  /** When the cloud is looked at next, though nothing has to be done there; and when it last was. */
  nextLookAt: number
  lookedAt: number | null
}

/** What is done about drift: it is told, or what can be put right safely is. */
export type Repair = 'report' | 'restore'

/** What was found in a cloud that should be otherwise. Times: ms since 1970. */
export interface DriftEntry {
  kind: DriftKind
  detail: string
  firstSeen: number
  /** When it was last to be put right. */
  triedAt?: number
  /** Why it is not put right, where that is what should be done about it. */
  notRestored?: string
}

export type DriftKind =
  /** No key has the name. */
  | 'missing'
  /** It was deleted there, and could be recovered. */
  | 'deleted'
  | 'version_missing'
  | 'version_disabled'
  | 'version_enabled'
  /** A version that is none of ours. */
  | 'version_extra'
  | 'purposes'
  /** A tag that came with the version is not what it was. */
  | 'tags'
  /** From or up to when it may be used. */
  | 'times'
  /** The public key is not ours. */
  | 'material'

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

/** A change of the desired side of copies, made in the same atomic change as what it is about. */
export interface Touched {
  copyId: string
  operationId: string
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

/** What shares room: the copies of one namespace in one place, since a vault that does not answer holds up all of them. */
export interface Lane {
  namespaceId: string
  collection: string
}

export interface DueCopy extends Lane {
  id: string
}

/** `abandoned`: whoever had the lease before never gave it back, and a call of theirs may still be on its way. */
export type LeasedCopy = CopyRow & { abandoned: boolean }

export interface CopyStore {
  byId(id: string): Awaitable<CopyRow | undefined>
  find(keyId: string, kmsId: string): Awaitable<CopyRow | undefined>
  versions(copyId: string): Awaitable<CopyVersionRow[]>
  /** Names of the KMSs that have (or should have) a key, in order. */
  kmsNames(keyId: string): Awaitable<string[]>
  keyNames(kmsId: string): Awaitable<string[]>
  /** Whether the KMS has a copy that was seen done. */
  anyDelivered(kmsId: string): Awaitable<boolean>
  /** Pending copies whose next attempt is due and that nobody alive leases, the longest due first. */
  due(now: number, limit: number): Awaitable<DueCopy[]>
  /**
   * The same, `each` from each of the next `lanes` lanes with pending copies after a lane, in an order of the store's own. `last`: where to
   * go on; undefined at the end.
   */
  dueByLane(
    after: Lane | undefined,
    now: number,
    lanes: number,
    each: number,
  ): Awaitable<{ copies: DueCopy[]; last: Lane | undefined }>
  /**
   * Records a distribution, with one row a version of the key as it is then, and its operation; reserves the remote name. Where
   * the key is in the KMS already, gives that copy and its unfinished operation, if any. Throws `not_found` when key or KMS is gone,
   * `conflict` when the remote name is reserved by another.
   */
  create(copy: CopyRow, operationId: string): Promise<{ copy: CopyRow; touched: Touched | undefined }>
  /**
   * Takes the lease when it is free, run out, or of a process that has ended; undefined when somebody else has it, the copy is gone, or
   * copies are held.
   */
  lease(copyId: string, owner: string, now: number, until: number): Promise<LeasedCopy | undefined>
  extend(lease: Lease, until: number): Promise<void>
  release(lease: Lease): Promise<void>
  rename(lease: Lease, remoteName: string): Promise<void>
  /** An import is about to be sent (`at`), also of a version that has a place where nothing is any more, or certainly had no effect (null). */
  sent(lease: Lease, version: number, at: number | null): Promise<void>
  /** A delete is about to be sent (`at`), or certainly had no effect (null). */
  deleteSent(lease: Lease, at: number | null): Promise<void>
  /** A recovery is about to be sent (`at`), or has had its effect (null), or had none, and one before it counts (its time). */
  recoverySent(lease: Lease, at: number | null): Promise<void>
  seen(lease: Lease, version: number, seen: { remoteVersion?: string; at?: number; enabled: boolean }): Promise<void>
  /** The state of these versions is about to be set: until it is seen, it may be either. */
  settingState(lease: Lease, versions: readonly number[]): Promise<void>
  /** The lease's generation was seen done: its operations and older ones end, and the lease with them. */
  settle(lease: Lease, now: number): Promise<void>
  /** To be taken up again later. `failed` counts for the back-off; waiting for a time to come does not. Ends the lease. */
  postpone(lease: Lease, reason: string, nextAttemptAt: number, failed: boolean): Promise<void>
  /** Refused for good: operations end as failed, nothing is tried until something changes. */
  stop(lease: Lease, reason: string, now: number): Promise<void>
  /** What was found cannot be put right: it is kept with the reason, and the copy stays settled. Ends the lease. */
  notRestored(lease: Lease, reason: string, now: number): Promise<void>
  /**
   * The copy should be gone. Gives the operation, the existing one when a removal is under way. `check` is called inside the change with
   * the row as it is then, and may throw to refuse.
   */
  requestRemoval(copyId: string, operationId: string, now: number, check?: (copy: CopyRow) => void): Promise<Touched>
  setRepair(copyId: string, repair: Repair): Promise<void>
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
  /** The one of a copy that is not done yet. */
  pendingOf(copyId: string): Awaitable<{ id: string; kind: OperationKind } | undefined>
  /** As `byId`, also of the deleted namespaces right below the namespace. */
  belowToo(namespaceId: string, id: string): Awaitable<OperationRow | undefined>
  /** Ids of the operations of a mount, in order; those after `after`, at most `limit`. */
  ofMount(mountId: string, page?: { after?: string; limit?: number }): Awaitable<string[]>
  /** Ids of those whose mount or key is gone, of a namespace and of the deleted ones right below it. */
  orphaned(namespaceId: string, page?: { after?: string; limit?: number }): Awaitable<string[]>
  /**
   * Work on the operation's copy is due at once. Gives the operation to wait for: itself while it is pending, a new one where it was
   * refused; undefined where there is nothing to try again.
   */
  retry(id: string, newId: string, now: number): Promise<Touched | undefined>
  /** Forgets at most `limit` of those that ended before a time, the oldest first. Gives how many. */
  prune(endedBefore: number, limit: number): Promise<number>
}
