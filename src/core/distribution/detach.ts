import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import type { Connections } from '../kms/connections.ts'
import type { AttachedCopy, Awaitable, Detached } from '../store.ts'
import type { OperationWaiter } from './operations.ts'

const mostAttempts = 5

/** Lets the removals of copies outlive the KMS that they were made for. */
export class Detaching {
  readonly #parts: { context: Context; connections: Connections; operations: OperationWaiter }

  constructor(parts: { context: Context; connections: Connections; operations: OperationWaiter }) {
    this.#parts = parts
  }

  /**
   * Removes what owns copies, so that each goes on as a removal with settings of its own. `attached` looks up the copies, and may throw to
   * refuse; `remove` removes the owner with them, and throws `conflict` where there is one that it was not given: then both come again.
   * Gives the copies. Throws `unavailable` when they keep coming.
   */
  async run(
    attached: () => Awaitable<AttachedCopy[]>,
    remove: (detached: Detached) => Promise<unknown>,
  ): Promise<AttachedCopy[]> {
    const { context, connections, operations } = this.#parts
    for (let attempt = 1; ; attempt++) {
      const rows = await attached()
      const settings = new Map<string, Buffer>()
      for (const { copy, kms } of rows) settings.set(copy.id, await connections.resealSettings(kms, copy.id))
      try {
        await remove({ settings, operationIds: context.uuid, now: context.now() })
        for (const { copy, kms } of rows) {
          connections.forget(kms.id)
          operations.kick(copy.id)
        }
        return rows
      } catch (error) {
        if (!(error instanceof KeyferryError && error.code === 'conflict')) throw error
        if (attempt >= mostAttempts)
          throw new KeyferryError('unavailable', 'keys are being distributed in it: try again', { cause: error })
      }
    }
  }
}
