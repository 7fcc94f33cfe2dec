/** Time that passes only when nothing is left to do: hours of it in seconds. Timers fire in order. */
export class VirtualTime {
  #now: number
  #timers: { at: number; order: number; work: () => void }[] = []
  #order = 0
  /** Counts whatever happened: as long as it grows, time stands still. */
  #activity = 0
  #pending = 0

  constructor(start: number) {
    this.#now = start
  }

  now = (): number => this.#now

  after = (ms: number, work: () => void): (() => void) => {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, work }
    let index = this.#timers.length
    while (index > 0 && (this.#timers[index - 1]?.at ?? 0) > timer.at) index -= 1
    this.#timers.splice(index, 0, timer)
    this.#activity += 1
    return () => {
      const place = this.#timers.indexOf(timer)
      if (place >= 0) this.#timers.splice(place, 1)
    }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((go) => this.after(ms, go))
  }

  /** Time stands still until the promise has settled. */
  hold<T>(promise: Promise<T>): Promise<T> {
    this.#pending += 1
    const done = () => {
      this.#pending -= 1
      this.#activity += 1
    }
    promise.then(done, done)
    return promise
  }

  /** Runs until `promise` has settled and gives what it gave. Throws when nothing is left that could ever settle it. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const mark = () => {
      settled = true
    }
    promise.then(mark, mark)
    for (;;) {
      await this.#quiet()
      if (settled) return await promise
      const next = this.#timers.shift()
      if (!next) throw new Error('time stands still: nothing is left to wait for')
      this.#now = Math.max(this.#now, next.at)
      next.work()
    }
  }

  /** Waits for everything that goes on without time passing. */
  async #quiet(): Promise<void> {
    let seen = -1
    while (seen !== this.#activity || this.#pending > 0) {
      seen = this.#activity
      await new Promise((go) => setImmediate(go))
    }
  }
}

/** A generator of numbers from 0 to 1 that is the same for the same seed (mulberry32). */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** True in `share` of the cases. */
  of(share: number): boolean {
    return this.next() < share
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.next() * from.length)] as T
  }

  hex(bytes: number): string {
    return Array.from({ length: bytes }, () => this.between(0, 255).toString(16).padStart(2, '0')).join('')
  }

  uuid(): string {
    const hex = this.hex(16)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
  }
}
