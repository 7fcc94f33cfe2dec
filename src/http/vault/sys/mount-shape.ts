import { z } from 'zod'
import type { MountRow } from '../../../core/store.ts'
import { seconds, stringMap } from '../answers.ts'
import { present } from '../decode.ts'
import { boolean, mountDuration, pairs, text } from '../fields.ts'

/** What can be set of a mount when it is made (in `config`) and by tuning it. The rest of Vault's settings is about what is not here. */
export const tunable = {
  default_lease_ttl: mountDuration('Kept and shown; keys have no leases.'),
  max_lease_ttl: mountDuration('Kept and shown; keys have no leases.'),
  force_no_cache: boolean('Kept and shown.'),
  listing_visibility: text('Kept and shown.'),
}

export const tunableFields = z.object(tunable)

/** Fields beside `config`. */
export const flags = {
  local: boolean('Kept and shown; there is no replication.'),
  seal_wrap: boolean('Kept and shown; everything secret is sealed in any case.'),
  external_entropy_access: boolean('Kept and shown.'),
  options: pairs('Kept and shown.'),
}

/** The settings of a mount as they are kept, from what was sent. */
export function keptConfig(fields: Record<string, unknown>): Record<string, unknown> {
  return present(fields)
}

export const mountAnswer = z.object({
  accessor: z.string(),
  config: z.object({
    default_lease_ttl: seconds,
    force_no_cache: z.boolean(),
    listing_visibility: z.string().optional(),
    max_lease_ttl: seconds,
  }),
  deprecation_status: z.string(),
  description: z.string(),
  external_entropy_access: z.boolean(),
  local: z.boolean(),
  options: stringMap.nullable(),
  plugin_version: z.string(),
  running_plugin_version: z.string(),
  running_sha256: z.string(),
  seal_wrap: z.boolean(),
  type: z.string(),
  uuid: z.string(),
})

/** A mount as Vault shows it. */
export function mountShape({ accessor, config, description, id, type }: MountRow): Record<string, unknown> {
  return {
    accessor,
    config: {
      default_lease_ttl: config.default_lease_ttl ?? 0,
      force_no_cache: config.force_no_cache ?? false,
      ...(config.listing_visibility === undefined ? {} : { listing_visibility: config.listing_visibility }),
      max_lease_ttl: config.max_lease_ttl ?? 0,
    },
    deprecation_status: 'supported',
    description,
    external_entropy_access: config.external_entropy_access ?? false,
    local: config.local ?? false,
    options: config.options ?? null,
    plugin_version: '',
    running_plugin_version: '',
    running_sha256: '',
    seal_wrap: config.seal_wrap ?? false,
    type,
    uuid: id,
  }
}
