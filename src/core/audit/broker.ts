import type { KeyObject } from 'node:crypto'
import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import { chain, chainKey, type Head, startOf } from './chain.ts'
import type { Sink } from './sink.ts'

interface Line {
  body: string
  done(error?: unknown): void
}

export interface BrokerParts {
  context: Context
  sinks: Sink[]
  auditKey: Buffer
  /** Keeps the heads of the chains, so that a cut-off end shows. */
  keepHeads(heads: Head[]): Promise<void>
}

/** A sink that has not taken its lines for this long counts as failed, in ms. */
const hangsAfterMs = 2_000
const headsEveryMs = 1_000

/** One sink with its chain and what waits for it. */
class Lane {
  readonly sink: Sink
  readonly #key: KeyObject
  head: Head
  failing = false
  #waiting: Line[] = []
  #busy = false

  constructor(sink: Sink, key: KeyObject, run: string) {
    this.sink = sink
    this.#key = key
    this.head = startOf(run, sink.name)
  }

  /** Lines of the same turn go out together, in order. */
  push(line: Line): void {
    this.#waiting.push(line)
    if (!this.#busy) void this.#drain()
  }

  async #drain(): Promise<void> {
    this.#busy = true
    await undefined
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.splice(0)
      const written: string[] = []
      let head = this.head
      for (const { body } of lines) {
        const next = chain(this.#key, head, body)
        written.push(next.line)
        head = next.head
      }
      try {
        await inTime(this.sink.write(written))
        this.head = head
        this.failing = false
        for (const line of lines) line.done()
      } catch (error) {
        // What came of the lines is not known: the chain begins anew rather than to look broken.
        this.failing = true
        this.head = startOf(crypto.randomUUID(), this.sink.name)
        for (const line of lines) line.done(error)
      }
    }
    this.#busy = false
  }
}

/** Takes audit lines to every sink; one that took them is enough. */
export class AuditBroker {
  readonly #lanes: Lane[]
  readonly #parts: BrokerParts
  readonly #timer: NodeJS.Timeout | undefined
  #kept = '[]'

  constructor(parts: BrokerParts) {
    this.#parts = parts
    const key = chainKey(parts.auditKey)
    this.#lanes = parts.sinks.map((sink) => new Lane(sink, key, parts.context.uuid()))
    if (this.#lanes.length > 0) {
      this.#timer = setInterval(() => void this.#keepHeads(), headsEveryMs)
      this.#timer.unref()
    }
  }

  /** False: there is no sink, and nothing is recorded. */
  get on(): boolean {
    return this.#lanes.length > 0
  }

  get sinks(): number {
    return this.#lanes.length
  }

  /** How many sinks did not take their last lines. */
  get failing(): number {
    return this.#lanes.filter((lane) => lane.failing).length
  }

  /** Whether the last lines reached a sink. */
  get healthy(): boolean {
    return !this.on || this.#lanes.some((lane) => !lane.failing)
  }

  /**
   * Records one line, a JSON object. Resolves when a sink has it; throws `unavailable` when none could take it: then the request must
   * not have an effect, or its answer must not leave.
   */
  async record(body: string): Promise<void> {
    if (!this.on) return
    const results = await Promise.all(
      this.#lanes.map((lane) => new Promise<unknown>((done) => lane.push({ body, done: (error) => done(error) }))),
    )
    if (results.some((error) => error === undefined)) return
    this.#parts.context.log('error', 'no audit sink could record a request', { error: String(results[0]) })
    throw new KeyferryError('unavailable', 'the request could not be recorded in the audit log: nothing was done', {
      cause: results[0],
    })
  }

  /** After the files were moved away. */
  async reopen(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.sink.reopen()))
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#keepHeads()
    await Promise.all(this.#lanes.map((lane) => lane.sink.close()))
  }

  async #keepHeads(): Promise<void> {
    const heads = this.#lanes.map((lane) => lane.head).filter((head) => head.sequence > 0)
    const now = JSON.stringify(heads)
    if (now === this.#kept) return
    try {
      await this.#parts.keepHeads(heads)
      this.#kept = now
    } catch (error) {
      this.#parts.context.log('error', 'the head of the audit log could not be kept', { error: String(error) })
    }
  }
}

/** A sink that hangs must not hang everybody. */
async function inTime(written: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new Error(`the audit sink did not take its lines in ${hangsAfterMs} ms`)),
    hangsAfterMs,
  )
  try {
    await Promise.race([written, promise])
  } finally {
    clearTimeout(timer)
  }
}
