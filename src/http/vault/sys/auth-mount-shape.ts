import { z } from 'zod'
import type { AuthMountRow } from '../../../core/store.ts'
import { text } from '../fields.ts'
import { leaseAnswer, leaseFields, leaseShape } from './lease-settings.ts'

/** What can be set of an auth mount when it is enabled (in `config`) and by tuning it. */
export const authTunable = {
  ...leaseFields(
    'How long tokens live where the role does not say.',
    'What no renewal goes beyond where the role does not say less.',
  ),
  token_type: text('default-service, default-batch (where roles do not say), service or batch (whatever they say).'),
}

export const authTunableFields = z.object(authTunable)

export const authMountAnswer = z.object({
  accessor: z.string(),
  config: z.object({ ...leaseAnswer, token_type: z.string() }),
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
    config: { ...leaseShape(tune), token_type: tokenTypeOf(tune) },
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

/** Which tokens a way to log in gives: where it is not set, service ones, unless the role says otherwise. */
export function tokenTypeOf({ token_type: type }: AuthMountRow['tune']): unknown {
  return type ?? 'default-service'
}
