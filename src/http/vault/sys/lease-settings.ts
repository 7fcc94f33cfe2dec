import { z } from 'zod'
import { systemMaxTtl } from '../../../core/access/ttl.ts'
import { seconds } from '../answers.ts'
import { boolean, mountDuration, text } from '../fields.ts'

/**
 * What can be set of an engine's mount and of a way to log in alike, when it is made (in `config`) and by tuning it. Takes what its two
 * times are good for.
 */
export function leaseFields(defaultTtl: string, maxTtl: string) {
  return {
    default_lease_ttl: mountDuration(defaultTtl),
    max_lease_ttl: mountDuration(maxTtl),
    force_no_cache: boolean('Kept and shown.'),
    listing_visibility: text('Kept and shown.'),
  }
}

export const leaseAnswer = {
  default_lease_ttl: seconds,
  force_no_cache: z.boolean(),
  listing_visibility: z.string().optional(),
  max_lease_ttl: seconds,
}

/** The settings of a mount as Vault shows them with it: a time that is not set is 0. */
export function leaseShape(kept: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return shape(kept, 0)
}

/** The same as Vault shows them to who tunes it: a time that is not set is the system's. */
export function leaseInEffect(kept: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return shape(kept, systemMaxTtl)
}

function shape(kept: Readonly<Record<string, unknown>>, unset: number): Record<string, unknown> {
  return {
    default_lease_ttl: kept.default_lease_ttl || unset,
    force_no_cache: kept.force_no_cache ?? false,
    ...(kept.listing_visibility === undefined ? {} : { listing_visibility: kept.listing_visibility }),
    max_lease_ttl: kept.max_lease_ttl || unset,
  }
}
