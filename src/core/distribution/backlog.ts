import type { Context } from '../context.ts'
import type { CopyStore, DueCopy, Lane } from '../store.ts'
import type { Lanes } from './lanes.ts'

/** How many due copies are looked for at once; and, where there are more, in how many lanes, and how many of each. */
const most = 100
const mostLanes = 100
const mostEach = 12

/** What is due in the store, however much it is: as much of it waits in memory as will soon be begun. */
export class Backlog {
  readonly #context: Context
  readonly #copies: Pick<CopyStore, 'due' | 'dueByLane'>
  readonly #lanes: Lanes
  /** Where the look at the lanes goes on. */
  #after: Lane | undefined
  #looking = false
  /** There was more than was looked at: it goes on once so few wait. */
  #goOnAt = -1

  constructor(context: Context, copies: Pick<CopyStore, 'due' | 'dueByLane'>, lanes: Lanes) {
    this.#context = context
    this.#copies = copies
    this.#lanes = lanes
  }

  /** More is due than waits, and little of it is left. */
  get isLow(): boolean {
    return this.#lanes.waiting <= this.#goOnAt
  }

  /** Looks for the longest due, and where there are more than those, for some of each lane in turn, then calls `begin`. */
  async look(begin: () => void): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      const now = this.#context.now()
      const longest = await this.#copies.due(now, most)
      this.#add(longest)
      if (longest.length === most) {
        const { copies, last } = await this.#copies.dueByLane(this.#after, now, mostLanes, mostEach)
        this.#after = last
        this.#add(copies)
      }
      begin()
      this.#goOnAt = longest.length === most ? Math.floor(this.#lanes.waiting / 2) : -1
    } finally {
      this.#looking = false
    }
  }

  #add(copies: readonly DueCopy[]): void {
    for (const copy of copies) this.#lanes.add(copy, true)
  }
}
