import { z } from 'zod'
import type { AuthMountRow } from '../../../core/store.ts'
import { seconds } from '../answers.ts'
import { present } from '../decode.ts'
import { boolean, mountDuration, text } from '../fields.ts'

/** What can be set of an auth mount when it is enabled (in `config`) and by tuning it. */
export const authTunable = {
  default_lease_ttl: mountDuration('How long tokens live where the role does not say.'),
  max_lease_ttl: mountDuration('What no renewal goes beyond where the role does not say less.'),
  force_no_cache: boolean('Kept and shown.'),
  listing_visibility: text('Kept and shown.'),
  token_type: text('default-service, default-batch (where roles do not say), service or batch (whatever they say).'),
}

export const authTunableFields = z.object(authTunable)

/** The settings that were sent, as they are kept. */
export function keptTune(fields: Record<string, unknown>): Record<string, unknown> {
  return present(fields)
}

export const authMountAnswer = z.object({
  accessor: z.string(),
  config: z.object({
    default_lease_ttl: seconds,
    force_no_cache: z.boolean(),
    listing_visibility: z.string().optional(),
    max_lease_ttl: seconds,
    token_type: z.string(),
  }),
  deprecation_status: z.string(),
  description: z.string(),
  external_entropy_access: z.boolean(),
  local: z.boolean(),
  options: z.null(),
  plugin_version: z.string(),
  running_plugin_version: z.string(),
  running_sha256: z.string(),
  seal_wrap: z.boolean(),
  type: z.string(),
  uuid: z.string(),
})

/** An auth mount as Vault shows it. */
export function authMountShape({ accessor, description, id, tune, type }: AuthMountRow): Record<string, unknown> {
  return {
    accessor,
    config: {
      default_lease_ttl: tune.default_lease_ttl ?? 0,
      force_no_cache: tune.force_no_cache ?? false,
      ...(tune.listing_visibility === undefined ? {} : { listing_visibility: tune.listing_visibility }),
      max_lease_ttl: tune.max_lease_ttl ?? 0,
      token_type: tune.token_type ?? 'default-service',
    },
    deprecation_status: 'supported',
    description,
    external_entropy_access: false,
    local: false,
    options: null,
    plugin_version: '',
    running_plugin_version: '',
    running_sha256: '',
    seal_wrap: false,
    type,
    uuid: id,
  }
}
