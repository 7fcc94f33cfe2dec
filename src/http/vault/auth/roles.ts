import { z } from 'zod'
import { checkCidrs } from '../../../core/access/cidrs.ts'
import { normalisePolicyName } from '../../../core/access/policy/names.ts'
import { emptyTokenRole, type TokenRole, tokenRoleOf } from '../../../core/access/token-roles.ts'
import { invalid } from '../../../core/errors.ts'
import { checkName } from '../../../core/names.ts'
import type { RoleRow } from '../../../core/store.ts'
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

export const role = systemRoute('roles/:name', {
  synopsis: 'What tokens made by a role may be.',
  description: 'Write makes or changes the role; fields that are not named keep what they have.',
  read: {
    capability: 'read',
    handler: async (call, { name }) => {
      const row = await find(call, name)
      return row && { data: shape(tokenRoleOf(row)) }
    },
  },
  write: {
    capability: (call, { name }) =>
      createOrUpdate(find(call, name).then((row) => row ?? Promise.reject(new Error('none')))),
    body: z.object({
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
    }),
    handler: async (call, { name }, body) => {
      checkName('role', name)
      const before = await find(call, name)
      const type = body.token_type === 'service' || body.token_type === 'batch' ? body.token_type : undefined
      if (
        body.token_type !== undefined &&
        type === undefined &&
        !['default', 'default-service', ''].includes(body.token_type)
      ) {
        throw invalid('token_type: allowed are service, batch or default')
      }
      const policies = (names: string[] | undefined) => names?.map(normalisePolicyName)
      const change: Partial<TokenRole> = present({
        allowedPolicies: policies(body.allowed_policies),
        allowedPoliciesGlob: body.allowed_policies_glob,
        disallowedPolicies: policies(body.disallowed_policies),
        disallowedPoliciesGlob: body.disallowed_policies_glob,
        orphan: body.orphan,
        renewable: body.renewable,
        period: body.token_period ?? body.period,
        explicitMaxTtl: body.token_explicit_max_ttl ?? body.explicit_max_ttl,
        numUses: body.token_num_uses,
        boundCidrs: checkedCidrs(body.token_bound_cidrs ?? body.bound_cidrs),
        noDefaultPolicy: body.token_no_default_policy,
        pathSuffix: body.path_suffix,
        type,
      })
      await call.core.tokens.roles.put({
        id: before?.id ?? call.core.context.uuid(),
        namespaceId: call.namespace.id,
        door: 'token',
        name,
        config: { ...emptyTokenRole, ...before?.config, ...change },
        roleId: null,
        createdAt: before?.createdAt ?? call.core.context.now(),
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
