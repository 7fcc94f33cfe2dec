import { listOf } from '../envelope.ts'
import { operationAnswer, operationShape } from '../keymgmt/operations.ts'
import { systemRoute } from '../route.ts'

export const sysOperations = systemRoute('operation', {
  synopsis: 'List operations that no mount or key leads to any more.',
  description: `
A removal goes on without its key, KMS and mount, whose names are free at once; those of a deleted namespace are shown in its parent.
Ids only, never names; "after" and "limit" give a page of them.`,
  list: {
    capability: 'list',
    handler: async ({ core, namespace }, _params, page) =>
      listOf(await core.operations.listOrphaned(namespace.id, page)),
  },
})

export const sysOperation = systemRoute('operation/:id', {
  synopsis: 'Read how an operation stands.',
  description: 'Any of the namespace, and of deleted namespaces right below it.',
  read: {
    capability: 'read',
    answers: { data: operationAnswer },
    handler: async ({ core, namespace }, { id }) => ({
      data: operationShape(await core.operations.readAny(namespace.id, id)),
    }),
  },
})
