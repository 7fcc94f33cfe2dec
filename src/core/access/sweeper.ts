import type { Context } from '../context.ts'

/** Forgets at most `limit` of what is over at a time, and gives how many that was. */
export type Sweep = (now: number, limit: number) => Promise<number>

/** How often, and how much in one change, so that nobody who writes has to wait for it. Ms. */
const everyMs = 5_000
const batch = 200
/** Between two batches where there is more to do, in ms. */
const pauseMs = 50

/**
 * Forgets what is over (tokens with their children, secret ids, wrapped answers) in the background and in small batches. None of it was
 * good any more: the sweeper makes room, it ends nothing.
 */
export class Sweeper {
  readonly #context: Context
  readonly #sweeps: readonly Sweep[]
  #stopTimer = () => {}
  #closing = false
  #work: Promise<void> | undefined

  constructor(context: Context, sweeps: readonly Sweep[]) {
    this.#context = context
    this.#sweeps = sweeps
  }

  start(): void {
    this.#next(everyMs)
  }

  /** One batch of each. True: there may be more. What fails is logged, and tried again at the next time. */
  async sweep(): Promise<boolean> {
    let more = false
    for (const sweep of this.#sweeps) {
      if (this.#closing) return false
      try {
        if ((await sweep(this.#context.now(), batch)) >= batch) more = true
      } catch (error) {
        if (!this.#closing) this.#context.log('warn', 'what is over was not swept away', { error: String(error) })
      }
    }
    return more
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#stopTimer()
    await this.#work
  }

  #next(ms: number): void {
    this.#stopTimer = this.#context.after(ms, () => {
      this.#work = this.sweep().then((more) => {
        if (!this.#closing) this.#next(more ? pauseMs : everyMs)
      })
    })
  }
}
