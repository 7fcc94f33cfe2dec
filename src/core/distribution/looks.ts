import { createPublicKey } from 'node:crypto'
import type { Context, Scope, Waiting } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import type { Connections } from '../kms/connections.ts'
import { CloudError } from '../kms/provider.ts'
import { checkName } from '../names.ts'
import type { CopyRow, CopyStore, DriftEntry, KeyStore, KmsStore, LookStore } from '../store.ts'
import type { Observer } from '../telemetry.ts'
import { capabilitiesOf, compare, mayRestore } from './drift.ts'
import { furtherReads } from './further-reads.ts'
import { reasonOf } from './job.ts'
import type { OperationWaiter } from './operations.ts'
import { Pace } from './pace.ts'

/** How often each copy is looked at, and how often each vault may be asked, in ms. */
export interface LookTiming {
  everyMs: number
  tickMs: number
}

export const defaultLookTiming: LookTiming = { everyMs: 6 * 3_600_000, tickMs: 1_000 }

/** How many vaults are gone through in one tick; with more of them, the turns of each come more seldom. */
const collectionsATick = 50
const page = 100
/** How many copies are looked at side by side, where somebody waits. */
const side = 8
/** Looks come up to a tenth earlier than a period after the one before. */
const fullPeriod = 0.8

export interface LookParts {
  context: Context
  store: { keys: KeyStore; kms: KmsStore; copies: CopyStore; looks: LookStore }
  connections: Connections
  operations: OperationWaiter
  observer: Observer
  timing: LookTiming
}

/** What came of looking at all copies of a KMS. */
export interface Reconciled {
  /** Copies that were looked at, of how many that could be. */
  looked: number
  copies: number
  /** By name of the key: what was found, of those where something was; and why a look was not possible. */
  drift: Record<string, DriftEntry[]>
  failed: Record<string, string>
}

/**
 * Compares copies on which no work is under way with what the cloud has, now and then: keeps the differences with the copy, and has
 * put right what its policy allows. Each vault gets one look a tick at most, whatever is overdue, so that looks are spread evenly. A
 * look never changes what should be: what is missing is told, and never forgotten.
 */
export class Looks {
  readonly #parts: LookParts
  readonly #pace: Pace
  readonly #busy = new Set<string>()
  readonly #work = new Set<Promise<void>>()
  #after = ''
  #stopTimer = () => {}
  #closing = false

  constructor(parts: LookParts) {
    this.#parts = parts
    this.#pace = new Pace(parts.context, parts.observer)
  }

