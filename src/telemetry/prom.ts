import { createRequire } from 'node:module'
import type { Counter, Gauge, Histogram, Registry } from 'prom-client'

/**
 * The one place that loads prom-client, and of it only what is used, by `require`: the whole of it brings the API of OpenTelemetry and
 * more, which costs 17 MB and 28 ms. To be called at the first use.
 */
const require = createRequire(import.meta.url)

export interface Prom {
  Registry: typeof Registry
  Counter: typeof Counter
  Gauge: typeof Gauge
  Histogram: typeof Histogram
}

let loaded: Prom | undefined

export function prom(): Prom {
  loaded ??= {
    Registry: require('prom-client/lib/registry') as typeof Registry,
    Counter: require('prom-client/lib/counter') as typeof Counter,
    Gauge: require('prom-client/lib/gauge') as typeof Gauge,
    Histogram: require('prom-client/lib/histogram') as typeof Histogram,
  }
  return loaded
}
