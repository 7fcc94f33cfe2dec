import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import type { Connections } from '../kms/connections.ts'
import type { Store } from '../store.ts'
import { type Comparison, compareWithClouds } from './compare.ts'
import type { Hold } from './restore-store.ts'

/** A database after a restore: compared with the clouds, and held until an operator releases it. */
export class RestoreService {
  readonly #parts: { context: Context; store: Store; connections: Connections }

  constructor(parts: { context: Context; store: Store; connections: Connections }) {
    this.#parts = parts
  }

  async hold(): Promise<Hold | undefined> {
    return await this.#parts.store.restore.hold()
  }

  /** Compares every copy with its cloud. From then on new versions have numbers above every one seen there. */
  async compare(): Promise<Comparison> {
    const comparison = await compareWithClouds(this.#parts)
    await this.#parts.store.restore.raiseVersions(comparison.highest)
    return comparison
  }

  /**
   * Compares once more, takes what was made after the backup for known versions, and lets copies be worked on again. Throws `invalid` when
   * nothing is held, `unavailable` when a cloud could not be looked at, unless that is `accepted`.
   */
  async release(accepted: { unreachable: boolean }): Promise<Comparison> {
    const comparison = await this.compare()
    const unseen = comparison.differences.filter(({ kind }) => kind === 'unreachable')
    if (unseen.length > 0 && !accepted.unreachable) {
      const [first] = unseen
      throw new KeyferryError(
        'unavailable',
        `${unseen.length} of ${comparison.copies} copies could not be looked at, so that numbers of new versions could be taken there already; the first is key "${first?.key}" in KMS "${first?.kms}", which ${first?.what}`,
      )
    }
    await this.#parts.store.restore.release(comparison.lost, this.#parts.context.now())
    return comparison
  }
}
