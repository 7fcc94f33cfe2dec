import * as z from 'zod'
import { blocksOf, checkCidrs } from '../core/access/cidrs.ts'
import { isLoopback, listenForm, parseListen } from './listen.ts'

/** The kinds of values that settings have. Each says what is allowed by a sentence that begins with "must". */

export const text = z
  .string('must be a text')
  .min(1, 'must not be empty')
  .max(4096, 'must not be longer than 4096 characters')

export const yesOrNo = z.boolean('must be true or false')

/** Whole numbers from `least` to `most`, both among them. */
export function whole(least: number, most: number): z.ZodInt {
  const allowed = `must be a whole number from ${least} to ${most}`
  return z.int(allowed).min(least, allowed).max(most, allowed)
}

export function choice<const Names extends readonly string[]>(
  ...names: Names
): z.ZodEnum<z.core.util.ToEnum<Names[number]>> {
  return z.enum(names)
}

export function listOf<Item extends z.ZodType>(item: Item): z.ZodArray<Item> {
  return z.array(item, 'must be a list').max(1000, 'must not have more than 1000 entries')
}

export const listen = text.refine((value) => parseListen(value) !== undefined, `must be ${listenForm}`)

export const hostAndPort = text.regex(
  /^(?:[\w-]+(?:\.[\w-]+)*|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/,
  'must be a host, such as idp.example.com, or a host and port, such as idp.example.com:8443',
)

/** An origin, and nothing more than that. Plain http is for whoever tries things on one machine. */
export const publicUrl = text.refine(
  isPublicUrl,
  'must be the origin of an https URL, such as https://keys.example.com (http for a loopback address only)',
)

function isPublicUrl(value: string): boolean {
  const url = URL.parse(value)
  if (!url || (value !== url.origin && value !== `${url.origin}/`)) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))
}

/** Addresses of those who are believed: everybody (`/0`) cannot be. */
export const trustedBlock = text.refine(
  isTrustedBlock,
  'must be an address or a CIDR block such as 10.0.0.0/8, and not everybody (/0)',
)

function isTrustedBlock(value: string): boolean {
  try {
    const holds = blocksOf(checkCidrs('', [value]))
    // Blocks of IPv6 can hold all of IPv4 too: ::ffff:0:0/96.
    return !/\/0+$/.test(value) && !(holds('0.0.0.0') && holds('255.255.255.255'))
  } catch {
    return false
  }
}
