import { z } from 'zod'
import { pathFor } from '../../../core/access/policies.ts'
import type { TokenInput } from '../../../core/access/tokens.ts'
import { present } from '../decode.ts'
import type { Answer } from '../envelope.ts'
import { boolean, commaList, duration, pairs, text, wholeNumber } from '../fields.ts'
import { type SystemCall, systemRoute } from '../route.ts'
import { authShape } from './auth-shape.ts'

const body = z.object({
  policies: commaList("Policies of the token: among the caller's own, unless the caller has sudo here."),
  ttl: duration('How long it lives; the system maximum unless told.'),
  lease: duration('The old name of ttl.'),
  explicit_max_ttl: duration('What no renewal goes beyond.'),
  period: duration('Makes it periodic: each renewal sets it to this. Needs sudo.'),
  num_uses: wholeNumber('How often it can be used; 0 for any number.'),
  renewable: boolean('Whether it can be renewed; true unless told.'),
  display_name: text('A name for people to recognise it by.'),
  meta: pairs('Metadata, shown by lookups.'),
  type: text('service or batch; service unless told.'),
  no_parent: boolean('Makes an orphan. Needs sudo.'),
  no_default_policy: boolean('Leaves out the policy "default".'),
  bound_cidrs: commaList('Addresses that it can be used from.'),
  id: text('Not possible here: tokens are signed.'),
})

const synopsis = 'Make a token.'
const description = `
A child of the caller's token: it lives no longer than that one and has no more rights, unless the caller has sudo on this path. The
token is a signed JWT (RFC 9068); its string stays the same when it is renewed.`

export const create = systemRoute('create', {
  synopsis,
  description,
  write: { capability: 'update', body, answers: { auth: true }, handler: (call, _, input) => make(call, input, {}) },
})

export const createOrphan = systemRoute('create-orphan', {
  synopsis: 'Make a token without a parent.',
  description: 'Needs sudo. The token outlives the one that it was made with.',
  write: {
    capability: 'sudo',
    body,
    answers: { auth: true },
    handler: (call, _, input) => make(call, { ...input, no_parent: true }, { orphan: true }),
  },
})

export const createByRole = systemRoute('create/:role', {
  synopsis: 'Make a token by a token role.',
  description: 'What the token may be is decided by the role.',
  write: {
    capability: 'update',
    body,
    answers: { auth: true },
    handler: (call, { role }, input) => make(call, input, { role }),
  },
})

async function make(
  call: SystemCall,
  input: z.output<typeof body>,
  how: { role?: string; orphan?: boolean },
): Promise<Answer> {
  const { core, caller, namespace } = call
  const name = how.orphan ? 'create-orphan' : how.role === undefined ? 'create' : `create/${how.role}`
  const path = `auth/token/${name}`
  const full = namespace.path === '' ? path : `${namespace.path}/${path}`
  const acl = await core.policies.aclOf(caller)
  const sudo = acl.sudo('update', pathFor(caller, full) ?? '')
  const request: TokenInput = present({
    policies: input.policies,
    ttl: input.ttl ?? input.lease,
    explicitMaxTtl: input.explicit_max_ttl,
    period: input.period,
    numUses: input.num_uses,
    renewable: input.renewable,
    displayName: input.display_name,
    meta: input.meta,
    // Vault's Go clients send an empty one where none was chosen.
    type: input.type || undefined,
    noParent: input.no_parent,
    noDefaultPolicy: input.no_default_policy,
    boundCidrs: input.bound_cidrs,
  })
  const made = await core.tokens.create(caller, namespace, request, {
    sudo,
    path,
    ...(how.role === undefined ? {} : { role: how.role }),
  })
  const ignored =
    input.id === undefined ? [] : ['id is not possible here: tokens are signed, and their string cannot be chosen']
  return {
    data: null,
    auth: authShape(made.token, made.row, core.context.now()),
    warnings: [...made.warnings, ...ignored],
  }
}
