import type { Histogram, Registry } from 'prom-client'
import type { Prom } from './prom.ts'

/** Seconds. A read takes some tenths of a millisecond, a delivery to a cloud seconds. */
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60]
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'LIST', 'POST', 'PUT', 'PATCH', 'DELETE'])
/** Of errors.ts in http/, and successes: others can only be what a caller of `sys/health` chose. */
const statuses: ReadonlySet<number> = new Set([
  200, 202, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503,
])

/** What is counted of one route and method, bound once, so that a request costs no look for labels. */
interface Child {
  method: string
  route: string
  observe(seconds: number): void
  /** By status: put into the counter when metrics are printed, since a number of its own costs a request less. */
  answered: Map<number, number>
}

/** Counts requests by route template, method and status: never by a path, or by anything else that a caller can make up. */
export class RequestMetrics {
  readonly #duration: Histogram<'method' | 'route'>
  readonly #children = new Map<string, Map<string, Child>>()

  constructor({ Histogram }: Prom, registry: Registry) {
    this.#duration = new Histogram({
      name: 'keyferry_http_request_duration_seconds',
      help: 'From the arrival of a request to its answer, by route template and method.',
      labelNames: ['method', 'route'],
      buckets,
      registers: [registry],
    })
  }

  /** `route` is a template from a route table, or `other`. */
  ended(route: string, method: string, status: number, seconds: number): void {
    const child = this.#children.get(route)?.get(method) ?? this.#bind(route, method)
    child.observe(seconds)
    child.answered.set(status, (child.answered.get(status) ?? 0) + 1)
  }

  /** How many were answered, by all that is told apart. */
  answered(): { method: string; route: string; status: string; count: number }[] {
    const found = new Map<string, { method: string; route: string; status: string; count: number }>()
    for (const { method, route, answered } of [...this.#children.values()].flatMap((one) => [...one.values()])) {
      for (const [code, count] of answered) {
        const status = shownStatus(code)
        const one = found.get(`${method} ${status} ${route}`) ?? { method, route, status, count: 0 }
        one.count += count
        found.set(`${method} ${status} ${route}`, one)
      }
    }
    return [...found.values()]
  }

  /** Whatever else a client sends as method is one. */
  #bind(route: string, sent: string): Child {
    const method = methods.has(sent) ? sent : 'other'
    const byMethod = this.#children.get(route) ?? new Map<string, Child>()
    this.#children.set(route, byMethod)
    const known = byMethod.get(method)
    if (known) return known
    const { observe } = this.#duration.labels({ method, route })
    const child = { method, route, observe, answered: new Map() }
    byMethod.set(method, child)
    return child
  }
}

function shownStatus(code: number): string {
  return statuses.has(code) ? `${code}` : `${Math.floor(code / 100)}xx`
}
