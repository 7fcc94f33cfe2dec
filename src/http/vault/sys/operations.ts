import { listOf } from '../envelope.ts'
import { noFields } from '../fields.ts'
import { followed, operationAnswer, operationShape } from '../keymgmt/operations.ts'
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

export const sysOperationRetry = systemRoute('operation/:id/retry', {
  synopsis: 'Try an operation again now.',
  description: `
For one that is pending, or one that was refused where nothing was changed since; the latter goes on under another id, which is the answer.
Anything else is an error. A removal that no key or mount leads to any more cannot be called off: there is nothing to go back to.`,
  write: {
    capability: 'update',
    body: noFields,
    answers: { data: followed },
    handler: async ({ core, namespace }, { id }) => ({
      data: { operation_id: await core.operations.retryAny(namespace.id, id) },
    }),
  },
})
