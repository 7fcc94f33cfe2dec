import { benchAccess } from '../access.ts'
import { benchKeygen, type Row } from '../keygen.ts'
import type { Measurement } from '../measurement.ts'
import type { Figure } from '../support/figure.ts'

/** Parts of the gateway by themselves, without HTTP: programs of their own, whose rows have their bars in words. */
export const generator: Measurement = {
  name: 'keygen',
  run: async ({ quick }) => figures('generator', await benchKeygen(quick ? 1 : 2)),
}

export const access: Measurement = {
  name: 'access',
  run: async ({ quick }) => figures('access', await benchAccess(quick ? 50 : 1_000)),
}

function figures(part: string, rows: readonly Row[]): Figure[] {
  return rows.map(({ name, value, unit, bar }) => ({
    what: `${part}: ${name}`,
    value,
    unit,
    ...(bar === undefined ? {} : { note: `bar: ${bar}` }),
  }))
}
