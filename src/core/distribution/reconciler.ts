import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import { causedBy } from '../kms/cause.ts'
import type { Connections } from '../kms/connections.ts'
import { CloudError } from '../kms/provider.ts'
import type { ProviderRegistry } from '../kms/registry.ts'
import type { Keyring } from '../seal/keyring.ts'
import type { CopyStore, KeyStore, KmsStore, Lease, LeasedCopy, OperationStore, ProcessStore } from '../store.ts'
import type { Observer } from '../telemetry.ts'
import { Backlog } from './backlog.ts'
import { deliver } from './deliver.ts'
import { isRestoration } from './drift.ts'
import {
  backOff,
  Interrupted,
  isFinal,
  isRefusal,
  type Job,
  leaseKeeper,
  leaseMs,
  reasonOf,
  type Timing,
  timesOf,
} from './job.ts'
import { Lanes } from './lanes.ts'
import { ForeignMaterial } from './material.ts'
import type { OperationWaiter } from './operations.ts'
import { Pace } from './pace.ts'
import { withdraw } from './withdraw.ts'

export { defaultTiming, type Timing } from './job.ts'

export interface ReconcilerParts {
  context: Context
  store: { keys: KeyStore; kms: KmsStore; copies: CopyStore; operations: OperationStore; processes: ProcessStore }
  registry: ProviderRegistry
  connections: Connections
  keyring: Keyring
  operations: OperationWaiter
  observer: Observer
  timing: Timing
}

