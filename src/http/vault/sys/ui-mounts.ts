import { systemRoute } from '../route.ts'
import { mountShape } from './mount-shape.ts'

export const uiMounts = systemRoute('internal/ui/mounts', {
  synopsis: 'The mounts that the caller may see, for user interfaces.',
  description: 'Secrets engines and ways of authentication, by path.',
  read: {
    capability: 'read',
    handler: async ({ core, namespace }) => ({
      data: {
        auth: { 'token/': { description: 'token based credentials', options: null, type: 'token' } },
        secret: Object.fromEntries((await core.mounts.list(namespace.id)).map((one) => [one.path, mountShape(one)])),
      },
    }),
  },
})
