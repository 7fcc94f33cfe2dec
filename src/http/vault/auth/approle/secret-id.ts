import { z } from 'zod'
import type { SecretIdInput } from '../../../../core/access/doors/approle/secret-ids.ts'
import { invalid } from '../../../../core/errors.ts'
import { type Answers, seconds } from '../../answers.ts'
import { present } from '../../decode.ts'
import { type Answer, listOf } from '../../envelope.ts'
import { commaList, duration, text, wholeNumber } from '../../fields.ts'
import { pageOf } from '../../query.ts'
import { type DoorCall, doorRoute } from '../../route.ts'

const fields = {
  metadata: z.unknown().optional().describe('Metadata of the tokens: an object of strings, or its JSON.'),
  cidr_list: commaList('Addresses that a login with it may come from, within those of the role.'),
  token_bound_cidrs: commaList('Addresses that its tokens can be used from, within those of the role.'),
  num_uses: wholeNumber("How often it can be used; the role's unless told."),
  ttl: duration("How long it is good; the role's unless told."),
}
const generated = z.object(fields)
const custom = z.object({ ...fields, secret_id: text('The secret id: 16 characters or more, best random ones.') })

const answers: Answers = {
  data: z.object({
    secret_id: z.string(),
    secret_id_accessor: z.string(),
    secret_id_num_uses: z.number().int(),
    secret_id_ttl: seconds,
  }),
}

export const secretId = doorRoute('role/:role_name/secret-id', {
  synopsis: 'Make a secret id, and list the accessors of those there are.',
  description: 'The secret id is in this answer and nowhere else: only its hash is kept.',
  list: {
    capability: 'list',
    handler: async ({ core, door }, { role_name }, page) =>
      listOf(pageOf(await core.doors.secretIds.accessors(door, role_name), page)),
  },
  write: {
    capability: 'update',
    body: generated,
    answers,
    handler: async (call, { role_name }, body) => await make(call, role_name, body),
  },
})

export const customSecretId = doorRoute('role/:role_name/custom-secret-id', {
  synopsis: 'Register a secret id of your own choice.',
  description: 'Only its hash is kept.',
  write: {
    capability: 'update',
    body: custom,
    answers,
    handler: async (call, { role_name }, body) => {
      if (!body.secret_id) throw invalid('missing secret_id')
      return await make(call, role_name, body)
    },
  },
})

export const tidySecretIds = doorRoute('tidy/secret-id', {
  synopsis: 'Forget secret ids that have run out.',
  description: 'They are good for nothing in any case.',
  write: {
    capability: 'update',
    body: z.object({}),
    handler: async ({ core }) => {
      await core.doors.secretIds.expire(10_000)
      return undefined
    },
  },
})

async function make({ core, door }: DoorCall, role: string, body: z.output<typeof custom>): Promise<Answer> {
  const input: SecretIdInput = present({
    secretId: body.secret_id,
    meta: metadataOf(body.metadata),
    cidrs: body.cidr_list,
    tokenCidrs: body.token_bound_cidrs,
    numUses: body.num_uses,
    ttl: body.ttl,
  })
  const { secretId: secret, row } = await core.doors.secretIds.create(door, role, input)
  return {
    data: {
      secret_id: secret,
      secret_id_accessor: row.accessor,
      secret_id_num_uses: row.numUses,
      secret_id_ttl: row.ttl,
    },
  }
}

/** Vault takes JSON in a string; an object will do. */
function metadataOf(value: unknown): Record<string, string> | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const object = typeof value === 'string' ? parsed(value) : value
  const good =
    typeof object === 'object' &&
    object !== null &&
    !Array.isArray(object) &&
    Object.values(object).every((one) => typeof one === 'string')
  if (!good) throw invalid('metadata: a JSON object of strings is expected')
  return object as Record<string, string>
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
