import type { Context, Waiting } from '../context.ts'
import type { OperationRow, OperationStore, Touched } from '../store.ts'

/** How often operations that another process may be working on are looked at, in ms. */
const pollMs = 500
/** What a timer can take; more would fire at once. */
const longestTimer = 2 ** 31 - 1

interface Waiter extends Touched {
  namespaceId: string
  /** Its caller asked for the delivery itself, and can still be told that it was refused. */
  delivery: boolean
  done(operation: OperationRow | undefined): void
}

/**
 * Where requests wait for operations. The reconciler says when a copy got somewhere; what other processes did is found by looking,
 * and only while somebody waits.
 */
export class OperationWaiter {
  readonly #context: Context
  readonly #store: Pick<OperationStore, 'byId'>
  readonly #waiters = new Set<Waiter>()
  #closed = false
  /** Set by the reconciler: starts work on a copy. */
  kick: (copyId: string) => void = () => {}

  constructor(context: Context, store: Pick<OperationStore, 'byId'>) {
    this.#context = context
    this.#store = store
  }

  /** True while a request of this process waits for the delivery of the copy: only then can a refusal still become its answer. */
  isDeliveryAwaited(copyId: string): boolean {
    for (const waiter of this.#waiters) if (waiter.delivery && waiter.copyId === copyId) return true
    return false
  }

  /**
   * Starts work on the copy and waits until the operation has ended or the deadline is over. Gives it as it is then; undefined where
   * that cannot be told.
   */
  async wait(
    namespaceId: string,
    touched: Touched,
    waiting: Waiting,
    delivery = false,
  ): Promise<OperationRow | undefined> {
    const { promise, resolve } = Promise.withResolvers<OperationRow | undefined>()
    const waiter: Waiter = { ...touched, namespaceId, delivery, done: resolve }
    this.#waiters.add(waiter)
    const left = this.#closed ? 0 : Math.max(0, waiting.deadline - this.#context.now())
    const stopWaiting = this.#context.after(Math.min(longestTimer, left), () => void this.#look(waiter, true))
    const stopPolling = this.#poll(waiter)
    this.kick(touched.copyId)
    try {
      const operation = await promise
      if (operation?.state === 'pending') waiting.unfinished?.(operation.id)
      return operation
    } finally {
      this.#waiters.delete(waiter)
      stopWaiting()
      stopPolling()
    }
  }

  /** Waits for all; gives a warning for each that was refused or is still going. */
  async outcomes(namespaceId: string, touched: Touched[], waiting: Waiting): Promise<string[]> {
    const warnings = await Promise.all(
      touched.map(async (one) => warningOf(one.operationId, await this.wait(namespaceId, one, waiting))),
    )
    return warnings.flat()
  }

  /** The reconciler got somewhere with this copy. */
  progressed(copyId: string): void {
    for (const waiter of this.#waiters) if (waiter.copyId === copyId) void this.#look(waiter, false)
  }

  /** Nothing will get anywhere any more: all that wait are answered with what is known. */
  close(): void {
    this.#closed = true
    for (const waiter of this.#waiters) void this.#look(waiter, true)
  }

  #poll(waiter: Waiter): () => void {
    let stop = () => {}
    const next = () => {
      stop = this.#context.after(pollMs, () => {
        next()
        void this.#look(waiter, false)
      })
    }
    next()
    return () => stop()
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

/** What a caller is told of an operation that did not end well, or not yet, or of which nothing is known. */
export function warningOf(id: string, operation: OperationRow | undefined): string[] {
  if (!operation) {
    return [`operation ${id}: what came of it is not known, since it cannot be read or its mount was removed meanwhile`]
  }
  const why = operation.reason ? `: ${operation.reason}` : ''
  if (operation.state === 'failed')
    return [`operation ${operation.id} (${operation.kind}) was refused by the KMS${why}`]
  if (operation.state === 'pending') {
    return [`operation ${operation.id} (${operation.kind}) is still going on and will be continued${why}`]
  }
  return []
}
