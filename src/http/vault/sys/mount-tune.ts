import { z } from 'zod'
import { stringMap } from '../answers.ts'
import { present } from '../decode.ts'
import { text } from '../fields.ts'
import { systemRoute } from '../route.ts'
import { leaseAnswer, leaseInEffect } from './lease-settings.ts'
import { mountAt } from './mount-at.ts'
import { flags, tunable } from './mount-shape.ts'

export const mountTune = systemRoute('mounts/:path+/tune', {
  synopsis: 'Read and change the settings of a mount.',
  description: 'What is not sent is not changed.',
  read: {
    capability: 'read',
    answers: {
      data: z.object({ ...leaseAnswer, description: z.string(), options: stringMap.optional() }),
      repeat: true,
    },
    handler: async (call, { path }) => {
      const { config, description } = await mountAt(call, path)
      return {
        data: {
          ...leaseInEffect(config),
          description,
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
        config: present(settings),
      })
      return undefined
    },
  },
})
