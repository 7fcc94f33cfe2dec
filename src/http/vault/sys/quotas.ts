import { z } from 'zod'
import { invalid } from '../../../core/errors.ts'
import type { RateLimitRow } from '../../../core/store.ts'
import { seconds } from '../answers.ts'
import { listOf } from '../envelope.ts'
import { duration, text } from '../fields.ts'
import { pageOf } from '../query.ts'
import { type SystemCall, systemRoute } from '../route.ts'

const description = `
So many requests in an interval, for each address that they come from. A limit with a path is for what is below it, be it a mount
(keymgmt/) or a namespace (team/); one without is for the whole namespace and those below it. Of a namespace's limits the most specific
one counts; those of the namespaces above count besides. Over one, the answer is 429 with Retry-After.`

export const rateLimits = systemRoute('quotas/rate-limit', {
  synopsis: 'List the rate limits of this namespace.',
  description,
  list: {
    capability: 'list',
    handler: async ({ core, namespace }, _, page) =>
      listOf(
        pageOf(
          (await core.quotas.list(namespace)).map((row) => row.name),
          page,
        ),
      ),
  },
})

export const rateLimit = systemRoute('quotas/rate-limit/:name', {
  synopsis: 'Read, write and delete a rate limit.',
  description,
  read: {
    capability: 'read',
    answers: {
      data: z.object({
        name: z.string(),
        type: z.literal('rate-limit'),
        path: z.string(),
        rate: z.number(),
        interval: seconds,
        block_interval: seconds,
        role: z.string(),
        inheritable: z.boolean(),
      }),
    },
    handler: async (call, { name }) => {
      const row = await find(call, name)
      return row && { data: shape(row) }
    },
  },
  write: {
    capability: 'update',
    body: z.object({
      path: text('The mount or namespace that it is for, such as keymgmt/ or team/; empty for the whole namespace.'),
      rate: text('Requests in an interval: a number above 0.'),
      interval: duration('Length of an interval; 1 second unless told.'),
      block_interval: duration('How long one that went over is refused; 0 unless told.'),
      role: text('Kept for clients that set it.'),
      type: text('rate-limit.'),
    }),
    handler: async (call, { name }, body) => {
      const before = await find(call, name)
      const rate = body.rate === undefined ? before?.rate : Number(body.rate)
      if (rate === undefined) throw invalid('missing rate')
      await call.core.quotas.put({
        namespaceId: call.namespace.id,
        name,
        path: body.path ?? before?.path ?? '',
        rate,
        interval: body.interval ?? before?.interval ?? 1,
        blockInterval: body.block_interval ?? before?.blockInterval ?? 0,
        role: body.role ?? before?.role ?? '',
      })
      return undefined
    },
  },
  delete: {
    capability: 'delete',
    handler: async ({ core, namespace }, { name }) => {
      await core.quotas.remove(namespace, name)
      return undefined
    },
  },
})

async function find({ core, namespace }: SystemCall, name: string): Promise<RateLimitRow | undefined> {
  return (await core.quotas.list(namespace)).find((row) => row.name === name)
}

function shape(row: RateLimitRow): Record<string, unknown> {
  return {
    name: row.name,
    type: 'rate-limit',
    path: row.path,
    rate: row.rate,
    interval: row.interval,
    block_interval: row.blockInterval,
    role: row.role,
    inheritable: row.path === '',
  }
}
