import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import { CloudError, type Connection, type Provider } from '../kms/provider.ts'
import type { ProviderRegistry } from '../kms/registry.ts'
import type { CopyRow, CopyStore, Lease } from '../store.ts'

/** One piece of work on a leased copy, as deliver.ts and withdraw.ts see it. */
export interface Job {
  copy: CopyRow
  lease: Lease
  /** Whoever was at it before never gave the lease back: calls of theirs may still be on their way. */
  abandoned: boolean
  connection: Connection
  /** The call's time-out plus settle time of the provider, in ms. */
  lostAfterMs: number
  newestAfterMs: number
  /** How long a recovery may take to have its effect, in ms; not less than `lostAfterMs`. */
  recoveryMs: number
  /**
   * Sees to it that the lease has longer to run than a call may take. To be called right before every call to the cloud. Throws
   * `Interrupted` when the job should not go on.
   */
  keepLease(): Promise<void>
}

/** How long a lease is taken for, and extended each time. */
export const leaseMs = 180_000

/** What `Job.keepLease` does: extends the lease in time, and throws `Interrupted` where what should be is otherwise by now. */
export function leaseKeeper(
  { context, store }: { context: Context; store: { copies: CopyStore } },
  copy: CopyRow,
  lease: Lease,
  callTimeoutMs: number,
  isClosing: () => boolean,
): () => Promise<void> {
  let until = copy.leaseUntil
  return async () => {
    const now = context.now()
    const wanted = await store.copies.byId(copy.id)
    if (isClosing() || wanted?.desired !== copy.desired || wanted.repair !== copy.repair) throw new Interrupted()
    if (until - now > 2 * callTimeoutMs) return
    await store.copies.extend(lease, now + leaseMs)
    until = now + leaseMs
  }
}

/** The provider's times, as a job goes by them; a removal that no longer knows its provider takes the longest of all. */
export function timesOf(registry: ProviderRegistry, provider: string | undefined) {
  const all = provider === undefined ? registry.names().map((name) => registry.get(name)) : [registry.get(provider)]
  const longest = (time: (one: Provider) => number) => Math.max(...all.map(time))
  const callTimeoutMs = longest((one) => one.callTimeoutMs)
  const lostAfterMs = callTimeoutMs + longest((one) => one.settleMs)
  return {
    callTimeoutMs,
    lostAfterMs,
    newestAfterMs: longest((one) => one.newestAfterMs),
    recoveryMs: Math.max(
      lostAfterMs,
      longest((one) => one.recoveryMs),
    ),
  }
}

/** What a job comes to, beside being done or dropped in the store. */
export type Outcome = { again: false } | { again: true; at: number; why: string }

/** What should be was turned round meanwhile, or the process is stopping: the lease is given back, and the rest taken up from there. */
export class Interrupted extends Error {}

/** How often due copies are looked for, and the bounds of the back-off, in ms. */
export interface Timing {
  scanMs: number
  firstBackOffMs: number
  lastBackOffMs: number
}

export const defaultTiming: Timing = { scanMs: 1_000, firstBackOffMs: 1_000, lastBackOffMs: 300_000 }

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

/** True for a no that sending again would not change. Trouble of our own database, or of the program, is none. */
export function isFinal(error: unknown): boolean {
  if (error instanceof CloudError) return error.kind === 'refused' || error.kind === 'name_taken'
  return error instanceof KeyferryError && !['unavailable', 'conflict', 'too_many'].includes(error.code)
}

/** True for a final no of the cloud, or to what was found there; not for a fault of ours. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof CloudError) return isFinal(error)
  return error instanceof KeyferryError && error.code === 'refused'
}

/** What callers are told; what was never meant for them stays in the log. */
export function reasonOf(error: unknown): string {
  if (error instanceof CloudError || error instanceof KeyferryError) return error.message
  return 'something unexpected went wrong in the gateway: see its log'
}

/** A call that leaves later than this after it was recorded as sent is not sent: a lost answer is counted from that time. */
const latestDepartureMs = 1_000

/** To be asked right before a call that was recorded at `sentAt`. Throws `unavailable`, without effect, where the machine stood still. */
export function checkDeparture(context: Context, sentAt: number): void {
  if (context.now() - sentAt <= latestDepartureMs) return
  const why = 'it took too long to record that a change is sent: it was not sent'
  throw new CloudError('unavailable', why, { effect: 'none' })
}