/** How long operations that have ended are kept to be read, and how often and how many at a time older ones are forgotten. */
const keepEndedMs = 7 * 24 * 3_600_000
const pruneEveryMs = 3_600_000
const pruneLimit = 1_000

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
  readonly #lanes = new Lanes()
  readonly #backlog: Backlog
  #stopTimer = () => {}
  #prunedAt = Number.NEGATIVE_INFINITY
  #closing = false
  #idle = Promise.withResolvers<void>()

  constructor(parts: ReconcilerParts) {
    this.#parts = parts
    // Others can tell when the process has ended, and this part of it from one before.
    this.#owner = `${parts.store.processes.self}/${parts.context.uuid()}`
    this.#pace = new Pace(parts.context, parts.observer)
    this.#backlog = new Backlog(parts.context, parts.store.copies, this.#lanes)
    parts.operations.kick = (copyId) => this.kick(copyId)
  }

  /** How many copies are worked on here just now. */
  get running(): number {
    return this.#running.size
  }

  /** Takes up what an earlier process left, and looks for due copies from then on. */
  start(): void {
    this.#stopTimer = this.#parts.context.after(this.#parts.timing.scanMs, () => this.start())
    void this.#scan()
  }

  /** Work on this copy as soon as there is room. */
  kick(copyId: string): void {
    if (this.#closing) return
    if (this.#running.has(copyId)) this.#running.set(copyId, true)
    else void this.#ask(copyId)
  }

  /** Takes no new work, and resolves when the calls under way have ended and whoever waits for operations was answered. */
  async close(): Promise<void> {
    this.#closing = true
    this.#stopTimer()
    this.#lanes.clear()
    this.#pace.close()
    if (this.#running.size > 0) await this.#idle.promise
    this.#parts.operations.close()
  }

  async #ask(copyId: string): Promise<void> {
    try {
      const copy = await this.#parts.store.copies.byId(copyId)
      if (!copy || this.#closing) return
      if (this.#running.has(copyId)) this.#running.set(copyId, true)
      else this.#lanes.add({ id: copyId, namespaceId: copy.namespaceId, collection: copy.collection })
      this.#next()
    } catch (error) {
      if (!this.#closing) this.#parts.context.log('error', 'a copy cannot be read', { copyId, error: String(error) })
    }
  }

  async #scan(): Promise<void> {
    const { context, store } = this.#parts
    try {
      await this.#backlog.look(() => this.#next())
      const now = context.now()
      if (now - this.#prunedAt < pruneEveryMs) return
      this.#prunedAt = now
      while ((await store.operations.prune(now - keepEndedMs, pruneLimit)) === pruneLimit && !this.#closing);
    } catch (error) {
      if (!this.#closing) context.log('error', 'looking for due copies failed', { error: String(error) })
    }
  }

  #next(): void {
    if (this.#closing) return
    for (let copy = this.#lanes.take(); copy; copy = this.#lanes.take()) {
      this.#running.set(copy.id, false)
      void this.#work(copy.id)
    }
  }

  async #work(copyId: string): Promise<void> {
    const { context, operations, timing } = this.#parts
    let again = false
    try {
      again = await this.#once(copyId)
    } catch (error) {
      // Without the lease, somebody else is at it; what else fails here is the database, and then what was reached is looked up later.
      if (!(error instanceof KeyferryError && error.code === 'conflict')) {
        context.log('error', 'work on a copy failed', { copyId, error: String(error) })
        this.#wake(copyId, context.now() + 10 * timing.scanMs)
      }
    }
    const changed = this.#running.get(copyId) === true
    this.#running.delete(copyId)
    this.#lanes.done(copyId)
    operations.progressed(copyId)
    if (again || changed) this.kick(copyId)
    this.#next()
    if (this.#backlog.isLow) void this.#scan()
    if (this.#running.size === 0 && this.#closing) this.#idle.resolve()
  }

  /** One lease's worth of work. True: there is more to do now. */
  async #once(copyId: string): Promise<boolean> {
    const { context, store } = this.#parts
    const now = context.now()
    const copy = await store.copies.lease(copyId, this.#owner, now, now + leaseMs)
    if (!copy) return false
    const lease = { copyId, fence: copy.fence, generation: copy.generation }
    try {
      const operationId = (await store.operations.pendingOf(copyId))?.id
      const outcome = await causedBy({ operationId }, () => this.#drive(copy, lease))
      this.#lanes.heard(copy, true)
      if (outcome.again) {
        await store.copies.postpone(lease, outcome.why, outcome.at, false)
        this.#wake(copyId, outcome.at)
      }
      return false
    } catch (error) {
      return await this.#failed(copy, lease, error)
    }
  }

  async #drive(copy: LeasedCopy, lease: Lease) {
    const { context, registry, store, keyring, connections } = this.#parts
    const kms = copy.kmsId === null ? undefined : await store.kms.byId(copy.kmsId)
    if (kms && kms.namespaceId !== copy.namespaceId)
      throw new KeyferryError('corrupt', 'a copy points to the KMS of another namespace')
    const connection =
      copy.settingsBox !== null
        ? await connections.ofSettings(copy.id, copy.namespaceId, copy.settingsBox)
        : kms
          ? await connections.ofKms(kms)
          : undefined
    if (!connection) throw new KeyferryError('corrupt', 'a copy has neither a KMS nor settings of its own')
    const { callTimeoutMs, ...times } = timesOf(registry, kms?.provider)
    const job: Job = {
      copy,
      lease,
      abandoned: copy.abandoned,
      connection,
      ...times,
      keepLease: leaseKeeper(this.#parts, copy, lease, callTimeoutMs, () => this.#closing),
    }
    if (copy.desired === 'present') return await deliver(job, { context, store, keyring, pace: this.#pace })
    const outcome = await withdraw(job, { context, store })
    if (!outcome.again) connections.forget(copy.id)
    return outcome
  }

  /** Decides what a failure means for the copy. True: there is more to do now. */
  async #failed(copy: LeasedCopy, lease: Lease, error: unknown): Promise<boolean> {
    const { context, store, operations, connections, timing } = this.#parts
    if (error instanceof Interrupted) {
      await store.copies.release(lease)
      return true
    }
    if (error instanceof CloudError) this.#lanes.heard(copy, error.kind !== 'unavailable')
    const reason = reasonOf(error)
    const now = context.now()
    const at = now + backOff(timing, copy.attempts, error, Number.parseInt(context.randomHex(4), 16) / 0xffffffff)
    if (!isFinal(error)) {
      if (!(error instanceof CloudError || error instanceof KeyferryError))
        context.log('error', 'work on a copy failed', { copyId: copy.id, error: String(error) })
      await store.copies.postpone(lease, reason, at, true)
      this.#wake(copy.id, at)
      return false
    }
    if (copy.desired === 'absent') {
      await store.copies.refuseRemoval(lease, reason, now, at)
      this.#wake(copy.id, at)
      return false
    }
    // What should be is as it was before: the copy is not stopped by it.
    if (isRestoration(copy) && isRefusal(error) && !(error instanceof ForeignMaterial))
      return await store.copies.notRestored(lease, reason, now).then(() => false)
    const kms = copy.kmsId === null ? undefined : await store.kms.byId(copy.kmsId)
    const withdrawn = error instanceof ForeignMaterial || operations.isDeliveryAwaited(copy.id)
    if (copy.seenGeneration > 0 || !withdrawn || !kms) {
      await store.copies.stop(lease, reason, now)
      return false
    }
    // A first delivery, refused while its caller waits: nothing may be left behind, here or there.
    await store.copies.giveUp(lease, reason, await connections.resealSettings(kms, copy.id), now)
    return true
  }

  /** Wakes up for a copy that is due before the next scan. */
  #wake(copyId: string, at: number): void {
    const { context, timing } = this.#parts
    const delay = Math.max(0, at - context.now())
    if (delay <= 10 * timing.scanMs) context.after(delay, () => this.kick(copyId))
  }
}
