import type { Context } from '../context.ts'
import { invalid } from '../errors.ts'
import type { MetaStore } from '../store.ts'
import type { Keyring } from './keyring.ts'
import type { LiveProcess, SealStore } from './seal-store.ts'
import { namedRoot, type RootKeys } from './unsealing.ts'

/** A process that was not seen for this long does not count as alive, in ms. */
export const staleAfterMs = 100_000
/** How many data keys are read at a time. */
const page = 100

export interface RootRotationParts {
  context: Context
  store: { seal: SealStore; meta: Pick<MetaStore, 'get'> }
  keyring: Keyring
}

/** What a rotation of the root key came to. */
export interface RotatedRoot {
  from: string | undefined
  to: string
  /** How many data keys were sealed anew. */
  rewrapped: number
  /** Processes that still hold the old root key, which they no longer need. */
  holders: LiveProcess[]
}

/**
 * Makes the store name the current root key of `roots` in place of the previous one, and seals every data key anew; or goes on where an
 * earlier attempt ended. Other processes may work on the store meanwhile, as long as they hold both. Throws `conflict` when one does not,
 * `corrupt` when the store names neither, `invalid` when there is nothing to rotate to.
 */
export async function rotateRoot(parts: RootRotationParts, roots: RootKeys): Promise<RotatedRoot> {
  const { context, store, keyring } = parts
  const named = (await store.meta.get('root_id')) ?? ''
  namedRoot(named, roots)
  const { current, previous } = roots
  const since = () => context.now() - staleAfterMs
  if (named === previous?.id) {
    await store.seal.switchRoot({ from: named, to: current.id, since: context.now() }, since())
  } else if (!(await store.seal.rootRotation())) {
    if (!previous) {
      throw invalid(
        'there is nothing to rotate to: give the new root key, and the one that is in use now as the previous one',
      )
    }
    return { from: undefined, to: current.id, rewrapped: 0, holders: await holdersOf(store.seal, previous.id, since()) }
  }
  const from = (await store.seal.rootRotation())?.from ?? previous?.id
  const rewrapped = await rewrapDataKeys(store.seal, keyring, current.id)
  return { from, to: current.id, rewrapped, holders: await holdersOf(store.seal, from, since()) }
}

/** Seals the data keys that are under another root key than the one named anew, until there are none. Gives how many it were. */
export async function rewrapDataKeys(store: SealStore, keyring: Keyring, rootId: string): Promise<number> {
  let rewrapped = 0
  do {
    for (;;) {
      const rows = await store.dataKeysNotUnder(rootId, page)
      if (rows.length === 0) break
      const boxes = await Promise.all(rows.map(async (row) => ({ row, ...(await keyring.rewrapDataKey(row)) })))
      await Promise.all(boxes.map(({ row, rootId: under, box }) => store.rewrapDataKey(row, under, box)))
      rewrapped += rows.length
    }
  } while (!(await store.endRootRotation()))
  return rewrapped
}

async function holdersOf(store: SealStore, rootId: string | undefined, since: number): Promise<LiveProcess[]> {
  return (await store.live(since)).filter(({ roots }) => rootId !== undefined && roots.includes(rootId))
}
