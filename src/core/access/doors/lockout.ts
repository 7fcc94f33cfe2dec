/** Vault's defaults for user lockout. Times in ms. */
export interface LockoutRule {
  tries: number
  /** Without a wrong try for this long, counting starts again. */
  resetMs: number
  lockedMs: number
  /** How many are remembered at a time. */
  kept: number
}

export const vaultLockout: LockoutRule = { tries: 5, resetMs: 15 * 60_000, lockedMs: 15 * 60_000, kept: 10_000 }

interface Count {
  wrong: number
  lastAt: number
  lockedUntil: number
}

/**
 * Counts wrong secrets and locks out: in this process, as Vault's counts are each server's. Only what exists is to be counted, so that
 * nobody can make it forget by guessing names; what is remembered is bounded, the oldest go first.
 */
export class Lockout {
  readonly #now: () => number
  readonly #rule: LockoutRule
  /** In order of the last wrong try. */
  readonly #counts = new Map<string, Count>()

  constructor(now: () => number, rule: LockoutRule = vaultLockout) {
    this.#now = now
    this.#rule = rule
  }

  get size(): number {
    return this.#counts.size
  }

  locked(who: string): boolean {
    return (this.#counts.get(who)?.lockedUntil ?? 0) > this.#now()
  }

  /** A wrong secret. True when this one locks. While locked, nothing is counted. */
  wrong(who: string): boolean {
    const now = this.#now()
    const known = this.#counts.get(who)
    if (known && known.lockedUntil > now) return false
    const counts = known && known.lockedUntil === 0 && now - known.lastAt < this.#rule.resetMs
    const wrong = counts ? known.wrong + 1 : 1
    const locks = wrong >= this.#rule.tries
    this.#counts.delete(who)
    if (this.#counts.size >= this.#rule.kept) this.#makeRoom(now)
    this.#counts.set(who, { wrong, lastAt: now, lockedUntil: locks ? now + this.#rule.lockedMs : 0 })
    return locks
  }

  /** A right secret, or an operator's word: counting starts again. */
  clear(who: string): void {
    this.#counts.delete(who)
  }

  #makeRoom(now: number): void {
    for (const [who, { lastAt, lockedUntil }] of this.#counts) {
      if (lockedUntil > now || now - lastAt < this.#rule.resetMs) break
      this.#counts.delete(who)
    }
    // Then the oldest that is not locked, whose guesser gains a few tries; where all are locked, the oldest.
    if (this.#counts.size < this.#rule.kept) return
    let oldest = this.#counts.keys().next().value
    for (const [who, { lockedUntil }] of this.#counts) {
      if (lockedUntil > now) continue
      oldest = who
      break
    }
    if (oldest !== undefined) this.#counts.delete(oldest)
  }
}
