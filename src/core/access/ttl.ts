import { invalid } from '../errors.ts'
import { printable } from '../keys/types.ts'

/** Ten years, in seconds: what no renewal of any token goes beyond, root and periodic ones among them. */
export const outerBound = 10 * 365 * 24 * 3600

/** Vault's system defaults: 32 days. */
export const systemMaxTtl = 32 * 24 * 3600

const units: Record<string, number> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400 }
const whole = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+$/
const part = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g

/**
 * Reads a duration as Vault's clients send it: a number of seconds, the same as a string, or a Go duration ("1h0m0s"), also with days
 * ("1d"). Gives whole seconds. Throws `invalid` naming the field.
 */
export function parseDuration(field: string, value: unknown): number {
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : undefined
  if (text === '') return 0
  if (text !== undefined && /^\d+$/.test(text)) return bounded(field, Number(text), text)
  if (text === undefined || !whole.test(text)) {
    throw invalid(
      `error converting input for field "${field}": not a duration: allowed are seconds (3600) or "1h30m", "24h", "7d"`,
    )
  }
  let seconds = 0
  for (const [, amount, unit] of text.matchAll(part)) seconds += Number(amount) * (units[unit ?? 's'] ?? 0)
  return bounded(field, Math.round(seconds), text)
}

/** A hundred years: beyond it dates stop to make sense. */
const longest = 100 * 365 * 86_400

function bounded(field: string, seconds: number, text: string): number {
  if (seconds <= longest) return seconds
  throw invalid(`${field} "${printable(text)}" is too long: allowed are up to ${longest} seconds`)
}
