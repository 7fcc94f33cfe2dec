import type { Driver } from './support/driver.ts'
import type { Figure } from './support/figure.ts'
import type { Gateway } from './support/gateway.ts'

/** What a measurement may use. */
export interface Bench {
  /** Shorter and rougher. */
  quick: boolean
  /** Undefined where Go, which builds it, is missing. */
  driver: Driver | undefined
  /** A gateway that measurements share; started at the first call. */
  gateway(): Promise<Gateway>
}

export interface Measurement {
  /** What `--only` is matched with. */
  name: string
  run(bench: Bench): Promise<Figure[]>
}

/** A measurement that is left out where there is no driver. */
export function withDriver(name: string, run: (bench: Bench & { driver: Driver }) => Promise<Figure[]>): Measurement {
  return {
    name,
    run: async (bench) => {
      const { driver } = bench
      if (driver) return await run({ ...bench, driver })
      return [
        { what: name, value: undefined, unit: '', note: 'left out: the load driver needs Go, which is not installed' },
      ]
    },
  }
}
