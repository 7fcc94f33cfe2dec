import type { Context, Waiting } from '../context.ts'
import type { OperationRow, OperationStore, Touched } from '../store.ts'

/** How often operations that another process may be working on are looked at, in ms. */
const pollMs = 500
/** What setTimeout can take; more would fire at once. */
const longestTimer = 2 ** 31 - 1

interface Waiter {
  operationId: string
  namespaceId: string
  copyId: string
  done(operation: OperationRow | undefined): void
}

/**
 * Where requests wait for operations. The reconciler says when a copy got somewhere; what other processes did is found by looking,
 * and only while somebody waits.
 */
export class OperationWaiter {
  readonly #context: Context
  readonly #store: OperationStore
  readonly #waiters = new Set<Waiter>()
  /** Set by the reconciler: starts work on a copy. */
  kick: (copyId: string) => void = () => {}

  constructor(context: Context, store: OperationStore) {
    this.#context = context
    this.#store = store
  }

  /** True while a request of this process waits for the copy: only then can a refusal still become its answer. */
  isWaitedFor(copyId: string): boolean {
    for (const waiter of this.#waiters) if (waiter.copyId === copyId) return true
    return false
  }

  /** Starts work on the copy and waits until the operation has ended or the deadline is over. Gives it as it is then. */
  async wait(namespaceId: string, touched: Touched, waiting: Waiting): Promise<OperationRow | undefined> {
    const { promise, resolve } = Promise.withResolvers<OperationRow | undefined>()
    const waiter: Waiter = { ...touched, namespaceId, done: resolve }
    this.#waiters.add(waiter)
    const left = Math.min(longestTimer, Math.max(0, waiting.deadline - this.#context.now()))
    const timer = setTimeout(() => void this.#look(waiter, true), left)
    const poll = setInterval(() => void this.#look(waiter, false), pollMs)
    this.kick(touched.copyId)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      clearInterval(poll)
      this.#waiters.delete(waiter)
    }
  }

  /** Waits for all; gives a warning for each that was refused or is still going. */
  async outcomes(namespaceId: string, touched: Touched[], waiting: Waiting): Promise<string[]> {
    const ended = await Promise.all(touched.map((one) => this.wait(namespaceId, one, waiting)))
    return ended.flatMap((operation) => (operation ? warningOf(operation) : []))
  }

  /** The reconciler got somewhere with this copy. */
  progressed(copyId: string): void {
    for (const waiter of this.#waiters) if (waiter.copyId === copyId) void this.#look(waiter, false)
  }

  /** The operation, or the one that came of it when it was overtaken. */
  async #outcome(namespaceId: string, operationId: string): Promise<OperationRow | undefined> {
    let operation = await this.#store.byId(namespaceId, operationId)
    while (operation?.state === 'superseded' && operation.successor !== null) {
      const successor = await this.#store.byId(namespaceId, operation.successor)
      if (successor?.kind === 'remove' && operation.kind !== 'remove') {
        return { ...operation, state: 'failed', reason: 'the key was removed from the KMS meanwhile' }
      }
      operation = successor
    }
    return operation
  }

  async #look(waiter: Waiter, last: boolean): Promise<void> {
    try {
      const operation = await this.#outcome(waiter.namespaceId, waiter.operationId)
      if (last || operation?.state !== 'pending') waiter.done(operation)
    } catch {
      if (last) waiter.done(undefined)
    }
  }
}

/** What a caller is told of an operation that did not end well, or not yet. */
export function warningOf(operation: OperationRow): string[] {
  const why = operation.reason ? `: ${operation.reason}` : ''
  if (operation.state === 'failed')
    return [`operation ${operation.id} (${operation.kind}) was refused by the KMS${why}`]
  if (operation.state === 'pending') {
    return [`operation ${operation.id} (${operation.kind}) is still going on and will be continued${why}`]
  }
  return []
}
