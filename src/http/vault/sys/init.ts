import { z } from 'zod'
import { invalid } from '../../../core/errors.ts'
import { noFields } from '../fields.ts'
import { publicRoute } from '../route.ts'

export const init = publicRoute('sys/init', {
  synopsis: 'Whether the gateway was initialised.',
  description: 'A gateway that runs was: "keyferry init" does it before the first start.',
  read: {
    unauthenticated: true,
    answers: { raw: z.object({ initialized: z.boolean() }) },
    handler: () => ({ raw: { initialized: true } }),
  },
  write: {
    unauthenticated: true,
    body: noFields,
    handler: () => {
      throw invalid('the gateway is already initialized')
    },
  },
})
