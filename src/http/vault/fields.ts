import { z } from 'zod'
import { longestDuration, parseDuration } from '../../core/durations.ts'
import { goBoolean } from './query.ts'

/**
 * The types of fields in Vault's framework, with its weak typing: the command line sends every value as a string. Each takes what Vault
 * takes, gives one strict type, and is undefined where the field is missing or null. The text after the type is for help and OpenAPI.
 */

/** The last second that RFC 3339 has: the end of the year 9999. */
const latestMoment = 253_402_300_799

/** What a decoder throws: the sentence after the field's name. */
class Unfit extends Error {}

function weak<S extends z.ZodType>(decode: (value: unknown) => unknown, schema: S, description: string) {
  return z
    .preprocess((value, context) => {
      if (value === undefined || value === null) return undefined
      try {
        return decode(value)
      } catch (error) {
        if (!(error instanceof Unfit)) throw error
        context.issues.push({ code: 'custom', message: error.message, input: value })
        return z.NEVER
      }
    }, schema.optional())
    .optional()
    .describe(description)
}

export function text(description: string) {
  return weak((value) => asText(value, 'a string is expected'), z.string(), description)
}

export function wholeNumber(description: string) {
  return weak(
    (value) => {
      if (typeof value === 'number' && Number.isSafeInteger(value)) return value
      if (typeof value === 'string' && /^[+-]?\d{1,15}$/.test(value)) return Number(value)
      throw new Unfit('a whole number is expected')
    },
    z.number().int(),
    description,
  )
}

export function boolean(description: string) {
  return weak(
    (value) => {
      if (typeof value === 'boolean') return value
      if (typeof value === 'number') return value !== 0
      const read = typeof value === 'string' ? goBoolean(value) : undefined
      if (read === undefined) throw new Unfit('true or false is expected')
      return read
    },
    z.boolean(),
    description,
  )
}

/** `"a, b"` or `["a", "b"]`. */
export function commaList(description: string) {
  return weak(
    (value) => {
      const rule = 'a list of strings, or one string with commas, is expected'
      const items = Array.isArray(value) ? value.map((one) => asText(one, rule)) : asText(value, rule).split(',')
      return items.map((one) => one.trim()).filter((one) => one !== '')
    },
    z.array(z.string()),
    description,
  )
}

/**
 * `{"k": "v"}`, `["k=v", …]` or `"k=v"`: split at the first `=`. A message never repeats a pair, since it may be a credential.
 */
export function pairs(description: string) {
  return weak(
    (value) => {
      const rule = 'an object of strings, a list of "key=value" strings, or one such string is expected'
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        const entries = Object.entries(value).filter(([, one]) => one !== null)
        return Object.fromEntries(entries.map(([name, one]) => [name, asText(one, rule)]))
      }
      const list = Array.isArray(value) ? value : [value]
      return Object.fromEntries(list.map((one, index) => splitPair(asText(one, rule), index)))
    },
    z.record(z.string(), z.string()),
    description,
  )
}

/**
 * Of a merge-patch (RFC 7396): an object of strings, where null takes a member away. Null for the whole takes all away; undefined changes
 * nothing.
 */
export function pairChanges(description: string) {
  return z
    .preprocess((value, context) => {
      const whole = value === undefined || value === null
      const fits = typeof value === 'object' && !Array.isArray(value)
      if (whole || (fits && Object.values(value ?? {}).every((one) => one === null || typeof one === 'string'))) {
        return value
      }
      const message = 'an object of strings (or null, to take one away) is expected'
      context.issues.push({ code: 'custom', message, input: value })
      return z.NEVER
    }, z.record(z.string(), z.string().nullable()).nullable().optional())
    .optional()
    .describe(description)
}

/** Whole seconds: a number, or a Go duration such as `1h30m`, `90m`, `1d`; of a fraction nothing is kept, as in Vault. */
export function duration(description: string) {
  return weak(
    (value) => {
      const exact = parseDuration(value)
      if (exact === undefined) throw new Unfit('a number of seconds or a duration such as "1h30m" is expected')
      const seconds = Math.floor(exact)
      if (seconds > longestDuration) throw new Unfit(`allowed are up to ${longestDuration} seconds, a hundred years`)
      return seconds
    },
    z.number(),
    description,
  )
}

/**
 * A duration of a mount: an empty one, which Vault's Go clients send for what they do not set, leaves it as it is; `system` is 0, the
 * system's default.
 */
export function mountDuration(description: string) {
  const word = (value: unknown) => (value === '' ? undefined : value === 'system' ? 0 : value)
  return z.preprocess(word, duration(description)).describe(description)
}

/** A moment: RFC 3339, or seconds since 1970. Gives seconds since 1970. */
export function moment(description: string) {
  return weak(
    (value) => {
      const seconds = typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : value
      if (typeof seconds === 'number' && Number.isSafeInteger(seconds) && seconds >= 0 && seconds <= latestMoment) {
        return seconds
      }
      const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/
      const ms = typeof value === 'string' && rfc3339.test(value) ? Date.parse(value) : Number.NaN
      if (Number.isNaN(ms)) throw new Unfit('a time such as "2030-01-31T12:00:00Z", or seconds since 1970, is expected')
      return Math.floor(ms / 1000)
    },
    z.number(),
    description,
  )
}

/** Any JSON object, as it is. */
export function anyObject(description: string) {
  return weak(
    (value) => {
      if (typeof value === 'object' && !Array.isArray(value)) return value
      throw new Unfit('an object is expected')
    },
    z.record(z.string(), z.unknown()),
    description,
  )
}

/** A write without fields. */
export const noFields = z.object({})

/** Numbers and booleans become text as in Go's mapstructure. */
function asText(value: unknown, rule: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  throw new Unfit(rule)
}

function splitPair(pair: string, index: number): [string, string] {
  const at = pair.indexOf('=')
  if (at < 1) throw new Unfit(`the pair at position ${index + 1} is not of the form "key=value"`)
  return [pair.slice(0, at), pair.slice(at + 1)]
}
