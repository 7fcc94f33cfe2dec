import type { Awaitable, DataKeyRow } from '../store.ts'
import type { Binding } from './box.ts'

/** A process that works on the store: as long as it is seen now and then, it counts as alive. */
export interface LiveProcess {
  id: string
  /** For messages: host and process id. */
  name: string
  /** Ids of the root keys that it holds. */
  roots: string[]
  seenAt: number
}

/** A sealed box somewhere in the store, with all that is needed to put another one in its place. */
export interface SealedBox {
  /** Where it is: the store's own names. */
  place: string
  key: readonly (string | number)[]
  namespaceId: string
  binding: Omit<Binding, 'namespaceId'>
  box: Buffer
}

/** A place in a walk over all boxes: the store's own. */
export type Cursor = unknown

/** A data key that a newer one has replaced. `retired`: nothing can be sealed under it any more. */
export interface Replaced {
  dataKeyId: string
  namespaceId: string
  since: number
  retired: boolean
}

/** A change of root keys under way: data keys are being sealed anew. */
export interface RootRotation {
  from: string
  to: string
  since: number
}

/**
 * What rotations ask of a store. The store refuses by itself, in the same atomic change, a data key that is not sealed under the root key
 * that it names, and a box under a data key that is not there or is retired: `unavailable`.
 */
export interface SealStore {
  /**
   * A process begins. Throws `corrupt` when it does not hold the root key that the store names, or when data keys are under one that it does
   * not hold.
   */
  enter(process: LiveProcess): Promise<void>
  /** It is alive. `seals`: how often each data key was used since the last time. Gives the new totals. */
  beat(process: LiveProcess, seals: ReadonlyMap<string, number>): Promise<Map<string, number>>
  leave(id: string, seals: ReadonlyMap<string, number>): Promise<void>
  /** Those that were seen since. Older ones are forgotten. */
  live(since: number): Promise<LiveProcess[]>

  rootRotation(): Awaitable<RootRotation | undefined>
  /**
   * Names another root key. Throws `conflict` when `from` is not the one named, or a process that was seen since `since` does not hold `to`:
   * the message names it.
   */
  switchRoot(rotation: RootRotation, since: number): Promise<void>
  /** Data keys under any other root key than this one. */
  dataKeysNotUnder(rootId: string, limit: number): Awaitable<DataKeyRow[]>
  /** Puts another box around a data key, unless somebody else did. */
  rewrapDataKey(row: DataKeyRow, rootId: string, box: Buffer): Promise<void>
  /** The change of root keys is over, unless data keys are left. False: some are. */
  endRootRotation(): Promise<boolean>

  /** A fresh data key for the namespace: from now on it seals, and those before it are replaced. Throws `not_found` when the namespace is gone. */
  replaceDataKey(row: DataKeyRow): Promise<void>
  replaced(): Awaitable<Replaced[]>
  /** Nothing is sealed under it from now on. */
  retireDataKey(dataKeyId: string): Promise<void>
  /** A page of all boxes, from the beginning or from where the last page ended; without `next` it was the last one. */
  boxes(after: Cursor | undefined, limit: number): Awaitable<{ boxes: SealedBox[]; next: Cursor | undefined }>
  /** Replaces boxes, each unless it was changed meanwhile. Gives how many were replaced. */
  reseal(changes: readonly { from: SealedBox; box: Buffer }[]): Promise<number>
  /** The data key is needed no more. To be called only once no box under it was found after it was retired. */
  dropDataKey(dataKeyId: string): Promise<void>
  namespaceIds(after: string, limit: number): Awaitable<string[]>
}
