/**
 * The processes that work on a store. What one of them holds there (a lease, a request under way) names it, and is free the moment that it
 * has ended, however it ended.
 */
export interface ProcessStore {
  /** Names this process: other ones can tell from it whether it has ended. What it writes as an owner begins with this. */
  readonly self: string
  /** True where it is certain that the process which wrote `owner` has ended. False where it lives, and where that cannot be told. */
  isDead(owner: string): boolean
}
