import { z } from 'zod'
import type { AppRoleInput } from '../../../../core/access/doors/approle/role.ts'
import { invalid } from '../../../../core/errors.ts'
import { boolean, commaList, duration, wholeNumber } from '../../fields.ts'
import { doorRoute } from '../../route.ts'
import { roleAnswer, view } from './role.ts'

/** Vault's paths for single fields of a role: `role/<name>/token-ttl`. Delete sets the field back. */
export const roleFields = [
  field('policies', 'token_policies', commaList('Policies of the tokens.'), [], (policies) => ({
    token: { policies },
  })),
  field('bind-secret-id', 'bind_secret_id', boolean('Whether a login needs a secret id.'), true, (bindSecretId) => ({
    bindSecretId,
  })),
  field('secret-id-bound-cidrs', 'secret_id_bound_cidrs', commaList('Where a login may come from.'), [], (cidrs) => ({
    secretIdBoundCidrs: cidrs,
  })),
  field('secret-id-num-uses', 'secret_id_num_uses', wholeNumber('How often a secret id can be used.'), 0, (count) => ({
    secretIdNumUses: count,
  })),
  field('secret-id-ttl', 'secret_id_ttl', duration('How long a secret id is good.'), 0, (secretIdTtl) => ({
    secretIdTtl,
  })),
  field('token-bound-cidrs', 'token_bound_cidrs', commaList('Where tokens can be used from.'), [], (boundCidrs) => ({
    token: { boundCidrs },
  })),
  field('token-num-uses', 'token_num_uses', wholeNumber('How often tokens can be used.'), 0, (numUses) => ({
    token: { numUses },
  })),
  field('token-ttl', 'token_ttl', duration('How long tokens live.'), 0, (ttl) => ({ token: { ttl } })),
  field('token-max-ttl', 'token_max_ttl', duration('What no renewal goes beyond.'), 0, (maxTtl) => ({
    token: { maxTtl },
  })),
  field('period', 'token_period', duration('Tokens are periodic.'), 0, (period) => ({ token: { period } })),
]

function field<T>(
  path: string,
  name: keyof typeof roleAnswer.shape,
  type: z.ZodType<T | undefined>,
  initial: T,
  input: (value: T) => AppRoleInput,
) {
  // The last part of the path is as good a name of the field, as in Vault (`policies`, `period`).
  const short = path.replaceAll('-', '_')
  return doorRoute(`role/:role_name/${path}`, {
    synopsis: `The field ${name} of a role.`,
    description: 'Delete sets it back to what it is in a new role.',
    read: {
      capability: 'read',
      answers: { data: roleAnswer.pick({ [name]: true } as Record<keyof typeof roleAnswer.shape, true>) },
      handler: async ({ core, door }, { role_name }) => {
        const found = await core.doors.approle.find(door, role_name)
        return found && { data: { [name]: view(found.role)[name] } }
      },
    },
    write: {
      capability: 'update',
      body: z.object({ [name]: type, [short]: type }),
      handler: async ({ core, door }, { role_name }, body: Record<string, unknown>) => {
        await core.doors.approle.get(door, role_name)
        const value = (body[name] ?? body[short]) as T | undefined
        if (value === undefined) throw invalid(`missing ${name}`)
        await core.doors.approle.write(door, role_name, input(value))
        return undefined
      },
    },
    delete: {
      capability: 'delete',
      handler: async ({ core, door }, { role_name }) => {
        await core.doors.approle.get(door, role_name)
        await core.doors.approle.write(door, role_name, input(initial))
        return undefined
      },
    },
  })
}
