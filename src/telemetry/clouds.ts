import type { Counter, Histogram, Registry } from 'prom-client'
import type { CloudOperation, CloudOutcome, Observer } from '../core/telemetry.ts'
import type { Prom } from './prom.ts'

/** Seconds: a call over the internet, up to the time-out and some. */
const buckets = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Counts calls to clouds, and what was waited for so that these are not asked for too much. */
export class CloudMetrics implements Observer {
  readonly #calls: Counter<'provider' | 'operation' | 'outcome'>
  readonly #duration: Histogram<'provider' | 'operation'>
  readonly #waits: Counter
  readonly #waited: Counter

  constructor({ Counter, Histogram }: Prom, registry: Registry) {
    const registers = [registry]
    this.#calls = new Counter({
      name: 'keyferry_cloud_calls_total',
      help: 'Calls to clouds, by what for and what came of them; "throttled" are those that the cloud answered with 429.',
      labelNames: ['provider', 'operation', 'outcome'],
      registers,
    })
    this.#duration = new Histogram({
      name: 'keyferry_cloud_call_duration_seconds',
      help: 'How long calls to clouds took, with all the requests that one may need.',
      labelNames: ['provider', 'operation'],
      buckets,
      registers,
    })
    this.#waits = new Counter({
      name: 'keyferry_cloud_pace_waits_total',
      help: 'Calls that waited for their turn, so that a vault is not asked for more than it takes.',
      registers,
    })
    this.#waited = new Counter({
      name: 'keyferry_cloud_pace_wait_seconds_total',
      help: 'How long they waited.',
      registers,
    })
  }

  cloudCall(provider: string, operation: CloudOperation, outcome: CloudOutcome, ms: number): void {
    this.#calls.inc({ provider, operation, outcome })
    if (outcome !== 'unrecorded') this.#duration.observe({ provider, operation }, Math.max(0, ms) / 1000)
  }

  paced(ms: number): void {
    this.#waits.inc()
    this.#waited.inc(Math.max(0, ms) / 1000)
  }
}
