import { z } from 'zod'
import type { CopyView } from '../../../core/distribution/service.ts'
import { invalid } from '../../../core/errors.ts'
import { protections, purposes } from '../../../core/kms/provider.ts'
import { stringMap, time } from '../answers.ts'
import { present } from '../decode.ts'
import { done } from '../envelope.ts'
import { commaList, moment, pairs, text } from '../fields.ts'
import { engineRoute } from '../route.ts'
import { rfc3339 } from '../times.ts'
import { driftAnswer, driftShape, repairs } from './drift.ts'

const copyAnswer = z.object({
  distribution_time: time,
  drift: driftAnswer.optional().describe('What was found in the KMS that should be otherwise.'),
  expires: time.optional(),
  name: z.string(),
  not_before: time.optional(),
  protection: z.enum(protections),
  purpose: z.string().describe('Comma-separated, in alphabetical order.'),
  reason: z.string().optional(),
  repair: z.enum(repairs).optional(),
  state: z.enum(['pending', 'stopped']).optional(),
  tags: stringMap.optional(),
  versions: stringMap.describe("Versions of the key, and the provider's ids of them."),
})

export const copy = engineRoute('kms/:name/key/:key_name', {
  names: { name: 'KMS', key_name: 'key' },
  synopsis: 'Bring a key to a KMS, look at its copy there, and remove it again.',
  description: `
Writing brings every version of the key to the KMS, wrapped for nobody but the KMS. What was written cannot be changed while the key is
there, but for "repair"; the same again changes nothing. Reading shows the name and the versions that the key has there, while something is
still to be done or was refused "state" and "reason", and what was found there that should be otherwise. Deleting removes the copy; the key itself stays.`,
  read: {
    capability: 'read',
    cacheable: true,
    answers: { data: copyAnswer },
    handler: async (call, { name, key_name }) => ({
      data: shape(await call.core.distribution.read(call.scope, name, key_name)),
    }),
  },
  write: {
    capability: 'update',
    async: true,
    body: z.object({
      purpose: commaList(`At least one of ${purposes.join(', ')}.`).meta({ items: { type: 'string', enum: purposes } }),
      protection: text('hsm (unless told) or software: where the KMS uses the key.').meta({ enum: protections }),
      remote_name: text('The name in the KMS, in place of <key_name>-<unix seconds>.'),
      tags: pairs('Tags of the key in the KMS.'),
      not_before: moment('The KMS uses the key from this time on.'),
      expires: moment('The KMS uses the key up to this time.'),
      repair: text(
        'What is done about a difference that is found later: report (unless told) or restore, which puts right what can be put right safely.',
      ).meta({ enum: repairs }),
    }),
    handler: async (call, { name, key_name }, body) => {
      const input = present({
        protection: body.protection,
        name: body.remote_name,
        tags: body.tags,
        notBefore: body.not_before,
        expires: body.expires,
        repair: repairOf(body.repair),
      })
      const wanted = { ...input, purpose: body.purpose ?? [] }
      return done(await call.core.distribution.distribute(call.scope, name, key_name, wanted, call.waiting))
    },
  },
  delete: {
    capability: 'delete',
    async: true,
    handler: async (call, { name, key_name }) =>
      done(await call.core.distribution.remove(call.scope, name, key_name, call.waiting)),
  },
})

function repairOf(text: string | undefined) {
  if (text === undefined) return undefined
  const known = repairs.find((one) => one === text)
  if (known === undefined) throw invalid(`repair must be ${repairs.join(' or ')}`)
  return known
}

/** `purpose` is one string, sorted, as Vault gives it: its user interface splits it. */
function shape(copy: CopyView): Record<string, unknown> {
  const { tags, notBefore, expires } = copy.options
  return {
    distribution_time: rfc3339(copy.distributedAt),
    ...(copy.drift.length === 0 ? {} : { drift: driftShape(copy.drift) }),
    ...(expires === undefined ? {} : { expires: rfc3339(expires * 1000) }),
    name: copy.remoteName,
    ...(notBefore === undefined ? {} : { not_before: rfc3339(notBefore * 1000) }),
    protection: copy.protection,
    purpose: [...copy.purposes].sort().join(','),
    ...(copy.state === 'settled'
      ? {}
      : { state: copy.state, ...(copy.reason === null ? {} : { reason: copy.reason }) }),
    ...(copy.repair === 'report' ? {} : { repair: copy.repair }),
    ...(tags === undefined ? {} : { tags }),
    versions: copy.versions,
  }
}
