import type { CloudFailure } from './kms/provider.ts'

/** What a call to a cloud is for. */
export type CloudOperation =
  | 'import'
  | 'update'
  | 'describe'
  | 'read'
  | 'delete'
  | 'recover'
  | 'list'
  | 'diagnose'
  | 'rotate'

/** What came of it: `unrecorded` was not sent, since no audit sink took it; `failed` is a fault of the gateway's own. */
export type CloudOutcome = 'ok' | CloudFailure | 'unrecorded' | 'failed'

/**
 * Is told of what happens in the core and leaves no trace in the store, by whoever counts it (telemetry/). It must neither throw nor take
 * noticeable time. The rest is asked for: see figures.ts.
 */
export interface Observer {
  /** A call to a cloud has ended. `provider` is the name of one that is registered. */
  cloudCall(provider: string, operation: CloudOperation, outcome: CloudOutcome, ms: number): void
  /** Something waited so long for its turn at a cloud, so that this is not asked for more than it takes. */
  paced(ms: number): void
}

/** Counts nothing. */
export const noObserver: Observer = { cloudCall: () => {}, paced: () => {} }
