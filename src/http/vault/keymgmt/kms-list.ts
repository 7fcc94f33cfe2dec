import { listOf } from '../envelope.ts'
import { engineRoute } from '../route.ts'

export const kmsList = engineRoute('kms', {
  synopsis: 'List the KMSs of this mount.',
  description: 'Names in order. "after" and "limit" give a page of them.',
  list: {
    capability: 'list',
    cacheable: true,
    handler: async (call, _params, page) => listOf(await call.core.kms.list(call.scope, page)),
  },
})
