import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import type { Connections } from '../kms/connections.ts'
import { CloudError, type Connection } from '../kms/provider.ts'
import type { ProviderRegistry } from '../kms/registry.ts'
import type { Keyring } from '../seal/keyring.ts'
import type { CopyRow, CopyStore, KeyStore, KmsStore } from '../store.ts'
import { deliver, ForeignMaterial } from './deliver.ts'
import type { OperationWaiter } from './operations.ts'
import { Pace } from './pace.ts'
import { withdraw } from './withdraw.ts'

export interface ReconcilerParts {
  context: Context
  store: { keys: KeyStore; kms: KmsStore; copies: CopyStore }
  registry: ProviderRegistry
  connections: Connections
  keyring: Keyring
  operations: OperationWaiter
  timing: Timing
}

/** One piece of work on a leased copy, as deliver.ts and withdraw.ts see it. */
export interface Job {
  copy: CopyRow
  connection: Connection
  /** The lease's fence, and the call's time-out plus settle time of the provider. */
  lostAfterMs: number
  newestAfterMs: number
  /** Extends the lease when less than a call's time-out of it is left. To be called before every call to the cloud. */
  keepLease(): Promise<void>
}

/** What a job comes to, beside being done or dropped in the store. */
export type Outcome = { again: false } | { again: true; at: number; why: string }

const leaseMs = 180_000
const scanLimit = 100
const side = 16

/** How often due copies are looked for, and the bounds of the back-off, in ms. */
export interface Timing {
  scanMs: number
  firstBackOffMs: number
  lastBackOffMs: number
}

export const defaultTiming: Timing = { scanMs: 1_000, firstBackOffMs: 1_000, lastBackOffMs: 300_000 }

/**
 * Drives what was seen of each copy toward what should be: the same code at a first delivery, after a crash and for every later
 * change. A copy is leased to one process and worked on by one job at a time; copies go side by side.
 */
export class Reconciler {
  readonly #parts: ReconcilerParts
  readonly #owner: string
  readonly #pace: Pace
  /** Copies under way here; true: something changed meanwhile, look again. */
  readonly #running = new Map<string, boolean>()
  readonly #queue = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #closing = false
  #idle: (() => void) | undefined

  constructor(parts: ReconcilerParts) {
    this.#parts = parts
    this.#owner = parts.context.uuid()
    this.#pace = new Pace(parts.context.now)
    parts.operations.kick = (copyId) => this.kick(copyId)
  }

  /** Takes up what an earlier process left, and looks for due copies from then on. */
  start(): void {
    this.#timer = setInterval(() => void this.#scan(), this.#parts.timing.scanMs)
    this.#timer.unref()
    void this.#scan()
  }

