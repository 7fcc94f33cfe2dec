import { z } from 'zod'
import { KeyferryError } from '../../../core/errors.ts'
import { systemRoute } from '../route.ts'
import { mountAnswer, mountShape } from './mount-shape.ts'

export const uiMount = systemRoute('internal/ui/mounts/:path+', {
  synopsis: 'The mount that a path is under.',
  description: 'Clients ask this before they use an engine that has several versions.',
  read: {
    capability: 'read',
    answers: { data: mountAnswer.extend({ path: z.string() }) },
    handler: async ({ core, namespace }, { path }) => {
      const mount = await core.mounts.resolve(namespace.id, `${path}/`)
      // Vault's answer: it does not tell a path that is not mounted from one that may not be seen.
      if (!mount) throw new KeyferryError('denied', 'permission denied')
      return { data: { ...mountShape(mount), path: mount.path } }
    },
  },
})
