import { setImmediate } from 'node:timers/promises'
import type { Registry } from 'prom-client'
import type { Core } from '../core/core.ts'
import type { Observer } from '../core/telemetry.ts'
import { type Asked, type Facts, register } from './asked.ts'
import { audit } from './audit.ts'
import { CloudMetrics } from './clouds.ts'
import { keyPool } from './key-pool.ts'
import { operations } from './operations.ts'
import { ofProcess } from './process.ts'
import { prom } from './prom.ts'
import { RequestMetrics } from './requests.ts'
import { seal } from './seal.ts'
import { store } from './store.ts'
import { asVault } from './vault.ts'

/** Counts what happens in a gateway, and prints it in Prometheus' text format. */
export interface Telemetry extends Observer {
  /** A request has come in. Gives its time, for `ended`. */
  begun(): number
  /** It is answered. `route` is a template from a route table, or `other`. */
  ended(begun: number, route: string, method: string, status: number): void
  /** Everything, as it stands at this moment. */
  print(core: Pick<Core, 'figures' | 'context'>): Promise<string>
}

interface Metrics {
  registry: Registry
  requests: RequestMetrics
  clouds: CloudMetrics
  set(facts: Facts): void
}

const ofRequests: readonly Asked[] = [
  {
    name: 'keyferry_http_requests_total',
    help: 'Requests that were answered, by route template, method and status.',
    type: 'counter',
    labels: ['method', 'route', 'status'],
    read: ({ requests }) => requests.answered.map(({ count, ...labels }) => ({ labels, value: count })),
  },
  {
    name: 'keyferry_http_requests_in_flight',
    help: 'Requests that are being answered.',
    type: 'gauge',
    read: ({ requests }) => requests.inFlight,
  },
]

/** `version`: Keyferry's own. `clock`: ms from any time on, growing. */
export function createTelemetry(version: string, clock: () => number = () => performance.now()): Telemetry {
  const requests = { inFlight: 0, handled: 0, handledMs: 0 }
  let made: Metrics | undefined
  const metrics = () => (made ??= makeMetrics())
  return {
    begun: () => {
      requests.inFlight += 1
      return clock()
    },
    ended: (begun, route, method, status) => {
      const ms = Math.max(0, clock() - begun)
      requests.inFlight -= 1
      requests.handled += 1
      requests.handledMs += ms
      metrics().requests.ended(route, method, status, ms / 1000)
    },
    cloudCall: (...call) => metrics().clouds.cloudCall(...call),
    paced: (ms) => metrics().clouds.paced(ms),
    print: async ({ figures, context }) => {
      const before = clock()
      await setImmediate()
      const eventLoopLag = Math.max(0, clock() - before) / 1000
      const found = await figures()
      const { registry, set, requests: counted } = metrics()
      // From here to the text nothing else runs, so that it is of one moment.
      const answered = counted.answered()
      set({ figures: found, now: context.now(), version, requests: { ...requests, answered }, eventLoopLag })
      return await registry.metrics()
    },
  }
}

function makeMetrics(): Metrics {
  const library = prom()
  const registry = new library.Registry()
  const requests = new RequestMetrics(library, registry)
  const first = register(library, registry, ofRequests)
  const clouds = new CloudMetrics(library, registry)
  const rest = [...operations, ...keyPool, ...audit, ...seal, ...store, ...ofProcess, ...asVault]
  const others = register(library, registry, rest)
  return {
    registry,
    requests,
    clouds,
    set: (facts) => {
      first(facts)
      others(facts)
    },
  }
}
