import { z } from 'zod'
import { invalid } from '../../../core/errors.ts'
import { listOf } from '../envelope.ts'
import { text } from '../fields.ts'
import { pageOf } from '../query.ts'
import { systemRoute } from '../route.ts'
import { tokenAnswer, tokenView } from './token-view.ts'

export const lookupSelf = systemRoute('lookup-self', {
  synopsis: 'What is known of the token that the request is made with.',
  description: 'The command line asks this at "login".',
  read: {
    capability: 'read',
    answers: { data: tokenAnswer },
    handler: ({ core, caller, presentedToken }) => ({
      data: tokenView(caller.token, caller.namespacePath, presentedToken, core.context.now()),
    }),
  },
})

export const lookup = systemRoute('lookup', {
  synopsis: 'What is known of a token.',
  description: "Of the token in the body, which must be of this namespace; of the caller's own where none is given.",
  read: {
    capability: 'read',
    answers: { data: tokenAnswer },
    handler: ({ core, caller, presentedToken }) => ({
      data: tokenView(caller.token, caller.namespacePath, presentedToken, core.context.now()),
    }),
  },
  write: {
    capability: 'update',
    body: z.object({ token: text('The token.') }),
    answers: { data: tokenAnswer },
    handler: async ({ core, namespace, presentedToken }, _, { token }) => {
      const wanted = token || presentedToken
      const row = await core.tokens.lookup(namespace.id, { token: wanted })
      return { data: tokenView(row, namespace.path, wanted, core.context.now()) }
    },
  },
})

export const lookupAccessor = systemRoute('lookup-accessor', {
  synopsis: 'What is known of the token that has an accessor.',
  description: 'Shows everything but the token itself.',
  write: {
    capability: 'update',
    body: z.object({ accessor: text('The accessor.') }),
    answers: { data: tokenAnswer },
    handler: async ({ core, namespace }, _, { accessor }) => {
      const row = await core.tokens.lookup(namespace.id, { accessor: required('accessor', accessor) })
      return { data: tokenView(row, namespace.path, '', core.context.now()) }
    },
  },
})

export const accessors = systemRoute('accessors', {
  synopsis: 'List the accessors of this namespace.',
  description: 'With an accessor a token can be looked up, renewed and revoked, but not used. Needs sudo.',
  list: {
    capability: 'sudo',
    handler: async ({ core, namespace }, _, page) => listOf(pageOf(await core.tokens.accessors(namespace.id), page)),
  },
})

/** A field that has to be there. Throws `invalid` naming it. */
export function required(field: string, value: string | undefined): string {
  if (value === undefined || value === '') throw invalid(`missing ${field}`)
  return value
}
