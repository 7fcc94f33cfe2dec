import { listOf } from '../envelope.ts'
import { pageOf } from '../query.ts'
import { engineRoute } from '../route.ts'

export const kmsKeys = engineRoute('kms/:name/key', {
  names: { name: 'KMS' },
  synopsis: 'List the keys in a KMS.',
  description: 'Names in order. Keys that something else put there are not listed.',
  list: {
    capability: 'list',
    cacheable: true,
    handler: async (call, { name }, page) =>
      listOf(pageOf(await call.core.distribution.keysOfKms(call.scope, name), page)),
  },
})
