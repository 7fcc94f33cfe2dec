import { z } from 'zod'
import { time } from '../answers.ts'
import { unsupportedPath } from '../operation.ts'
import { type SystemCall, systemRoute } from '../route.ts'
import { rfc3339 } from '../times.ts'

export const rotateSigningKey = systemRoute('rotate/signing-key', {
  synopsis: 'The keys that sign tokens, and a new one of them.',
  description: `
The new key is published at /oauth/jwks at once and signs ten minutes later. The one before it goes on to verify what it signed, so that
no token ends by a rotation. In the root namespace only. Needs sudo.`,
  read: {
    capability: 'sudo',
    answers: {
      data: z.object({
        keys: z.array(
          z.object({ kid: z.string(), algorithm: z.string(), created_time: time, retired_time: time.nullable() }),
        ),
      }),
    },
    handler: async (call) => {
      onlyRoot(call)
      const keys = await call.core.signingKeys.list()
      return {
        data: {
          keys: keys.map(({ kid, algorithm, createdAt, retiredAt }) => ({
            kid,
            algorithm,
            created_time: rfc3339(createdAt),
            retired_time: retiredAt === null ? null : rfc3339(retiredAt),
          })),
        },
      }
    },
  },
  write: {
    capability: 'sudo',
    body: z.object({}),
    answers: { data: z.object({ kid: z.string(), signs_from: time }) },
    handler: async (call) => {
      onlyRoot(call)
      const { kid, signsFrom } = await call.core.signingKeys.rotate()
      return { data: { kid, signs_from: rfc3339(signsFrom) } }
    },
  },
})

/** The keys sign the tokens of all namespaces: no tenant's sudo is enough. */
function onlyRoot({ namespace }: SystemCall): void {
  if (namespace.id !== 'root') throw unsupportedPath()
}
