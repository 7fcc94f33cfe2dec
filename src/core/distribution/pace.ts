import type { Context } from '../context.ts'
import { noObserver, type Observer } from '../telemetry.ts'

/** What a vault takes: Azure's 300 imports in 10 s, less a margin for others. */
const burst = 250
const refillPerMs = 250 / 10_000

interface Bucket {
  tokens: number
  filledAt: number
  /** Those that wait, by who they are: each gets its turn. */
  queues: Map<string, (() => void)[]>
  stopTimer: (() => void) | undefined
}

/**
 * Paces imports by collection with a token bucket, shared fairly: waiting users of one collection take turns, so that one with a
 * thousand imports does not starve one with a single import.
 */
export class Pace {
  readonly #time: Pick<Context, 'now' | 'after'>
  readonly #observer: Pick<Observer, 'paced'>
  readonly #buckets = new Map<string, Bucket>()

  constructor(time: Pick<Context, 'now' | 'after'>, observer: Pick<Observer, 'paced'> = noObserver) {
    this.#time = time
    this.#observer = observer
  }

  /** Resolves when `user` may send one import to `collection`. */
  async take(collection: string, user: string): Promise<void> {
    const bucket = this.#bucket(collection)
    refill(bucket, this.#time.now())
    if (bucket.queues.size === 0 && bucket.tokens >= 1) {
      bucket.tokens -= 1
      return
    }
    const since = this.#time.now()
    await new Promise<void>((go) => {
      const queue = bucket.queues.get(user) ?? []
      queue.push(go)
      bucket.queues.set(user, queue)
      this.#schedule(bucket)
    })
    this.#observer.paced(this.#time.now() - since)
  }

  /** Lets everybody go who waits: there is nobody left to make them. What they would send is for them to leave undone. */
  close(): void {
    for (const bucket of this.#buckets.values()) {
      bucket.stopTimer?.()
      for (const queue of bucket.queues.values()) for (const go of queue) go()
    }
    this.#buckets.clear()
  }

  #bucket(collection: string): Bucket {
    const known = this.#buckets.get(collection)
    if (known) return known
    // A full bucket that nobody waits for says nothing: forget those before the map grows.
    if (this.#buckets.size >= 1000) {
      for (const [name, bucket] of this.#buckets) {
        refill(bucket, this.#time.now())
        if (bucket.tokens >= burst && bucket.queues.size === 0) this.#buckets.delete(name)
      }
    }
    const fresh: Bucket = { tokens: burst, filledAt: this.#time.now(), queues: new Map(), stopTimer: undefined }
    this.#buckets.set(collection, fresh)
    return fresh
  }

  #schedule(bucket: Bucket): void {
    bucket.stopTimer ??= this.#time.after(1 / refillPerMs, () => {
      bucket.stopTimer = undefined
      refill(bucket, this.#time.now())
      while (bucket.tokens >= 1 && bucket.queues.size > 0) serveNext(bucket)
      if (bucket.queues.size > 0) this.#schedule(bucket)
    })
  }
}

function refill(bucket: Bucket, now: number): void {
  bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, now - bucket.filledAt) * refillPerMs)
  bucket.filledAt = now
}

/** The user at the front gets one, and goes to the end if it waits for more. */
function serveNext(bucket: Bucket): void {
  for (const [user, queue] of bucket.queues) {
    bucket.queues.delete(user)
    const go = queue.shift()
    if (queue.length > 0) bucket.queues.set(user, queue)
    if (!go) continue
    bucket.tokens -= 1
    go()
    return
  }
}
