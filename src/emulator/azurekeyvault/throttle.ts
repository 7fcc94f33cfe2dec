import { ServiceError } from './errors.ts'
import type { Vault } from './vault.ts'

export type ThrottleCategory = 'import' | 'createHsm' | 'createSoftware'

/** Transactions in ten seconds, per vault (Azure: Key Vault service limits). */
const limits: Readonly<Record<ThrottleCategory, number>> = { import: 300, createHsm: 10, createSoftware: 20 }

const windowMs = 10_000

/** Counts what a vault with `throttle: true` lets through, over a sliding window of the emulator's clock. */
export class Throttle {
  readonly #times = new WeakMap<Vault, Map<ThrottleCategory, number[]>>()

  /**
   * Takes one transaction. Refused ones do not count, as in the real service.
   *
   * @throws {ServiceError} 429, with a Retry-After only where the vault's spec asks for one
   */
  take(vault: Vault, category: ThrottleCategory): void {
    if (!vault.spec.throttle) return
    const categories = this.#times.get(vault) ?? new Map<ThrottleCategory, number[]>()
    this.#times.set(vault, categories)
    const recent = (categories.get(category) ?? []).filter((time) => time > vault.now - windowMs)
    categories.set(category, recent)
    if (recent.length >= limits[category]) {
      const seconds = vault.spec.retryAfterSeconds
      throw new ServiceError(
        429,
        'Throttled',
        'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
        seconds === undefined ? {} : { headers: { 'retry-after': String(seconds) } },
      )
    }
    recent.push(vault.now)
  }
}
