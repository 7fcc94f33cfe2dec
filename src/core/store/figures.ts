import type { CountedKind } from '../access/limits.ts'
import type { Awaitable } from './awaitable.ts'
import type { DriftKind, OperationKind, OperationRow } from './copies.ts'

/** What the store counts. All but `ended`, `failedAttempts` and `commits`, which are this process's since its start, are of all processes. */
export interface StoreFigures {
  namespaces: number
  /** Over all namespaces. `tokens` are service tokens and answers that wait to be unwrapped. */
  objects: Record<Exclude<CountedKind, 'namespaces' | 'operations'>, number>
  pending: Record<OperationKind, number>
  /** When the oldest operation that is still pending was begun, in ms since 1970; null where there is none. */
  oldestPendingAt: number | null
  ended: { kind: OperationKind; state: Exclude<OperationRow['state'], 'pending'>; count: number }[]
  /** Attempts at a copy that did not succeed and are made again. */
  failedAttempts: number
  /** Copies with drift of a kind, 10,000 of them looked at at most. */
  drifted: Record<DriftKind, number>
  /** Of the database, and of its log. */
  bytes: number
  logBytes: number
  commits: number
}

export interface FigureStore {
  /** Costs as much as there are namespaces and work that is pending, whatever the number of keys. */
  read(): Awaitable<StoreFigures>
}
