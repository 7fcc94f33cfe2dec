import { z } from 'zod'
import type { Caller } from '../../../core/access/authenticator.ts'
import { pathFor } from '../../../core/access/policies.ts'
import { invalid } from '../../../core/errors.ts'
import type { Answers } from '../answers.ts'
import { required } from '../auth/lookup.ts'
import { commaList, text } from '../fields.ts'
import { type SystemCall, systemRoute } from '../route.ts'

const paths = { paths: commaList('The paths, in this namespace.'), path: commaList('The old name of paths.') }
const description = 'For each path the capabilities, or "deny" alone where there is none, and "root" for a root token.'

const answers: Answers = { data: z.record(z.string(), z.array(z.string())), repeat: true }

export const capabilitiesSelf = systemRoute('capabilities-self', {
  synopsis: "What the caller's token may do on paths.",
  description,
  write: {
    capability: 'update',
    answers,
    body: z.object(paths),
    handler: (call, _, input) => answer(call, call.caller, input.paths ?? input.path),
  },
})

export const capabilities = systemRoute('capabilities', {
  synopsis: 'What a token may do on paths.',
  description,
  write: {
    capability: 'update',
    answers,
    body: z.object({ ...paths, token: text('The token, of this namespace.') }),
    handler: async (call, _, input) => {
      const row = await call.core.tokens.lookup(call.namespace.id, { token: required('token', input.token) })
      return await answer(
        call,
        { token: row, namespacePath: call.namespace.path, goodUntil: null },
        input.paths ?? input.path,
      )
    },
  },
})

export const capabilitiesAccessor = systemRoute('capabilities-accessor', {
  synopsis: 'What the token that has an accessor may do on paths.',
  description,
  write: {
    capability: 'update',
    answers,
    body: z.object({ ...paths, accessor: text('The accessor.') }),
    handler: async (call, _, input) => {
      const row = await call.core.tokens.lookup(call.namespace.id, { accessor: required('accessor', input.accessor) })
      return await answer(
        call,
        { token: row, namespacePath: call.namespace.path, goodUntil: null },
        input.paths ?? input.path,
      )
    },
  },
})

async function answer({ core, namespace }: SystemCall, caller: Caller, wanted: string[] | undefined) {
  if (!wanted || wanted.length === 0) throw invalid('missing paths')
  const acl = await core.policies.aclOfSet(caller.token.namespaceId, caller.token.policies)
  const found = wanted.map((path): [string, string[]] => {
    const relative = pathFor(caller, namespace.path === '' ? path : `${namespace.path}/${path}`)
    return [path, relative === undefined ? ['deny'] : acl.capabilities(relative)]
  })
  const only = found.length === 1 ? found[0] : undefined
  // Not by assignment: a path may be called like what every object has.
  return { data: Object.fromEntries(only ? [only, ['capabilities', only[1]]] : found), repeat: true }
}
