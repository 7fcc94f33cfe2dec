import type { Context, Scope, Waiting } from '../context.ts'
import { invalid, KeyferryError } from '../errors.ts'
import type { CopyStore, KeyStore, KmsStore, OperationRow, OperationStore } from '../store.ts'
import { type OperationWaiter, warningOf } from './operations.ts'
import type { DistributionService } from './service.ts'

/** An operation as it is read. What names a key or a KMS is there as long as these are. */
export interface OperationView {
  id: string
  kind: OperationRow['kind']
  state: OperationRow['state']
  reason: string | null
  successor: string | null
  createdAt: number
  finishedAt: number | null
  key: string | null
  kms: string | null
  /** Of work that is still to be done: failures in a row, and when it is tried next (ms since 1970). */
  attempts: number | null
  nextAttemptAt: number | null
}

export interface OperationServiceParts {
  context: Context
  store: { operations: OperationStore; copies: CopyStore; keys: KeyStore; kms: KmsStore }
  operations: OperationWaiter
  distribution: DistributionService
}

/** What is being done in clouds, and what came of it; it can be hurried, and some of it called off. */
export class OperationService {
  readonly #parts: OperationServiceParts

  constructor(parts: OperationServiceParts) {
    this.#parts = parts
  }

  async list(scope: Scope, page?: { after?: string; limit?: number }): Promise<string[]> {
    return await this.#parts.store.operations.ofMount(scope.mountId, page)
  }

  /** Throws `not_found`. */
  async read(scope: Scope, id: string): Promise<OperationView> {
    return await this.#view(await this.#find(scope, id))
  }

  /** Of those that no mount or key leads to any more: of the namespace, and of deleted ones right below it. */
  async listOrphaned(namespaceId: string, page?: { after?: string; limit?: number }): Promise<string[]> {
    return await this.#parts.store.operations.orphaned(namespaceId, page)
  }

  /** Any operation of the namespace, and of deleted ones right below it. Throws `not_found`. */
  async readAny(namespaceId: string, id: string): Promise<OperationView> {
    const operation = await this.#parts.store.operations.belowToo(namespaceId, id)
    if (!operation) throw notFound()
    return await this.#view(operation)
  }

  /**
   * Tries now what is waiting for its time, or was refused and stopped. Gives the id of the operation: another one where it had ended.
   * Throws `invalid` where there is nothing to try again.
   */
  async retry(scope: Scope, id: string, waiting: Waiting): Promise<{ id: string; warnings: string[] }> {
    const { context, store, operations } = this.#parts
    const operation = await this.#find(scope, id)
    const touched = await store.operations.retry(id, context.uuid(), context.now())
    if (!touched) throw nothingToRetry(operation)
    const ended = await operations.wait(scope.namespaceId, touched, waiting)
    return { id: touched.operationId, warnings: warningOf(touched.operationId, ended) }
  }

  /** Like `retry`, for any operation that `readAny` reads; does not wait for what comes of it. */
  async retryAny(namespaceId: string, id: string): Promise<string> {
    const { context, store, operations } = this.#parts
    const operation = await store.operations.belowToo(namespaceId, id)
    if (!operation) throw notFound()
    const touched = await store.operations.retry(id, context.uuid(), context.now())
    if (!touched) throw nothingToRetry(operation)
    operations.kick(touched.copyId)
    return touched.operationId
  }

  /**
   * Calls off a first distribution that is still going on: what is there of it is removed. Gives the id of the removal. Throws
   * `invalid` for anything else.
   */
  async cancel(scope: Scope, id: string, waiting: Waiting): Promise<{ id: string; warnings: string[] }> {
    const operation = await this.#find(scope, id)
    if (operation.state !== 'pending') throw invalid(`the operation cannot be cancelled: ${endOf(operation)}`)
    return await this.#parts.distribution.callOff(scope, operation.copyId, waiting)
  }

  async #find(scope: Scope, id: string): Promise<OperationRow> {
    const operation = await this.#parts.store.operations.byId(scope.namespaceId, id)
    if (operation?.mountId !== scope.mountId) throw notFound()
    return operation
  }

  async #view(operation: OperationRow): Promise<OperationView> {
    const { store } = this.#parts
    const { id, kind, state, reason, successor, createdAt, finishedAt } = operation
    const copy = await store.copies.byId(operation.copyId)
    const key = copy?.keyId == null ? undefined : await store.keys.byId(copy.keyId)
    const kms = copy?.kmsId == null ? undefined : await store.kms.byId(copy.kmsId)
    const pending = state === 'pending' ? copy : undefined
    return {
      ...{ id, kind, state, reason, successor, createdAt, finishedAt },
      key: key?.name ?? null,
      kms: kms?.name ?? null,
      attempts: pending?.attempts ?? null,
      nextAttemptAt: pending?.nextAttemptAt ?? null,
    }
  }
}

function notFound(): KeyferryError {
  return new KeyferryError('not_found', 'operation not found: those that ended are kept for seven days')
}

function nothingToRetry(operation: OperationRow): KeyferryError {
  return invalid(`nothing is left to be tried again: ${endOf(operation)}`)
}

function endOf({ state, successor }: OperationRow): string {
  if (state === 'superseded') return `it was overtaken by operation ${successor}`
  if (state === 'pending') return 'the copy that it was about is gone'
  return `it has ended (${state})`
}
