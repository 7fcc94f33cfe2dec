import { listOf } from '../envelope.ts'
import { pageOf } from '../query.ts'
import { engineRoute } from '../route.ts'

export const keyKms = engineRoute('key/:name/kms', {
  names: { name: 'key' },
  synopsis: 'List the KMSs that have a key.',
  description: 'Names in order. A key may be in any number of KMSs.',
  list: {
    capability: 'list',
    cacheable: true,
    handler: async (call, { name }, page) =>
      listOf(pageOf(await call.core.distribution.kmsOfKey(call.scope, name), page)),
  },
})