  start(): void {
    this.#stopTimer = this.#parts.context.after(this.#parts.timing.tickMs, () => {
      this.start()
      this.#track(this.tick())
    })
  }

  /** Takes no new looks, and resolves when those under way have ended. */
  async close(): Promise<void> {
    this.#closing = true
    this.#stopTimer()
    this.#pace.close()
    await Promise.all(this.#work)
  }

  /** When a copy made now is looked at for the first time: at any time within a period, so that looks do not come together. */
  firstLookAt(): number {
    const { context, timing } = this.#parts
    return Math.ceil(context.now() + timing.everyMs * chance(context))
  }

  /** One look at each of the next vaults, where one is due and none is under way. */
  async tick(): Promise<void> {
    const { context, store } = this.#parts
    try {
      const collections = await store.looks.collections(this.#after, collectionsATick)
      this.#after = collections.length < collectionsATick ? '' : (collections.at(-1) ?? '')
      await Promise.all(collections.filter((one) => !this.#busy.has(one)).map((one) => this.#next(one)))
    } catch (error) {
      if (!this.#closing) context.log('error', 'looking for drift failed', { error: String(error) })
    }
  }

  /**
   * Looks at every copy of a KMS now, as far as it gets before the deadline; what is left is looked at next in the background. Throws
   * `not_found` for a KMS that does not exist.
   */
  async reconcile(scope: Scope, kmsName: string, waiting: Waiting): Promise<Reconciled> {
    const { context, store } = this.#parts
    const kms = await store.kms.find(scope.mountId, kmsName)
    if (!kms) throw new KeyferryError('not_found', `KMS "${checkName('KMS', kmsName)}" not found`)
    const result: Reconciled = { looked: 0, copies: 0, drift: {}, failed: {} }
    const one = async (copy: CopyRow) => {
      if (context.now() >= waiting.deadline || this.#closing) {
        await store.looks.claim(copy.id, copy.nextLookAt, context.now())
        return
      }
      await this.#pace.take(copy.collection, kms.id)
      const name = (copy.keyId === null ? undefined : await store.keys.byId(copy.keyId))?.name ?? copy.remoteName
      try {
        const drift = await this.#look(copy, () => this.#pace.take(copy.collection, kms.id), true)
        result.looked += 1
        if (drift.length > 0) result.drift[name] = drift
      } catch (error) {
        result.failed[name] = reasonOf(error)
      }
    }
    for (let after = ''; ; ) {
      const copies = await store.looks.ofKms(kms.id, after, page)
      result.copies += copies.length
      const left = [...copies]
      const worker = async () => {
        for (let copy = left.shift(); copy; copy = left.shift()) await one(copy)
      }
      await Promise.all(Array.from({ length: side }, worker))
      const last = copies.at(-1)
      if (!last || copies.length < page) return result
      after = last.id
    }
  }

  async #next(collection: string): Promise<void> {
    const { context, store, timing } = this.#parts
    const now = context.now()
    const [copy] = await store.looks.due(collection, now, 1)
    if (!copy || this.#closing) return
    // Up to a tenth earlier or later, or copies that were once looked at together would be for ever.
    const next = now + timing.everyMs * (0.9 + 0.2 * chance(context))
    if (!(await store.looks.claim(copy.id, copy.nextLookAt, next))) return
    this.#busy.add(collection)
    const look = this.#look(copy, () => new Promise<void>((go) => context.after(timing.tickMs, go)), false)
      .then(() => {})
      .catch((error: unknown) => {
        if (!(error instanceof CloudError || error instanceof KeyferryError))
          context.log('error', 'a look at a copy failed', { copyId: copy.id, error: String(error) })
      })
      .finally(() => this.#busy.delete(collection))
    this.#track(look)
  }

  /** `pause`: before each further request. `asked`: what could not be put right lately is tried again all the same. */
  async #look(copy: CopyRow, pause: () => Promise<void>, asked: boolean): Promise<DriftEntry[]> {
    const { context, store, connections, operations, timing } = this.#parts
    const kms = copy.kmsId === null ? undefined : await store.kms.byId(copy.kmsId)
    const key = copy.keyId === null ? undefined : await store.keys.byId(copy.keyId)
    if (kms?.namespaceId !== copy.namespaceId || key?.namespaceId !== copy.namespaceId)
      throw new KeyferryError('corrupt', 'a copy that should be present has no key or no KMS of its namespace')
    const versions = await store.copies.versions(copy.id)
    const newest = versions.at(-1)
    const stored = newest && (await store.keys.version(key.id, newest.version))
    const connection = await connections.ofKms(kms)
    const remote = await connection.describe(copy.remoteName)
    const read = await furtherReads(connection, copy.remoteName, remote, versions, async () => {
      await pause()
      return !this.#closing
    })
    const publicKey = stored?.publicKey ?? null
    const now = context.now()
    const { drift, restorable } = compare({
      copy,
      versions,
      minEnabledVersion: key.minEnabledVersion,
      remote,
      read,
      newestPublicKey: publicKey === null ? null : createPublicKey(publicKey).export({ type: 'spki', format: 'der' }),
      can: capabilitiesOf(connection),
      now,
    })
    // Once a period: what comes back at once is somebody else's doing, and would make a version more each time.
    const since = now - timing.everyMs * fullPeriod
    const isDue = ({ triedAt }: DriftEntry) => asked || triedAt === undefined || triedAt <= since
    const repair = mayRestore(copy) && restorable.some(isDue)
    if (repair) for (const entry of restorable) delete entry.notRestored
    const kept = await store.looks.found(copy, drift, now, repair)
    if (kept && repair) operations.kick(copy.id)
    return kept ? drift : []
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
  }
}

/** From 0 to 1. */
function chance(context: Context): number {
  return Number.parseInt(context.randomHex(4), 16) / 0xffffffff
}
