import { z } from 'zod'
import type { MountRow } from '../../../core/store.ts'
import { stringMap } from '../answers.ts'
import { boolean, pairs } from '../fields.ts'
import { leaseAnswer, leaseFields, leaseShape } from './lease-settings.ts'

/** What can be set of a mount when it is made (in `config`) and by tuning it. The rest of Vault's settings is about what is not here. */
export const tunable = leaseFields('Kept and shown; keys have no leases.', 'Kept and shown; keys have no leases.')

export const tunableFields = z.object(tunable)

/** Fields beside `config`. */
export const flags = {
  local: boolean('Kept and shown; there is no replication.'),
  seal_wrap: boolean('Kept and shown; everything secret is sealed in any case.'),
  external_entropy_access: boolean('Kept and shown.'),
  options: pairs('Kept and shown.'),
}

export const mountAnswer = z.object({
  accessor: z.string(),
  config: z.object(leaseAnswer),
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
    config: leaseShape(config),
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
