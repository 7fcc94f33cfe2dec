import { z } from 'zod'
import type { OperationView } from '../../../core/distribution/operation-service.ts'
import { seconds, time } from '../answers.ts'
import { listOf } from '../envelope.ts'
import { noFields } from '../fields.ts'
import { engineRoute } from '../route.ts'
import { rfc3339 } from '../times.ts'

export const operationAnswer = z.object({
  attempts: seconds.optional().describe('Failures in a row, while it is pending.'),
  creation_time: time,
  finish_time: time.optional(),
  id: z.string(),
  key: z.string().optional(),
  kind: z.enum(['distribute', 'rotate', 'update', 'remove']),
  kms: z.string().optional(),
  next_attempt_time: time.optional(),
  reason: z.string().optional(),
  state: z.enum(['pending', 'succeeded', 'failed', 'superseded']),
  successor: z.string().optional().describe('The operation that overtook it.'),
})

/** What a caller has to know to go on looking: the operation that it is about from now on. */
export const followed = z.object({ operation_id: z.string() })

export const operations = engineRoute('operation', {
  synopsis: 'List what is being done in KMSs, and what was.',
  description: `
Ids, in no order that means anything; "after" and "limit" give a page of them. Operations that ended are kept for seven days.`,
  list: {
    capability: 'list',
    handler: async (call, _params, page) => listOf(await call.core.operations.list(call.scope, page)),
  },
})

export const operation = engineRoute('operation/:id', {
  synopsis: 'Read how an operation stands.',
  description: `
A distribution, a rotation, a new min_enabled_version and a removal are an operation for each KMS that they are about. It is pending until
the KMS was seen to be as it should be; with "reason", "attempts" and "next_attempt_time" where something is in the way.`,
  read: {
    capability: 'read',
    answers: { data: operationAnswer },
    handler: async (call, { id }) => ({ data: operationShape(await call.core.operations.read(call.scope, id)) }),
  },
})

export const operationRetry = engineRoute('operation/:id/retry', {
  synopsis: 'Try an operation again now.',
  description: `
For one that is pending, or one that was refused where nothing was changed since; the latter goes on under another id, which is the answer.
Anything else is an error.`,
  write: {
    capability: 'update',
    body: noFields,
    async: true,
    answers: { data: followed },
    handler: async (call, { id }) => {
      const retried = await call.core.operations.retry(call.scope, id, call.waiting)
      return { data: { operation_id: retried.id }, warnings: retried.warnings }
    },
  },
})

export const operationCancel = engineRoute('operation/:id/cancel', {
  synopsis: 'Call off a first distribution that is still going on.',
  description: `
What is there of it is removed; the answer is the id of the removal. Anything else cannot be cancelled, and is an error: a version that was
made stays made, and a removal goes on until the key is gone.`,
  write: {
    capability: 'update',
    body: noFields,
    async: true,
    answers: { data: followed },
    handler: async (call, { id }) => {
      const removal = await call.core.operations.cancel(call.scope, id, call.waiting)
      return { data: { operation_id: removal.id }, warnings: removal.warnings }
    },
  },
})

export function operationShape(view: OperationView): Record<string, unknown> {
  const { attempts, createdAt, finishedAt, id, key, kind, kms, nextAttemptAt, reason, state, successor } = view
  return {
    ...(attempts === null ? {} : { attempts }),
    creation_time: rfc3339(createdAt),
    ...(finishedAt === null ? {} : { finish_time: rfc3339(finishedAt) }),
    id,
    ...(key === null ? {} : { key }),
    kind,
    ...(kms === null ? {} : { kms }),
    ...(nextAttemptAt === null ? {} : { next_attempt_time: rfc3339(nextAttemptAt) }),
    ...(reason === null ? {} : { reason }),
    state,
    ...(successor === null ? {} : { successor }),
  }
}
