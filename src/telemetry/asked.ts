import type { Registry } from 'prom-client'
import type { Figures } from '../core/figures.ts'
import type { Prom } from './prom.ts'

/** What there is to ask when metrics are printed. */
export interface Facts {
  figures: Figures
  /** ms since 1970 */
  now: number
  version: string
  requests: {
    inFlight: number
    handled: number
    handledMs: number
    answered: readonly { method: string; route: string; status: string; count: number }[]
  }
  /** How long the event loop took to come round, in seconds. */
  eventLoopLag: number
}

export interface Sample {
  labels?: Readonly<Record<string, string>>
  value: number
}

/** A metric that is not counted along the way: its value is asked for each time that metrics are printed. */
export interface Asked {
  name: string
  help: string
  type: 'gauge' | 'counter'
  labels?: readonly string[]
  read(facts: Facts): number | readonly Sample[]
}

/** Makes the metrics; gives what sets them all from the facts of one moment. */
export function register(
  { Counter, Gauge }: Prom,
  registry: Registry,
  metrics: readonly Asked[],
): (facts: Facts) => void {
  const settings = metrics.map(({ name, help, type, labels = [], read }) => {
    const configuration = { name, help, labelNames: [...labels], registers: [registry] }
    const metric = type === 'gauge' ? new Gauge(configuration) : new Counter(configuration)
    return (facts: Facts) => {
      const found = read(facts)
      metric.reset()
      for (const { labels: of = {}, value } of typeof found === 'number' ? [{ value: found }] : found)
        metric.inc(of, value)
    }
  })
  return (facts) => {
    for (const set of settings) set(facts)
  }
}

/** A sample for each member. */
export function byLabel(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }))
}
