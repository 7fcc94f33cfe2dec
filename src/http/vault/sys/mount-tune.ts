import { z } from 'zod'
import { seconds, stringMap } from '../answers.ts'
import { present } from '../decode.ts'
import { text } from '../fields.ts'
import { systemRoute } from '../route.ts'
import { mountAt } from './mount-at.ts'
import { flags, keptConfig, tunable } from './mount-shape.ts'

/** Vault's system-wide lease time, in seconds: what a mount without one of its own reads. */
const systemLease = 32 * 24 * 3600

export const mountTune = systemRoute('mounts/:path+/tune', {
  synopsis: 'Read and change the settings of a mount.',
  description: 'What is not sent is not changed.',
  read: {
    capability: 'read',
    answers: {
      data: z.object({
        default_lease_ttl: seconds,
        description: z.string(),
        force_no_cache: z.boolean(),
        listing_visibility: z.string().optional(),
        max_lease_ttl: seconds,
        options: stringMap.optional(),
      }),
      repeat: true,
    },
    handler: async (call, { path }) => {
      const { config, description } = await mountAt(call, path)
      return {
        data: {
          default_lease_ttl: config.default_lease_ttl || systemLease,
          description,
          force_no_cache: config.force_no_cache ?? false,
          ...(config.listing_visibility === undefined ? {} : { listing_visibility: config.listing_visibility }),
          max_lease_ttl: config.max_lease_ttl || systemLease,
          ...(config.options === undefined ? {} : { options: config.options }),
        },
        repeat: true,
      }
    },
  },
  write: {
    capability: 'update',
    body: z.object({ ...tunable, description: text('For people.'), options: flags.options }),
    handler: async (call, { path }, { description, ...settings }) => {
      await mountAt(call, path)
      await call.core.mounts.tune(call.namespace.id, path, {
        ...present({ description }),
        config: keptConfig(settings),
      })
      return undefined
    },
  },
})
