import { z } from 'zod'
import { invalid } from '../../../core/errors.ts'
import { decodeFields, present } from '../decode.ts'
import { done } from '../envelope.ts'
import { anyObject, boolean, text } from '../fields.ts'
import { flag } from '../query.ts'
import { systemRoute } from '../route.ts'
import { mountAt } from './mount-at.ts'
import { flags, mountAnswer, mountShape, tunableFields } from './mount-shape.ts'

export const mount = systemRoute('mounts/:path+', {
  synopsis: 'Mount an engine, look at a mount, and remove it.',
  description: `
Each mount is a world of its own. Removing one removes its keys and KMSs; copies in clouds stay there, and are named in a warning, unless
"remove_remote=true" asks for their removal: then it goes on by itself, as LIST sys/operation shows.`,
  read: {
    capability: 'read',
    answers: { data: mountAnswer, repeat: true },
    handler: async (call, { path }) => ({ data: mountShape(await mountAt(call, path)), repeat: true }),
  },
  write: {
    capability: 'update',
    body: z.object({
      type: text('What to mount: keymgmt.'),
      description: text('For people.'),
      config: anyObject('default_lease_ttl, max_lease_ttl, force_no_cache, listing_visibility.'),
      ...flags,
    }),
    handler: async ({ core, namespace }, { path }, { type, description, config, ...others }) => {
      if (type === undefined) throw invalid('missing type: it says what to mount, keymgmt')
      const settings = decodeFields(tunableFields, config ?? {})
      await core.mounts.create(namespace.id, path, {
        type,
        ...present({ description }),
        config: present({ ...settings, ...others }),
      })
      return undefined
    },
  },
  delete: {
    capability: 'delete',
    query: z.object({ remove_remote: boolean('Removes its keys from their KMSs too; they are left there, else.') }),
    handler: async ({ core, namespace }, { path }, query) =>
      done(await core.mounts.remove(namespace.id, path, flag(query, 'remove_remote'))),
  },
})
