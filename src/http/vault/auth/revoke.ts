import { z } from 'zod'
import { text } from '../fields.ts'
import { systemRoute } from '../route.ts'
import { required } from './lookup.ts'

export const revokeSelf = systemRoute('revoke-self', {
  synopsis: 'Revoke the token that the request is made with.',
  description: 'And its children. It is dead at once, in every process.',
  write: {
    capability: 'update',
    body: z.object({}),
    handler: async ({ core, caller }) => {
      await core.tokens.revoke(caller.token)
      return undefined
    },
  },
})

export const revoke = systemRoute('revoke', {
  synopsis: 'Revoke a token of this namespace, with its children.',
  description: "The caller's own where the token in the body is empty, as the command line expects.",
  write: {
    capability: 'update',
    body: z.object({ token: text('The token.') }),
    handler: async ({ core, caller, namespace }, _, { token }) => {
      const row =
        token === '' ? caller.token : await core.tokens.lookup(namespace.id, { token: required('token', token) })
      await core.tokens.revoke(row)
      return undefined
    },
  },
})

export const revokeAccessor = systemRoute('revoke-accessor', {
  synopsis: 'Revoke the token that has an accessor, with its children.',
  description: 'It is dead at once, in every process.',
  write: {
    capability: 'update',
    body: z.object({ accessor: text('The accessor.') }),
    handler: async ({ core, namespace }, _, { accessor }) => {
      await core.tokens.revoke(await core.tokens.lookup(namespace.id, { accessor: required('accessor', accessor) }))
      return undefined
    },
  },
})

export const revokeOrphan = systemRoute('revoke-orphan', {
  synopsis: 'Revoke a token and leave its children.',
  description: 'They become orphans. Needs sudo.',
  write: {
    capability: 'sudo',
    body: z.object({ token: text('The token.') }),
    handler: async ({ core, namespace }, _, { token }) => {
      await core.tokens.revoke(await core.tokens.lookup(namespace.id, { token: required('token', token) }), 'orphan')
      return undefined
    },
  },
})
