import { z } from 'zod'
import { systemRoute } from '../route.ts'
import { mountAnswer, mountShape } from './mount-shape.ts'

export const mounts = systemRoute('mounts', {
  synopsis: 'List what is mounted in this namespace.',
  description: 'By path, with the settings of each.',
  read: {
    capability: 'read',
    answers: { data: z.record(z.string(), mountAnswer), repeat: true },
    handler: async ({ core, namespace }) => ({
      data: Object.fromEntries((await core.mounts.list(namespace.id)).map((mount) => [mount.path, mountShape(mount)])),
      repeat: true,
    }),
  },
})
