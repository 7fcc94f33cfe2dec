import { z } from 'zod'
import { causedBy } from '../../../core/kms/cause.ts'
import { stringMap } from '../answers.ts'
import { noFields } from '../fields.ts'
import { engineRoute } from '../route.ts'

export const kmsKekRotate = engineRoute('kms/:name/kek/rotate', {
  names: { name: 'KMS' },
  synopsis: 'Replace the key encryption key of a KMS.',
  description: `
Makes a new key encryption key in the vault; keys that are brought there from then on are wrapped for it, from every KMS on that vault. The
former one is disabled there and never deleted. Not for a KMS that names its own with kek_id. At most once a minute for a vault.`,
  write: {
    capability: 'update',
    body: noFields,
    answers: {
      data: z.object({
        former_kek_id: z.string().nullable(),
        kek_attestation: stringMap.nullable(),
        kek_fingerprint: z.string(),
        kek_id: z.string(),
      }),
    },
    handler: async (call, { name }) => {
      const { keyId, fingerprint, formerKeyId, attestation, warnings } = await causedBy(
        { requestId: call.requestId },
        () => call.core.kms.rotateWrappingKey(call.scope, name),
      )
      const data = {
        former_kek_id: formerKeyId,
        kek_attestation: attestation,
        kek_fingerprint: fingerprint,
        kek_id: keyId,
      }
      return { data, warnings }
    },
  },
})
