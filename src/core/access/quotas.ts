import type { Context } from '../context.ts'
import { invalid, KeyferryError } from '../errors.ts'
import { checkName } from '../names.ts'
import type { NamespaceRow, RateLimitRow, RateLimitStore } from '../store.ts'
import { networkOf } from './cidrs.ts'

/** Too many requests: when to come again. */
export class TooManyRequests extends KeyferryError {
  readonly retryAfterSeconds: number

  constructor(retryAfterSeconds: number, message = 'rate limit quota exceeded: wait and try again') {
    super('too_many', message)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

interface Bucket {
  tokens: number
  filledAt: number
  blockedUntil: number
}

/** How many callers are told apart at a time, all limits together. */
const mostBuckets = 50_000
const paths = /^(?:[A-Za-z0-9_.-]+\/)*[A-Za-z0-9_.-]*\*?$/

export interface QuotaParts {
  context: Context
  store: { rateLimits: RateLimitStore }
}

/** Rate limits by namespace and mount: a token bucket per caller's address, of IPv6 per /64 network. */
export class QuotaService {
  readonly #parts: QuotaParts
  #limits: Map<string, RateLimitRow[]> | undefined
  readonly #buckets = new Map<string, Bucket>()

  constructor(parts: QuotaParts) {
    this.#parts = parts
  }

  /** Drops what is remembered of the limits; callers' buckets stay. */
  forget(): void {
    this.#limits = undefined
  }

  async list(namespace: NamespaceRow): Promise<RateLimitRow[]> {
    return await this.#parts.store.rateLimits.list(namespace.id)
  }

  /** Sets a limit. Throws `invalid` naming the field. */
  async put(row: RateLimitRow): Promise<void> {
    checkName('quota', row.name)
    if (!(Number.isFinite(row.rate) && row.rate > 0)) throw invalid('rate: allowed are numbers above 0')
    if (!Number.isSafeInteger(row.interval) || row.interval < 1) throw invalid('interval: allowed is 1 second or more')
    if (!Number.isSafeInteger(row.blockInterval) || row.blockInterval < 0)
      throw invalid('block_interval: allowed is 0 or more seconds')
    if (!paths.test(row.path) || row.path.split('/').some((part) => part === '.' || part === '..'))
      throw invalid(`path: allowed is a mount path such as keymgmt/, or nothing for the whole namespace`)
    try {
      await this.#parts.store.rateLimits.put(row)
    } finally {
      this.forget()
    }
  }

  async remove(namespace: NamespaceRow, name: string): Promise<void> {
    try {
      await this.#parts.store.rateLimits.remove(namespace.id, name)
    } finally {
      this.forget()
    }
  }

  /**
   * Counts a request. `lineage`: gives the namespaces from the request's own up to the root, and is asked only where there is a limit;
   * `path`: within its namespace. In each namespace the most specific limit counts, so that no tenant's own limit undoes the one that it
   * was given from above. Throws `TooManyRequests`.
   */
  async take(lineage: () => Promise<readonly NamespaceRow[]>, path: string, address: string): Promise<void> {
    const limits = this.#limits ?? (await this.#load())
    if (limits.size === 0) return
    const namespaces = await lineage()
    const own = namespaces[0]?.path
    if (own === undefined) return
    const full = own === '' ? path : `${own}/${path}`
    for (const namespace of namespaces) {
      const relative = namespace.path === '' ? full : full.slice(namespace.path.length + 1)
      const limit = mostSpecific(limits.get(namespace.id) ?? [], relative)
      if (limit) this.#takeFrom(limit, address)
    }
  }

  #takeFrom(limit: RateLimitRow, address: string): void {
    const now = this.#parts.context.now()
    const key = `${limit.namespaceId}/${limit.name}/${networkOf(address)}`
    // A rate below 1 still lets one request through at a time.
    const most = Math.max(1, limit.rate)
    const bucket = this.#buckets.get(key) ?? { tokens: most, filledAt: now, blockedUntil: 0 }
    if (bucket.blockedUntil > now) throw new TooManyRequests(Math.ceil((bucket.blockedUntil - now) / 1000))
    const perMs = limit.rate / (limit.interval * 1000)
    bucket.tokens = Math.min(most, bucket.tokens + (now - bucket.filledAt) * perMs)
    bucket.filledAt = now
    if (!this.#buckets.has(key)) {
      if (this.#buckets.size >= mostBuckets) this.#dropOldest()
      this.#buckets.set(key, bucket)
    }
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1
      return
    }
    bucket.blockedUntil = limit.blockInterval > 0 ? now + limit.blockInterval * 1000 : 0
    const wait = limit.blockInterval > 0 ? limit.blockInterval : Math.ceil((1 - bucket.tokens) / perMs / 1000)
    throw new TooManyRequests(Math.max(1, wait))
  }

  async #load(): Promise<Map<string, RateLimitRow[]>> {
    const limits = new Map<string, RateLimitRow[]>()
    for (const row of await this.#parts.store.rateLimits.all()) {
      limits.set(row.namespaceId, [...(limits.get(row.namespaceId) ?? []), row])
    }
    this.#limits = limits
    return limits
  }

  #dropOldest(): void {
    const oldest = this.#buckets.keys().next().value
    if (oldest !== undefined) this.#buckets.delete(oldest)
  }
}

/** The limit with the longest path that covers the request's, both relative to the limits' namespace. */
function mostSpecific(rows: readonly RateLimitRow[], path: string): RateLimitRow | undefined {
  let best: RateLimitRow | undefined
  for (const row of rows) {
    if (covers(row.path, path) && (!best || row.path.length > best.path.length)) best = row
  }
  return best
}

function covers(limit: string, path: string): boolean {
  if (limit === '') return true
  if (limit.endsWith('*')) return path.startsWith(limit.slice(0, -1))
  return path === limit || path.startsWith(limit.endsWith('/') ? limit : `${limit}/`)
}
