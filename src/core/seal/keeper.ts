import { hostname } from 'node:os'
import type { Context } from '../context.ts'
import type { MetaStore, NamespaceStore } from '../store.ts'
import type { Keyring, Seals } from './keyring.ts'
import { resealReplaced } from './reseal.ts'
import { rewrapDataKeys } from './root-rotation.ts'
import type { LiveProcess, SealStore } from './seal-store.ts'
import { sealedAgain } from './stale.ts'

/** Times in ms, and how often a data key seals before it is replaced. */
export interface SealTiming {
  /** How often rotations that others began are looked for. */
  lookMs: number
  /** How often this process says that it is alive, and counts what it sealed. */
  beatMs: number
  graceMs: number
  mostSeals: number
}

/**
 * SP 800-38D allows 2^32 uses of an AES-GCM key with random nonces. A data key is replaced at less than a quarter of that, which leaves room
 * for what the count misses: a process that is killed takes the count of its last 30 seconds with it.
 */
export const defaultSealTiming: SealTiming = {
  lookMs: 2_000,
  beatMs: 30_000,
  graceMs: 10_000,
  mostSeals: 1_000_000_000,
}

/** How long the end of a process may wait for the database, in ms. */
const leaveMs = 1_000

export interface SealKeeperParts {
  context: Context
  store: { seal: SealStore; meta: Pick<MetaStore, 'get'>; namespaces: Pick<NamespaceStore, 'dataKeys'> }
  keyring: Keyring
  timing?: Partial<SealTiming>
}

/**
 * The part of a running gateway in rotations: it says which root keys it holds, seals anew what is under old keys, counts how often each data
 * key was used and replaces it in time, and lets go of a root key that nothing is under any more.
 */
export class SealKeeper {
  readonly #parts: SealKeeperParts
  readonly #timing: SealTiming
  readonly #process: LiveProcess
  #stopTimer = () => {}
  #beatAt = 0
  #closing = false
  #work: Promise<void> | undefined

  constructor(parts: SealKeeperParts) {
    this.#parts = parts
    this.#timing = { ...defaultSealTiming, ...parts.timing }
    const name = `${hostname()}:${process.pid}`
    this.#process = { id: parts.context.uuid(), name, roots: [], seenAt: 0 }
  }

  /** Makes this process known, and takes up rotations from then on. Throws `corrupt` when a root key is missing. */
  async start(): Promise<void> {
    await this.#parts.store.seal.enter(this.#alive())
    this.#beatAt = this.#parts.context.now()
    this.#next()
  }

  /** A fresh data key for the namespace; what is under the old ones is sealed anew in the background. Throws `not_found`. */
  async rotateDataKey(namespaceId: string): Promise<void> {
    const { context, store, keyring } = this.#parts
    await sealedAgain(async () => store.seal.replaceDataKey(await keyring.newDataKey(namespaceId, context.now())))
    // Sealers that are out already use it from now on.
    await keyring.forNamespace(namespaceId)
    void this.look()
  }

  /** Looks for rotations to go on with, once at a time. Resolves when it has done what can be done now. */
  async look(): Promise<void> {
    this.#work ??= this.#look().finally(() => {
      this.#work = undefined
    })
    await this.#work
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#stopTimer()
    const { context, store, keyring } = this.#parts
    const told = (async () => {
      await this.#work
      await store.seal.leave(this.#process.id, countsOf(keyring.takeSeals()))
    })().catch((error: unknown) =>
      context.log('warn', 'the database was not told that this process ends', { error: String(error) }),
    )
    // A database that something else holds must not keep the process from ending: it is then forgotten by its age.
    const late = Promise.withResolvers<void>()
    const stop = context.after(leaveMs, late.resolve)
    await Promise.race([told, late.promise])
    stop()
  }

  #next(): void {
    this.#stopTimer = this.#parts.context.after(this.#timing.lookMs, () => {
      void this.look().finally(() => {
        if (!this.#closing) this.#next()
      })
    })
  }

  async #look(): Promise<void> {
    const { context, store, keyring } = this.#parts
    const { beatMs, graceMs } = this.#timing
    try {
      if (context.now() - this.#beatAt >= beatMs) await this.#beat()
      await this.#followRoot()
      // Whoever holds a sealer of these namespaces seals under the new key from now on.
      for (const { namespaceId } of await store.seal.replaced()) await keyring.refresh(namespaceId)
      await resealReplaced({ context, store, keyring, graceMs, stopped: () => this.#closing })
    } catch (error) {
      if (!this.#closing) context.log('error', 'a rotation of keys did not get on', { error: String(error) })
    }
  }

  /** Helps with a rotation of the root key; once nothing is under another one, the others are let go. */
  async #followRoot(): Promise<void> {
    const { store, keyring } = this.#parts
    const named = (await store.meta.get('root_id')) ?? ''
    const rotation = await store.seal.rootRotation()
    const held = keyring.rootIds
    if (rotation && held.includes(rotation.from) && held.includes(named)) {
      await rewrapDataKeys(store.seal, keyring, named)
      for (const id of held) if (id !== named) keyring.dropRoot(id)
      await this.#beat()
    } else if (!rotation && held.length > 1 && held[0] === named) {
      for (const id of held) if (id !== named) keyring.dropRoot(id)
      await this.#beat()
    }
  }

  async #beat(): Promise<void> {
    const { context, store, keyring } = this.#parts
    const seals = keyring.takeSeals()
    let totals: Map<string, number>
    try {
      totals = await store.seal.beat(this.#alive(), countsOf(seals))
    } catch (error) {
      keyring.giveBack(seals)
      throw error
    }
    this.#beatAt = context.now()
    for (const [id, total] of totals) {
      const namespaceId = seals.get(id)?.namespaceId
      if (total < this.#timing.mostSeals || namespaceId === undefined || this.#closing) continue
      if ((await store.namespaces.dataKeys(namespaceId))[0]?.id !== id) continue
      context.log('info', 'a data key has sealed often enough, and is replaced', { namespaceId, seals: total })
      await store.seal.replaceDataKey(await keyring.newDataKey(namespaceId, context.now()))
    }
  }

  #alive(): LiveProcess {
    this.#process.roots = this.#parts.keyring.rootIds
    this.#process.seenAt = this.#parts.context.now()
    return this.#process
  }
}

function countsOf(seals: Seals): Map<string, number> {
  return new Map([...seals].map(([id, { count }]) => [id, count]))
}
