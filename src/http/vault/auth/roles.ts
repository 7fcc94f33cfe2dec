import { z } from 'zod'
import { checkCidrs } from '../../../core/access/cidrs.ts'
import { normalisePolicyName } from '../../../core/access/policy/names.ts'
import { emptyTokenRole, type TokenRole, tokenRoleOf } from '../../../core/access/token-roles.ts'
import { checkUses } from '../../../core/access/tokens.ts'
import { invalid, KeyferryError } from '../../../core/errors.ts'
import { checkName } from '../../../core/names.ts'
import type { RoleRow } from '../../../core/store.ts'
import { seconds } from '../answers.ts'
import { present } from '../decode.ts'
import { listOf } from '../envelope.ts'
import { createOrUpdate } from '../existence.ts'
import { boolean, commaList, duration, text, wholeNumber } from '../fields.ts'
import { pageOf } from '../query.ts'
import { type SystemCall, systemRoute } from '../route.ts'

export const roles = systemRoute('roles', {
  synopsis: 'List the token roles.',
  description: 'Names of the roles of this namespace.',
  list: {
    capability: 'list',
    handler: async ({ core, namespace }, _, page) =>
      listOf(pageOf(await core.tokens.roles.names(namespace.id, 'token'), page)),
  },
})

const body = z.object({
  allowed_policies: commaList('Policies that tokens may have.'),
  allowed_policies_glob: commaList('The same, with "*" for any characters.'),
  disallowed_policies: commaList('Policies that tokens may not have.'),
  disallowed_policies_glob: commaList('The same, with "*" for any characters.'),
  orphan: boolean('Tokens have no parent.'),
  renewable: boolean('Tokens can be renewed.'),
  token_period: duration('Tokens are periodic.'),
  period: duration('The old name of token_period.'),
  token_explicit_max_ttl: duration('What no renewal goes beyond.'),
  explicit_max_ttl: duration('The old name of token_explicit_max_ttl.'),
  token_num_uses: wholeNumber('How often tokens can be used.'),
  token_bound_cidrs: commaList('Addresses that tokens can be used from.'),
  bound_cidrs: commaList('The old name of token_bound_cidrs.'),
  token_no_default_policy: boolean('Tokens do not get the policy "default".'),
  path_suffix: text('Kept for clients that set it.'),
  token_type: text('service, batch or default (as the request says).'),
})

export const role = systemRoute('roles/:name', {
  synopsis: 'What tokens made by a role may be.',
  description: 'Write makes or changes the role; fields that are not named keep what they have.',
  read: {
    capability: 'read',
    answers: {
      data: z.object({
        name: z.string(),
        allowed_policies: z.array(z.string()),
        allowed_policies_glob: z.array(z.string()),
        disallowed_policies: z.array(z.string()),
        disallowed_policies_glob: z.array(z.string()),
        orphan: z.boolean(),
        renewable: z.boolean(),
        path_suffix: z.string(),
        token_period: seconds,
        token_explicit_max_ttl: seconds,
        token_num_uses: z.number().int(),
        token_bound_cidrs: z.array(z.string()),
        token_no_default_policy: z.boolean(),
        token_type: z.string(),
      }),
    },
    handler: async (call, { name }) => {
      const row = await find(call, name)
      return row && { data: shape(tokenRoleOf(row)) }
    },
  },
  write: {
    capability: (call, { name }) => createOrUpdate(existing(call, name)),
    body,
    handler: async ({ core, namespace }, { name }, input) => {
      checkName('role', name)
      const change = changeOf(input)
      await core.tokens.roles.change(namespace.id, 'token', name, (before) => {
        const config: Record<string, unknown> = { ...emptyTokenRole, ...before?.config, ...change }
        if (input.token_type !== undefined && change.type === undefined) delete config.type
        return {
          id: before?.id ?? core.context.uuid(),
          namespaceId: namespace.id,
          door: 'token',
          name,
          config,
          roleId: null,
          createdAt: before?.createdAt ?? core.context.now(),
        }
      })
      return undefined
    },
  },
  delete: {
    capability: 'delete',
    handler: async ({ core, namespace }, { name }) => {
      await core.tokens.roles.remove(namespace.id, 'token', name)
      return undefined
    },
  },
})

async function find({ core, namespace }: SystemCall, name: string): Promise<RoleRow | undefined> {
  return await core.tokens.roles.find(namespace.id, 'token', name)
}

async function existing(call: SystemCall, name: string): Promise<RoleRow> {
  const row = await find(call, name)
  if (!row) throw new KeyferryError('not_found', 'no such role')
  return row
}

/** What a write changes. Throws `invalid` naming the field. */
function changeOf(input: z.output<typeof body>): Partial<TokenRole> {
  const policies = (names: string[] | undefined) => names?.map(normalisePolicyName)
  const kind = input.token_type
  const type = kind === 'service' || kind === 'batch' ? kind : undefined
  if (kind !== undefined && type === undefined && !['default', 'default-service', ''].includes(kind)) {
    throw invalid('token_type: allowed are service, batch or default')
  }
  return present({
    allowedPolicies: policies(input.allowed_policies),
    allowedPoliciesGlob: input.allowed_policies_glob,
    disallowedPolicies: policies(input.disallowed_policies),
    disallowedPoliciesGlob: input.disallowed_policies_glob,
    orphan: input.orphan,
    renewable: input.renewable,
    period: input.token_period ?? input.period,
    explicitMaxTtl: input.token_explicit_max_ttl ?? input.explicit_max_ttl,
    numUses: input.token_num_uses === undefined ? undefined : checkUses(input.token_num_uses, 'token_num_uses'),
    boundCidrs: checkedCidrs(input.token_bound_cidrs ?? input.bound_cidrs),
    noDefaultPolicy: input.token_no_default_policy,
    pathSuffix: input.path_suffix,
    type,
  })
}

function checkedCidrs(cidrs: string[] | undefined): string[] | undefined {
  return cidrs && checkCidrs('token_bound_cidrs', cidrs)
}

function shape(role: TokenRole): Record<string, unknown> {
  return {
    name: role.name,
    allowed_policies: role.allowedPolicies,
    allowed_policies_glob: role.allowedPoliciesGlob,
    disallowed_policies: role.disallowedPolicies,
    disallowed_policies_glob: role.disallowedPoliciesGlob,
    orphan: role.orphan,
    renewable: role.renewable,
    path_suffix: role.pathSuffix,
    token_period: role.period,
    token_explicit_max_ttl: role.explicitMaxTtl,
    token_num_uses: role.numUses,
    token_bound_cidrs: role.boundCidrs,
    token_no_default_policy: role.noDefaultPolicy,
    token_type: role.type ?? 'default-service',
  }
}
