import { z } from 'zod'
import type { SecretIdRow } from '../../../../core/store.ts'
import { seconds, stringMap, time } from '../../answers.ts'
import type { Answer } from '../../envelope.ts'
import { text } from '../../fields.ts'
import { doorRoute } from '../../route.ts'
import { rfc3339 } from '../../times.ts'
import { required } from '../lookup.ts'

const bySecret = z.object({ secret_id: text('The secret id.') })
const byAccessor = z.object({ secret_id_accessor: text('The accessor of the secret id.') })

const secretIdAnswer = z.object({
  cidr_list: z.array(z.string()),
  creation_time: time,
  expiration_time: time,
  last_updated_time: time,
  metadata: stringMap,
  secret_id_accessor: z.string(),
  secret_id_num_uses: z.number().int(),
  secret_id_ttl: seconds,
  token_bound_cidrs: z.array(z.string()),
})

export const lookup = doorRoute('role/:role_name/secret-id/lookup', {
  synopsis: 'What is known of a secret id.',
  description: 'Nothing, 204, for one that does not exist.',
  write: {
    capability: 'update',
    body: bySecret,
    answers: { data: secretIdAnswer, orNothing: true },
    handler: async ({ core, door }, { role_name }, { secret_id }) => {
      const secretId = required('secret_id', secret_id)
      const found = await core.doors.secretIds.find(door, role_name, { secretId })
      return found && { data: view(found.row) }
    },
  },
})

export const destroy = doorRoute('role/:role_name/secret-id/destroy', {
  synopsis: 'Forget a secret id.',
  description: 'Tokens that were made with it live on.',
  write: {
    capability: 'update',
    body: bySecret,
    handler: async ({ core, door }, { role_name }, { secret_id }) => {
      await core.doors.secretIds.destroy(door, role_name, { secretId: required('secret_id', secret_id) })
      return undefined
    },
  },
})

export const lookupAccessor = doorRoute('role/:role_name/secret-id-accessor/lookup', {
  synopsis: 'What is known of the secret id that has an accessor.',
  description: 'Everything but the secret id itself.',
  write: {
    capability: 'update',
    body: byAccessor,
    answers: { data: secretIdAnswer },
    handler: async ({ core, door }, { role_name }, { secret_id_accessor }) => {
      const accessor = required('secret_id_accessor', secret_id_accessor)
      const found = await core.doors.secretIds.find(door, role_name, { accessor })
      return found ? { data: view(found.row) } : noAccessor()
    },
  },
})

export const destroyAccessor = doorRoute('role/:role_name/secret-id-accessor/destroy', {
  synopsis: 'Forget the secret id that has an accessor.',
  description: 'Tokens that were made with it live on.',
  write: {
    capability: 'update',
    body: byAccessor,
    handler: async ({ core, door }, { role_name }, { secret_id_accessor }) => {
      const accessor = required('secret_id_accessor', secret_id_accessor)
      const gone = await core.doors.secretIds.destroy(door, role_name, { accessor })
      return gone ? undefined : noAccessor()
    },
  },
})

/** Vault's answer, by which the Terraform provider knows that a secret id is gone: 404 with these words, also to a write. */
function noAccessor(): Answer {
  return { raw: { errors: ['failed to find accessor entry for secret_id_accessor'] }, status: 404 }
}

function view(row: SecretIdRow): Record<string, unknown> {
  return {
    cidr_list: row.cidrs,
    creation_time: rfc3339(row.createdAt),
    expiration_time: row.expiresAt === null ? '0001-01-01T00:00:00Z' : rfc3339(row.expiresAt),
    last_updated_time: rfc3339(row.createdAt),
    metadata: row.meta,
    secret_id_accessor: row.accessor,
    secret_id_num_uses: row.numUses,
    secret_id_ttl: row.ttl,
    token_bound_cidrs: row.tokenCidrs,
  }
}
