/** What is remembered of a request: nothing secret, no query, no body. */
export interface RequestRecord {
  readonly method: string
  readonly host: string
  readonly path: string
  /** What it asked for: the names of `operations.ts`, `challenge`, `token`, `discovery`, `managedIdentity`, or `unknown`. */
  readonly operation: string
  readonly vault: string | undefined
  /** Who asked, once that was known. */
  readonly clientId: string | undefined
  /** The status that was answered; 0 where the connection was dropped. */
  readonly status: number
}

const capacity = 10_000

/** The last 10,000 requests at least, oldest first. */
export class RequestLog {
  #records: RequestRecord[] = []

  add(record: RequestRecord): void {
    this.#records.push(record)
    if (this.#records.length > 2 * capacity) this.#records = this.#records.slice(-capacity)
  }

  list(): readonly RequestRecord[] {
    return this.#records.slice(-capacity)
  }

  clear(): void {
    this.#records = []
  }
}
