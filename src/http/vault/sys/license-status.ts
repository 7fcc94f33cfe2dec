import { z } from 'zod'
import { systemRoute } from '../route.ts'

const never = '9999-12-31T23:59:59Z'

export const licenseStatus = systemRoute('license/status', {
  synopsis: 'The licence, which is not needed.',
  description:
    'In the shape of Vault Enterprise, for clients that look whether the features that they use are licensed.',
  read: {
    capability: 'read',
    answers: {
      data: z.object({
        autoloading_used: z.boolean(),
        autoloaded: z.object({
          license_id: z.string(),
          customer_id: z.string(),
          features: z.array(z.string()),
          start_time: z.string(),
          expiration_time: z.string(),
          termination_time: z.string(),
          performance_standby_count: z.number(),
        }),
      }),
    },
    handler: () => ({
      data: {
        autoloading_used: false,
        autoloaded: {
          license_id: '',
          customer_id: '',
          features: ['Key Management Secrets Engine', 'Namespaces'],
          start_time: '0001-01-01T00:00:00Z',
          expiration_time: never,
          termination_time: never,
          performance_standby_count: 0,
        },
      },
    }),
  },
})
