import type { KeyType } from '../keys/types.ts'
import type { Attestation, WrappingKey } from '../kms/provider.ts'
import type { Awaitable } from './awaitable.ts'
import type { Touched } from './copies.ts'

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
  /** In seconds; 0: it is rotated only when somebody asks. */
  autoRotatePeriod: number
  /** When it is rotated next without being asked; null: never. */
  nextRotationAt: number | null
  /** After a rotation `minEnabledVersion` rises so that at most so many versions are enabled; 0: it stays. */
  maxEnabledVersions: number
}

/** What of a key may be changed. */
export type KeySettings = Pick<
  KeyRow,
  'deletionAllowed' | 'minEnabledVersion' | 'autoRotatePeriod' | 'nextRotationAt' | 'maxEnabledVersions'
>

/** When a key is rotated next. `due`: the rotation is the one of this time, and of no other process. */
export interface RotationSchedule {
  next(key: KeyRow): number | null
  due?: number
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
   * gets a new generation with an operation. Throws `not_found` when the key is gone, `conflict` when the schedule's `due` is no
   * longer the key's: somebody else rotated it.
   */
  addVersion(
    keyId: string,
    make: (version: number) => NewKeyVersion,
    now: number,
    schedule?: RotationSchedule,
  ): Promise<{ version: number; touched: Touched[] }>
  /**
   * Changes settings. `decide` is called inside the change with the row as it is then, gives what should change, and may throw to
   * refuse. A new `minEnabledVersion` gives every copy a new generation with an operation.
   */
  update(keyId: string, decide: (key: KeyRow) => Partial<KeySettings>, now: number): Promise<Touched[]>
  /** Keys whose time to be rotated has come, the longest overdue first. */
  dueForRotation(now: number, limit: number): Awaitable<KeyRow[]>
  /** A scheduled rotation failed: it is tried again then. Nothing where it is not due at `due` any more. */
  postponeRotation(keyId: string, due: number, until: number): Promise<void>
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
  attest(id: string, attestation: Attestation): Promise<void>
}
