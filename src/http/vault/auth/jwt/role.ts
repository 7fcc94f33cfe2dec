import { z } from 'zod'
import type { JwtRole } from '../../../../core/access/doors/jwt/role.ts'
import { invalid, KeyferryError } from '../../../../core/errors.ts'
import { stringMap } from '../../answers.ts'
import { present } from '../../decode.ts'
import { listOf } from '../../envelope.ts'
import { createOrUpdate } from '../../existence.ts'
import { boolean, commaList, duration, pairs, text, wholeNumber } from '../../fields.ts'
import { pageOf } from '../../query.ts'
import { type DoorCall, doorRoute } from '../../route.ts'
import { tokenFields, tokenSettingsAnswer, tokenSettingsOf, tokenSettingsView } from '../token-fields.ts'

const roleAnswer = z.object({
  allowed_redirect_uris: z.null(),
  bound_audiences: z.array(z.string()),
  bound_claims: z.record(z.string(), z.unknown()).nullable(),
  bound_claims_type: z.string(),
  bound_subject: z.string(),
  claim_mappings: stringMap.nullable(),
  clock_skew_leeway: z.number().int(),
  expiration_leeway: z.number().int(),
  groups_claim: z.string(),
  not_before_leeway: z.number().int(),
  oidc_scopes: z.null(),
  role_type: z.string(),
  user_claim: z.string(),
  user_claim_json_pointer: z.boolean(),
  verbose_oidc_logging: z.boolean(),
  ...tokenSettingsAnswer,
})

export const roles = doorRoute('role', {
  synopsis: 'List the roles.',
  description: 'Names of the roles of this mount.',
  list: {
    capability: 'list',
    handler: async ({ core, door }, _, page) => listOf(pageOf(await core.doors.jwt.names(door), page)),
  },
})

export const role = doorRoute('role/:name', {
  synopsis: 'Which JWTs are let in by this role, and what they get.',
  description: 'Write makes or changes the role; fields that are not named keep what they have.',
  read: {
    capability: 'read',
    answers: { data: roleAnswer },
    handler: async ({ core, door }, { name }) => {
      const found = await core.doors.jwt.find(door, name)
      return found && { data: view(found) }
    },
  },
  write: {
    capability: (call, { name }) => createOrUpdate(existing(call, name)),
    body: z.object({
      role_type: text('jwt.'),
      bound_audiences: commaList('The aud claim must have one of these; needed for JWTs that have one.'),
      bound_subject: text('What the sub claim must be.'),
      bound_claims: z
        .unknown()
        .optional()
        .describe('Claims and the values of which each must have one: an object, or its JSON.'),
      bound_claims_type: text('string, or glob, where "*" in a value stands for any text.'),
      user_claim: text('The claim that names whose JWT it is.'),
      user_claim_json_pointer: boolean('user_claim is a JSON pointer.'),
      groups_claim: text('Not offered: policies come from the role alone.'),
      claim_mappings: pairs("Claims to be copied to the token's metadata: claim and name there."),
      clock_skew_leeway: wholeNumber('Seconds that clocks may differ: up to 60, which is also 0; below 0: none.'),
      expiration_leeway: wholeNumber('Seconds beyond exp: up to 60, with clock_skew_leeway.'),
      not_before_leeway: wholeNumber('Seconds before nbf: up to 60, with clock_skew_leeway.'),
      ...tokenFields,
      ttl: duration('The old name of token_ttl.'),
      max_ttl: duration('The old name of token_max_ttl.'),
      num_uses: wholeNumber('The old name of token_num_uses.'),
      bound_cidrs: commaList('The old name of token_bound_cidrs.'),
    }),
    handler: async ({ core, door }, { name }, body) => {
      const input = present({
        roleType: body.role_type,
        boundAudiences: body.bound_audiences,
        boundSubject: body.bound_subject,
        boundClaims: claimsOf(body.bound_claims),
        boundClaimsType: body.bound_claims_type,
        userClaim: body.user_claim,
        userClaimJsonPointer: body.user_claim_json_pointer,
        groupsClaim: body.groups_claim,
        claimMappings: body.claim_mappings,
        clockSkewLeeway: body.clock_skew_leeway,
        expirationLeeway: body.expiration_leeway,
        notBeforeLeeway: body.not_before_leeway,
      })
      const token = tokenSettingsOf({
        ...body,
        token_ttl: body.token_ttl ?? body.ttl,
        token_max_ttl: body.token_max_ttl ?? body.max_ttl,
        token_num_uses: body.token_num_uses ?? body.num_uses,
        token_bound_cidrs: body.token_bound_cidrs ?? body.bound_cidrs,
      })
      await core.doors.jwt.write(door, name, { ...input, token })
      return undefined
    },
  },
  delete: {
    capability: 'delete',
    handler: async ({ core, door }, { name }) => {
      await core.doors.jwt.delete(door, name)
      return undefined
    },
  },
})

async function existing({ core, door }: DoorCall, name: string): Promise<JwtRole> {
  const found = await core.doors.jwt.find(door, name)
  if (!found) throw new KeyferryError('not_found', 'no such role')
  return found
}

/** An object, or (as the command line has it) the JSON of one. */
function claimsOf(value: unknown): Record<string, unknown> | undefined {
  if (value === undefined || value === null) return undefined
  let object: unknown = value
  try {
    if (typeof value === 'string') object = JSON.parse(value)
  } catch {
    object = undefined
  }
  if (typeof object === 'object' && object !== null && !Array.isArray(object)) return object as Record<string, unknown>
  throw invalid('bound_claims: an object of claims and their values is expected')
}

function view(role: JwtRole): Record<string, unknown> {
  const claims = Object.entries(role.boundClaims).map(([name, values]) => [
    name,
    values.length === 1 ? values[0] : values,
  ])
  return {
    allowed_redirect_uris: null,
    bound_audiences: role.boundAudiences,
    bound_claims: claims.length === 0 ? null : Object.fromEntries(claims),
    bound_claims_type: role.boundClaimsType,
    bound_subject: role.boundSubject,
    claim_mappings: Object.keys(role.claimMappings).length === 0 ? null : role.claimMappings,
    clock_skew_leeway: role.clockSkewLeeway,
    expiration_leeway: role.expirationLeeway,
    groups_claim: '',
    not_before_leeway: role.notBeforeLeeway,
    oidc_scopes: null,
    role_type: 'jwt',
    user_claim: role.userClaim,
    user_claim_json_pointer: role.userClaimJsonPointer,
    verbose_oidc_logging: false,
    ...tokenSettingsView(role.token),
  }
}
