import { z } from 'zod'
import { seconds, time } from '../answers.ts'
import type { Answer } from '../envelope.ts'
import { text } from '../fields.ts'
import { type SystemCall, systemRoute } from '../route.ts'
import { rfc3339 } from '../times.ts'

const anything = z.record(z.string(), z.unknown())
const token = text("The wrapping token; the request's own where none is given.")

export const wrappingLookup = systemRoute('wrapping/lookup', {
  synopsis: 'What a wrapping token is for.',
  description: 'Its creation path, time and ttl. Looking does not use it up.',
  write: {
    capability: 'update',
    body: z.object({ token }),
    answers: { data: z.object({ creation_path: z.string(), creation_time: time, creation_ttl: seconds }) },
    handler: (call, _, input) => lookupWrapped(call, input.token),
  },
})

export const wrappingUnwrap = systemRoute('wrapping/unwrap', {
  synopsis: 'Get the answer that a wrapping token stands for.',
  description: 'Once: whoever comes second is refused, which tells the first that somebody else was there.',
  write: {
    capability: 'update',
    body: z.object({ token }),
    answers: { data: anything.nullable(), auth: 'maybe' },
    handler: (call, _, input) => unwrap(call, input.token),
  },
})

export const wrappingWrap = systemRoute('wrapping/wrap', {
  synopsis: 'Wrap the body of the request.',
  description: 'Needs X-Vault-Wrap-TTL; the answer holds the wrapping token.',
  write: {
    capability: 'update',
    body: z.looseObject({}),
    answers: { data: anything },
    handler: (_, __, data) => ({ data }),
  },
})

type WrapCall = Pick<SystemCall, 'core' | 'presentedToken'>

/** What a wrapping token is for. */
export async function lookupWrapped({ core, presentedToken }: WrapCall, given?: string): Promise<Answer> {
  const row = await core.wrapping.lookup(given || presentedToken)
  return { data: { creation_path: row.creationPath, creation_time: rfc3339(row.createdAt), creation_ttl: row.ttl } }
}

/** The answer as it was: an envelope's members, to be put into a new one. */
export async function unwrap({ core, presentedToken }: WrapCall, given?: string): Promise<Answer> {
  const { answer } = await core.wrapping.unwrap(given || presentedToken)
  const { data, auth, warnings } = JSON.parse(answer) as {
    data: Record<string, unknown> | null
    auth: Record<string, unknown> | null
    warnings: string[] | null
  }
  return { data, ...(auth ? { auth } : {}), ...(warnings ? { warnings } : {}) }
}