  /** Work on this copy as soon as there is room. */
  kick(copyId: string): void {
    if (this.#closing) return
    if (this.#running.has(copyId)) this.#running.set(copyId, true)
    else this.#queue.add(copyId)
    this.#next()
  }

  /** Takes no new work and resolves when the jobs under way have ended. */
  async close(): Promise<void> {
    this.#closing = true
    clearInterval(this.#timer)
    this.#queue.clear()
    if (this.#running.size > 0) await new Promise<void>((idle) => (this.#idle = idle))
    this.#pace.close()
  }

  async #scan(): Promise<void> {
    try {
      for (const copyId of await this.#parts.store.copies.due(this.#parts.context.now(), scanLimit)) {
        if (!this.#running.has(copyId)) this.kick(copyId)
      }
    } catch (error) {
      this.#parts.context.log('error', 'looking for due copies failed', { error: String(error) })
    }
  }

  #next(): void {
    for (const copyId of this.#queue) {
      if (this.#running.size >= side) return
      this.#queue.delete(copyId)
      this.#running.set(copyId, false)
      void this.#work(copyId)
    }
  }

  async #work(copyId: string): Promise<void> {
    let again = false
    try {
      again = await this.#once(copyId)
    } catch (error) {
      this.#parts.context.log('error', 'work on a copy failed', { copyId, error: String(error) })
    }
    const changed = this.#running.get(copyId) === true
    this.#running.delete(copyId)
    this.#parts.operations.progressed(copyId)
    if (again || changed) this.kick(copyId)
    this.#next()
    if (this.#running.size === 0) this.#idle?.()
  }

  /** One lease's worth of work. True: there is more to do now. */
  async #once(copyId: string): Promise<boolean> {
    const { context, store } = this.#parts
    const now = context.now()
    const copy = await store.copies.lease(copyId, this.#owner, now, now + leaseMs)
    if (!copy) return false
    const lease = { copyId, fence: copy.fence }
    try {
      const outcome = await this.#drive(copy)
      if (outcome.again) {
        await store.copies.postpone(lease, outcome.why, outcome.at, false)
        this.#wake(copyId, outcome.at)
      }
      return false
    } catch (error) {
      return await this.#failed(copy, error)
    }
  }

  async #drive(copy: CopyRow): Promise<Outcome> {
    const { context, registry, store, keyring } = this.#parts
    const kms = copy.kmsId === null ? undefined : await store.kms.byId(copy.kmsId)
    const connection =
      copy.settingsBox !== null
        ? await this.#parts.connections.ofSettings(copy.id, copy.namespaceId, copy.settingsBox)
        : kms
          ? await this.#parts.connections.ofKms(kms)
          : undefined
    if (!connection) throw new KeyferryError('corrupt', 'a copy has neither a KMS nor settings of its own')
    const { callTimeoutMs, settleMs, newestAfterMs } = timeouts(registry, kms?.provider)
    let until = copy.leaseUntil
    const job: Job = {
      copy,
      connection,
      lostAfterMs: callTimeoutMs + settleMs,
      newestAfterMs,
      keepLease: async () => {
        const now = context.now()
        if (until - now > 2 * callTimeoutMs) return
        until = now + leaseMs
        await store.copies.extend({ copyId: copy.id, fence: copy.fence }, until)
      },
    }
    if (copy.desired === 'absent') return await withdraw(job, { context, store })
    return await deliver(job, { context, store, keyring, pace: this.#pace })
  }

  /** Decides what a failure means for the copy. True: there is more to do now. */
  async #failed(copy: CopyRow, error: unknown): Promise<boolean> {
    const { context, store, operations, connections } = this.#parts
    const lease = { copyId: copy.id, fence: copy.fence }
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof KeyferryError && error.code === 'conflict') return false // somebody else has the lease now
    const final =
      error instanceof CloudError
        ? error.kind === 'refused' || error.kind === 'name_taken'
        : error instanceof KeyferryError
    if (!final) {
      if (!(error instanceof CloudError))
        context.log('error', 'work on a copy failed', { copyId: copy.id, error: String(error) })
      const at =
        context.now() +
        backOff(this.#parts.timing, copy.attempts, error, Number.parseInt(context.randomHex(4), 16) / 0xffffffff)
      await store.copies.postpone(lease, message, at, true)
      this.#wake(copy.id, at)
      return false
    }
    if (copy.desired === 'absent') {
      if (copy.kmsId === null) await store.copies.stop(lease, message, context.now())
      else await store.copies.undoRemoval(lease, message, context.now())
      return false
    }
    const withdrawn = error instanceof ForeignMaterial || operations.isWaitedFor(copy.id)
    if (copy.seenGeneration > 0 || !withdrawn) {
      await store.copies.stop(lease, message, context.now())
      return false
    }
    // A first delivery, refused while its caller waits: nothing may be left behind, here or there.
    const kms = copy.kmsId === null ? undefined : await store.kms.byId(copy.kmsId)
    if (!kms) return false
    await store.copies.giveUp(lease, message, await connections.resealSettings(kms, copy.id), context.now())
    return true
  }

  /** Wakes up for a copy that is due before the next scan. */
  #wake(copyId: string, at: number): void {
    const delay = Math.max(0, at - this.#parts.context.now())
    if (delay <= 10 * this.#parts.timing.scanMs) setTimeout(() => this.kick(copyId), delay).unref()
  }
}

/** Doubles from the first to the last, jittered by half; not before the cloud's own Retry-After. `random` is in 0 to 1. */
export function backOff(
  { firstBackOffMs, lastBackOffMs }: Timing,
  attempts: number,
  error: unknown,
  random: number,
): number {
  const most = Math.min(lastBackOffMs, firstBackOffMs * 2 ** Math.min(attempts, 20))
  const asked = error instanceof CloudError ? (error.retryAfterMs ?? 0) : 0
  return Math.max(asked, most / 2 + (most / 2) * random)
}

/** The provider's times; a removal that no longer knows its provider takes the longest of all. */
function timeouts(registry: ProviderRegistry, name: string | undefined) {
  const all = name === undefined ? registry.names().map((one) => registry.get(one)) : [registry.get(name)]
  return {
    callTimeoutMs: Math.max(...all.map((one) => one.callTimeoutMs)),
    settleMs: Math.max(...all.map((one) => one.settleMs)),
    newestAfterMs: Math.max(...all.map((one) => one.newestAfterMs)),
  }
}
