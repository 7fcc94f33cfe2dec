import { z } from 'zod'
import { required } from '../auth/lookup.ts'
import { text } from '../fields.ts'
import { systemRoute } from '../route.ts'

export const auditHash = systemRoute('audit-hash/:path', {
  synopsis: 'The hash that a value has in the audit log.',
  description: 'To look for a token or any other text in the log of this namespace. The same for every sink.',
  write: {
    capability: 'update',
    body: z.object({ input: text('The value.') }),
    answers: { data: z.object({ hash: z.string() }) },
    handler: ({ core, namespace }, _, { input }) => ({
      data: { hash: core.audit.hash(namespace.id, required('input', input)) },
    }),
  },
})
