import { setImmediate } from 'node:timers/promises'
import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import { sealedUnder } from './box.ts'
import type { Keyring } from './keyring.ts'
import type { Cursor, SealedBox, SealStore } from './seal-store.ts'

export interface ResealParts {
  context: Context
  store: { seal: SealStore }
  keyring: Keyring
  /** How long after it was replaced a data key may still be sealed under, by processes that have not looked since, in ms. */
  graceMs: number
  /** Asked between pages: true ends the work, which goes on from the beginning the next time. */
  stopped?: () => boolean
}

/** How many boxes are sealed anew in one change. */
const page = 100

/**
 * Seals everything that is under a replaced data key under the newest of its namespace, and drops replaced keys that nothing can be under
 * any more. A crash at any point loses nothing: each box is replaced in one change, unless it was changed meanwhile, and a data key goes only
 * after it was retired (the store then refuses boxes under it) and a whole walk after that found nothing left. Gives how many are left.
 */
export async function resealReplaced(parts: ResealParts): Promise<number> {
  const { context, store, keyring, graceMs, stopped = () => false } = parts
  const before = await store.seal.replaced()
  if (before.length === 0) return 0
  const now = context.now()
  for (const { dataKeyId, since, retired } of before) {
    if (!retired && since + graceMs <= now) await store.seal.retireDataKey(dataKeyId)
  }
  const replaced = await store.seal.replaced()
  const left = new Set(replaced.map(({ dataKeyId }) => dataKeyId))
  const broken = new Set<string>()
  let next: Cursor | undefined
  do {
    const { boxes, next: after } = await store.seal.boxes(next, page)
    const changes: { from: SealedBox; box: Buffer }[] = []
    for (const from of boxes) {
      const under = underOf(from)
      if (under === undefined || !left.has(under)) continue
      try {
        changes.push({ from, box: await sealAnew(keyring, from) })
      } catch (error) {
        if (!(error instanceof KeyferryError && error.code === 'corrupt')) throw error
        broken.add(under)
        context.log('error', 'a sealed value cannot be sealed anew, and its data key is kept for it', {
          place: from.place,
          error: error.message,
        })
      }
    }
    if (changes.length > 0) await store.seal.reseal(changes)
    // The walk is through what all namespaces have: requests go on in between.
    else await setImmediate()
    if (stopped()) return left.size
    next = after
  } while (next !== undefined)
  for (const { dataKeyId, retired } of replaced) {
    if (!retired || broken.has(dataKeyId)) continue
    await store.seal.dropDataKey(dataKeyId)
    left.delete(dataKeyId)
  }
  return left.size
}

function underOf({ box }: SealedBox): string | undefined {
  try {
    return sealedUnder(box)
  } catch {
    // What is no box is under no key; whoever opens it will say so.
    return undefined
  }
}

async function sealAnew(keyring: Keyring, { namespaceId, binding, box }: SealedBox): Promise<Buffer> {
  const sealer = await keyring.forNamespace(namespaceId)
  const plaintext = sealer.open(binding, box)
  try {
    return sealer.seal(binding, plaintext)
  } finally {
    plaintext.fill(0)
  }
}
