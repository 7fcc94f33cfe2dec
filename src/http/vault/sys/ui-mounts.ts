import { z } from 'zod'
import { systemRoute } from '../route.ts'
import { authMountAnswer, authMountShape } from './auth-mount-shape.ts'
import { mountAnswer, mountShape } from './mount-shape.ts'

export const uiMounts = systemRoute('internal/ui/mounts', {
  synopsis: 'The mounts that the caller may see, for user interfaces.',
  description: 'Secrets engines and ways of authentication, by path.',
  read: {
    capability: 'read',
    answers: {
      data: z.object({ auth: z.record(z.string(), authMountAnswer), secret: z.record(z.string(), mountAnswer) }),
    },
    handler: async ({ core, namespace }) => ({
      data: {
        auth: Object.fromEntries(
          (await core.doors.mounts.list(namespace.id)).map((one) => [one.path, authMountShape(one)]),
        ),
        secret: Object.fromEntries((await core.mounts.list(namespace.id)).map((one) => [one.path, mountShape(one)])),
      },
    }),
  },
})
