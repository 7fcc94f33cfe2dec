import { z } from 'zod'
import { systemRoute } from '../route.ts'

export const auditDevices = systemRoute('audit', {
  synopsis: 'List the audit devices that were enabled by API.',
  description: `
None can be: where the audit log goes is said by whoever starts the gateway, and cannot be changed by those whose doings it records.
Needs sudo.`,
  read: {
    capability: 'sudo',
    answers: { data: z.object({}), repeat: true },
    handler: () => ({ data: {}, repeat: true }),
  },
})
