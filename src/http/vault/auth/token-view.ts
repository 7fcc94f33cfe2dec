import { z } from 'zod'
import type { TokenRow } from '../../../core/store.ts'
import { seconds, stringMap, time } from '../answers.ts'
import { rfc3339 } from '../times.ts'

export const tokenAnswer = z.object({
  accessor: z.string(),
  bound_cidrs: z.array(z.string()).optional(),
  creation_time: z.number().int(),
  creation_ttl: seconds,
  display_name: z.string(),
  entity_id: z.string(),
  expire_time: time.nullable(),
  explicit_max_ttl: seconds,
  id: z.string(),
  issue_time: time,
  last_renewal: time.optional(),
  last_renewal_time: z.number().int().optional(),
  meta: stringMap.nullable(),
  namespace_path: z.string().optional(),
  num_uses: z.number().int(),
  orphan: z.boolean(),
  path: z.string(),
  period: seconds.optional(),
  policies: z.array(z.string()),
  renewable: z.boolean(),
  role: z.string().optional(),
  ttl: seconds,
  type: z.enum(['service', 'batch']),
})

/** A token's record in the shape of Vault's lookup. `id` is the string where the asker sent it, else ''. `now`: ms since 1970. */
export function tokenView(token: TokenRow, namespacePath: string, id: string, now: number) {
  const { createdAt, expiresAt, renewedAt } = token
  return {
    accessor: token.accessor,
    creation_time: Math.floor(createdAt / 1000),
    creation_ttl: token.creationTtl,
    display_name: token.displayName,
    entity_id: '',
    expire_time: expiresAt === null ? null : rfc3339(expiresAt),
    explicit_max_ttl: token.explicitMaxTtl,
    id,
    issue_time: rfc3339(createdAt),
    ...(renewedAt === null
      ? {}
      : { last_renewal: rfc3339(renewedAt), last_renewal_time: Math.floor(renewedAt / 1000) }),
    meta: Object.keys(token.meta).length === 0 ? null : token.meta,
    ...(namespacePath === '' ? {} : { namespace_path: `${namespacePath}/` }),
    num_uses: token.numUses,
    orphan: token.parentId === null,
    path: token.path,
    ...(token.period === 0 ? {} : { period: token.period }),
    policies: token.policies,
    renewable: token.renewable,
    ...(token.role === '' ? {} : { role: token.role }),
    ...(token.boundCidrs.length === 0 ? {} : { bound_cidrs: token.boundCidrs }),
    ttl: expiresAt === null ? 0 : Math.max(0, Math.ceil((expiresAt - now) / 1000)),
    type: token.type,
  }
}
