import { AsyncLocalStorage } from 'node:async_hooks'

/** On whose account a cloud is called: the operation that is worked on, or the request that asks for an answer of the cloud. */
export interface Cause {
  operationId?: string | undefined
  requestId?: string | undefined
}

const current = new AsyncLocalStorage<Cause>()

/** Does some work so that the calls to clouds in it are known to be on this account. */
export function causedBy<T>(cause: Cause, work: () => T): T {
  return current.run(cause, work)
}

export function currentCause(): Cause {
  return current.getStore() ?? {}
}
