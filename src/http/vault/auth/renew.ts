import { z } from 'zod'
import type { TokenRow } from '../../../core/store.ts'
import type { Answer } from '../envelope.ts'
import { duration, text } from '../fields.ts'
import { type SystemCall, systemRoute } from '../route.ts'
import { authShape } from './auth-shape.ts'
import { required } from './lookup.ts'

const increment = duration('For how long from now; as it was made unless told.')

export const renewSelf = systemRoute('renew-self', {
  synopsis: 'Renew the token that the request is made with.',
  description: 'From now, never beyond its maximum. The string stays the same.',
  write: {
    capability: 'update',
    body: z.object({ increment }),
    answers: { auth: true },
    handler: (call, _, input) => renewed(call, call.caller.token, call.presentedToken, input.increment),
  },
})

export const renew = systemRoute('renew', {
  synopsis: 'Renew a token of this namespace.',
  description: 'From now, never beyond its maximum. The string stays the same.',
  write: {
    capability: 'update',
    body: z.object({ token: text('The token.'), increment }),
    answers: { auth: true },
    handler: async (call, _, input) => {
      const token = required('token', input.token)
      return await renewed(call, await call.core.tokens.lookup(call.namespace.id, { token }), token, input.increment)
    },
  },
})

export const renewAccessor = systemRoute('renew-accessor', {
  synopsis: 'Renew the token that has an accessor.',
  description: 'The answer does not show the token itself.',
  write: {
    capability: 'update',
    body: z.object({ accessor: text('The accessor.'), increment }),
    answers: { auth: true },
    handler: async (call, _, input) => {
      const accessor = required('accessor', input.accessor)
      return await renewed(call, await call.core.tokens.lookup(call.namespace.id, { accessor }), '', input.increment)
    },
  },
})

async function renewed(
  { core }: SystemCall,
  row: TokenRow,
  token: string,
  seconds: number | undefined,
): Promise<Answer> {
  const result = await core.tokens.renew(row, seconds ?? 0)
  return { data: null, auth: authShape(token, result.row, core.context.now()), warnings: result.warnings }
}
