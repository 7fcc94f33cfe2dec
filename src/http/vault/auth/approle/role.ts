import { z } from 'zod'
import type { AppRole } from '../../../../core/access/doors/approle/role.ts'
import { seconds } from '../../answers.ts'
import { present } from '../../decode.ts'
import { listOf } from '../../envelope.ts'
import { createOrUpdate } from '../../existence.ts'
import { boolean, commaList, duration, text, wholeNumber } from '../../fields.ts'
import { pageOf } from '../../query.ts'
import { doorRoute } from '../../route.ts'
import { tokenFields, tokenSettingsAnswer, tokenSettingsOf, tokenSettingsView } from '../token-fields.ts'

export const roleAnswer = z.object({
  bind_secret_id: z.boolean(),
  local_secret_ids: z.boolean(),
  secret_id_bound_cidrs: z.array(z.string()),
  secret_id_num_uses: z.number().int(),
  secret_id_ttl: seconds,
  ...tokenSettingsAnswer,
})

export const roles = doorRoute('role', {
  synopsis: 'List the roles.',
  description: 'Names of the roles of this mount.',
  list: {
    capability: 'list',
    handler: async ({ core, door }, _, page) => listOf(pageOf(await core.doors.approle.names(door), page)),
  },
})

export const role = doorRoute('role/:role_name', {
  synopsis: 'Who may log in by this role, and what they get.',
  description: 'Write makes or changes the role; fields that are not named keep what they have.',
  read: {
    capability: 'read',
    answers: { data: roleAnswer },
    handler: async ({ core, door }, { role_name }) => {
      const found = await core.doors.approle.find(door, role_name)
      return found && { data: view(found.role) }
    },
  },
  write: {
    capability: ({ core, door }, { role_name }) => createOrUpdate(core.doors.approle.get(door, role_name)),
    body: z.object({
      role_id: text('A role id of your own choice; unique over all namespaces.'),
      bind_secret_id: boolean('Whether a login needs a secret id; true unless told.'),
      secret_id_bound_cidrs: commaList('Addresses that a login may come from.'),
      bound_cidr_list: commaList('The old name of secret_id_bound_cidrs.'),
      secret_id_num_uses: wholeNumber('How often a secret id can be used; 0 for any number.'),
      secret_id_ttl: duration('How long a secret id is good; 0 for ever.'),
      ...tokenFields,
    }),
    handler: async ({ core, door }, { role_name }, body) => {
      const input = present({
        roleId: body.role_id,
        bindSecretId: body.bind_secret_id,
        secretIdBoundCidrs: body.secret_id_bound_cidrs ?? body.bound_cidr_list,
        secretIdNumUses: body.secret_id_num_uses,
        secretIdTtl: body.secret_id_ttl,
      })
      await core.doors.approle.write(door, role_name, { ...input, token: tokenSettingsOf(body) })
      return undefined
    },
  },
  delete: {
    capability: 'delete',
    handler: async ({ core, door }, { role_name }) => {
      await core.doors.approle.delete(door, role_name)
      return undefined
    },
  },
})

export const roleId = doorRoute('role/:role_name/role-id', {
  synopsis: 'The role id, half of what logs in; also the OAuth client id.',
  description: 'It is no secret. Write sets one of your own choice.',
  read: {
    capability: 'read',
    answers: { data: z.object({ role_id: z.string() }) },
    handler: async ({ core, door }, { role_name }) => {
      const found = await core.doors.approle.find(door, role_name)
      return found && { data: { role_id: found.row.roleId } }
    },
  },
  write: {
    capability: 'update',
    body: z.object({ role_id: text('The role id; unique over all namespaces.') }),
    handler: async ({ core, door }, { role_name }, { role_id = '' }) => {
      await core.doors.approle.setRoleId(door, role_name, role_id)
      return undefined
    },
  },
})

export function view(role: AppRole): Record<string, unknown> {
  return {
    bind_secret_id: role.bindSecretId,
    local_secret_ids: false,
    secret_id_bound_cidrs: role.secretIdBoundCidrs,
    secret_id_num_uses: role.secretIdNumUses,
    secret_id_ttl: role.secretIdTtl,
    ...tokenSettingsView(role.token),
  }
}
