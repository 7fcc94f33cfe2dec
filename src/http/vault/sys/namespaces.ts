import { z } from 'zod'
import { KeyferryError } from '../../../core/errors.ts'
import type { NamespaceRow } from '../../../core/store.ts'
import { type Answers, stringMap } from '../answers.ts'
import { createOrUpdate } from '../existence.ts'
import { boolean, pairChanges, pairs } from '../fields.ts'
import { flag, pageOf } from '../query.ts'
import { type SystemCall, systemRoute } from '../route.ts'

const description = `
A namespace is a tenant: it has mounts, keys, KMSs, policies, roles and tokens of its own, sealed under a key of its own. Names are
relative to the namespace of the request.`

const shown = z.object({ id: z.string(), path: z.string(), custom_metadata: stringMap })
const answers: Answers = { data: shown }

export const namespaces = systemRoute('namespaces', {
  synopsis: 'List the namespaces in this one.',
  description,
  list: {
    capability: 'list',
    answers: { data: z.object({ keys: z.array(z.string()), key_info: z.record(z.string(), shown) }) },
    handler: async ({ core, namespace }, _, page) => {
      const children = await core.namespaces.list(namespace)
      const byName = new Map(children.map((child) => [`${child.path.slice(child.path.lastIndexOf('/') + 1)}/`, child]))
      const keys = pageOf([...byName.keys()].sort(), page)
      if (keys.length === 0) return undefined
      return {
        data: { keys, key_info: Object.fromEntries(keys.map((key) => [key, shape(byName.get(key), namespace)])) },
      }
    },
  },
})

export const namespaceAt = systemRoute('namespaces/:path+', {
  synopsis: 'Make, read, change and delete a namespace.',
  description,
  read: {
    capability: 'read',
    answers,
    handler: async (call, { path }) => {
      const row = await find(call, path)
      return row && { data: shape(row, call.namespace) }
    },
  },
  write: {
    capability: (call, { path }) => createOrUpdate(call.core.namespaces.at(call.namespace, path)),
    body: z.object({ custom_metadata: pairs('Names and values, shown when it is read.') }),
    answers,
    handler: async ({ core, namespace }, { path }, input) => ({
      data: shape(await core.namespaces.create(namespace, path, input.custom_metadata), namespace),
    }),
  },
  patch: {
    capability: 'patch',
    body: z.object({ custom_metadata: pairChanges('What changes; null takes a value away.') }),
    answers,
    handler: async ({ core, namespace }, { path }, input) => {
      const row = await core.namespaces.at(namespace, path)
      const change = input.custom_metadata
      return { data: shape(change === undefined ? row : await core.namespaces.patchMetadata(row, change), namespace) }
    },
  },
  delete: {
    capability: 'delete',
    query: z.object({
      remove_remote: boolean('Removes its keys from their KMSs too; refused while there are any, else.'),
    }),
    answers: { data: z.object({ status: z.literal('in-progress') }).nullable() },
    handler: async (call, { path }, query) => {
      const row = await find(call, path)
      // Vault's command line ends with an error on an empty answer here.
      if (!row) return { data: null, warnings: ['requested namespace does not exist'] }
      await call.core.namespaces.delete(row, flag(query, 'remove_remote'))
      return { data: { status: 'in-progress' } }
    },
  },
})

async function find({ core, namespace }: SystemCall, path: string): Promise<NamespaceRow | undefined> {
  try {
    return await core.namespaces.at(namespace, path)
  } catch (error) {
    if (error instanceof KeyferryError && error.code === 'not_found') return undefined
    throw error
  }
}

/** As Vault shows it: the path relative to the namespace of the request, with its final slash. */
function shape(row: NamespaceRow | undefined, from: NamespaceRow): Record<string, unknown> {
  if (!row) return {}
  const relative = from.path === '' ? row.path : row.path.slice(from.path.length + 1)
  return { id: row.id, path: `${relative}/`, custom_metadata: row.customMetadata }
}
