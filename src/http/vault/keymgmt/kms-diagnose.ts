import { z } from 'zod'
import { causedBy } from '../../../core/kms/cause.ts'
import { engineRoute } from '../route.ts'

const level = z.enum(['ok', 'info', 'warning', 'error'])
const finding = z.object({ level, code: z.string(), message: z.string(), action: z.string().optional() })

export const kmsDiagnose = engineRoute('kms/:name/diagnose', {
  names: { name: 'KMS' },
  synopsis: 'Look at everything that stands between a KMS and its first key.',
  description: `
Name, TLS, clock, token, permissions, kind of vault, key encryption key and room, as far as they can be told without changing anything in
the cloud. Each finding has a level (ok, info, warning, error), a code, a message and, where there is something to do, an action; "level"
is the worst of them. An answer is a success whatever was found.`,
  read: {
    capability: 'read',
    answers: { data: z.object({ level, findings: z.array(finding) }) },
    handler: async (call, { name }) => {
      const { level, findings } = await causedBy({ requestId: call.requestId }, () =>
        call.core.kms.diagnose(call.scope, name),
      )
      return { data: { findings, level } }
    },
  },
})
