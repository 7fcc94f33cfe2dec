/** A hundred years, in seconds: beyond it dates stop to make sense. */
export const longestDuration = 100 * 365 * 86_400

/** Nanoseconds. Those of Go's time.ParseDuration, with both ways to write micro, and days, as Vault's parseutil has them. */
const units: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['\u00b5s', 1_000n],
  ['\u03bcs', 1_000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
  ['d', 86_400_000_000_000n],
])

const part = String.raw`(\d+)(?:\.(\d+))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d)`
const parts = new RegExp(part, 'g')
const whole = new RegExp(`^(?:${part})+$`)
/** Characters: a sum of half a million parts would hold the thread up. */
const longestText = 10_000
/** Digits of a fraction that are looked at: those of a day's nanosecond. */
const precision = 14

/**
 * A duration as Vault's parseutil.ParseDurationSecond reads it: a number (or string of one) of seconds, or Go's form (`1h0m0s`, `90m`,
 * `1.5h`), with `d` for days; an empty string is 0. Gives seconds, with their fraction, which callers that keep whole ones take away as
 * Vault does (`Math.floor`); undefined when it is none, or negative. How long is too long is the caller's business: `longestDuration`.
 */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (text.length > longestText) return undefined
  if (/^\d*$/.test(text)) return Number(text)
  if (!whole.test(text)) return undefined
  // In whole numbers, since a sum of fractions that is short of a second by a little would be rounded down.
  let nanoseconds = 0n
  for (const [, amount = '', fraction = '', unit = ''] of text.matchAll(parts)) {
    const size = units.get(unit) ?? 0n
    const digits = fraction.slice(0, precision).padEnd(precision, '0')
    nanoseconds += BigInt(amount) * size + (BigInt(digits) * size) / 10n ** BigInt(precision)
  }
  return Number(nanoseconds) / 1e9
}
