import type { Awaitable } from './awaitable.ts'
import type { CopyRow, DriftEntry } from './copies.ts'

/** Looks at clouds where nothing has to be done: at copies that should be present and are not being worked on. */
export interface LookStore {
  /** The first collections after `after`, in order, that have copies to look at. */
  collections(after: string, limit: number): Awaitable<string[]>
  /** Copies of a collection whose time to be looked at has come, the longest overdue first. */
  due(collection: string, now: number, limit: number): Awaitable<CopyRow[]>
  /** Copies of a KMS that can be looked at, in the order of their ids; those after `after`. */
  ofKms(kmsId: string, after: string, limit: number): Awaitable<CopyRow[]>
  /** Takes a look that is due at `seen`, and sets the time of the next. False: another process took it. */
  claim(copyId: string, seen: number, next: number): Promise<boolean>
  /**
   * Keeps what a look found, and has what can be put right worked on where `repair` and the copy's policy still is to restore. Nothing where
   * the copy was worked on since `seen` was read: then the look says nothing. Gives whether it was kept.
   */
  found(seen: CopyRow, drift: DriftEntry[], now: number, repair: boolean): Promise<boolean>
}
