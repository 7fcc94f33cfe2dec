import type { Context } from '../context.ts'
import { invalid } from '../errors.ts'
import type { TokenRow } from '../store.ts'
import { checkCidrs } from './cidrs.ts'
import type { TokenRole } from './token-roles.ts'
import { outerBound, systemMaxTtl } from './ttl.ts'

/** A request for a token, decoded: durations in seconds. */
export interface TokenInput {
  policies?: string[]
  ttl?: number
  explicitMaxTtl?: number
  period?: number
  numUses?: number
  renewable?: boolean
  displayName?: string
  meta?: Record<string, string>
  type?: string
  noParent?: boolean
  noDefaultPolicy?: boolean
  boundCidrs?: string[]
}

/** All that decides what a token is like, once its policies are decided. */
export interface TokenPlan {
  namespaceId: string
  parentId: string | null
  policies: string[]
  input: TokenInput
  role?: TokenRole | undefined
  path: string
  displayName?: string
}

/** A token's record, and warnings about what is not as it was asked for. Throws `invalid` naming the field. */
export function newTokenRecord(context: Context, plan: TokenPlan): { row: TokenRow; warnings: string[] } {
  const { policies, input, role } = plan
  const warnings: string[] = []
  const type = typeOf(plan)
  const now = context.now()
  const period = least(role?.period, input.period)
  const explicitMaxTtl = least(role?.explicitMaxTtl, input.explicitMaxTtl)
  const endless = policies.includes('root') && !input.ttl && !explicitMaxTtl && !period
  const most = Math.min(explicitMaxTtl || systemMaxTtl, period ? outerBound : systemMaxTtl)
  const asked = period || input.ttl || most
  if (asked > most)
    warnings.push(`TTL of "${asked}s" exceeded the effective max_ttl of "${most}s"; TTL value is capped accordingly`)
  const ttl = endless ? 0 : Math.min(asked, most)
  const row: TokenRow = {
    id: context.uuid(),
    namespaceId: plan.namespaceId,
    accessor: type === 'batch' ? '' : context.randomHex(12),
    parentId: plan.parentId,
    type,
    displayName: plan.displayName ?? `token${input.displayName ? `-${displayName(input.displayName)}` : ''}`,
    policies,
    meta: input.meta ?? {},
    path: plan.path,
    role: role?.name ?? '',
    renewable: type === 'service' && !endless && (role?.renewable ?? true) && (input.renewable ?? true),
    creationTtl: ttl,
    explicitMaxTtl,
    period: Math.min(period, most),
    numUses: checkUses(role?.numUses || input.numUses || 0),
    boundCidrs: checkCidrs('bound_cidrs', role?.boundCidrs.length ? role.boundCidrs : (input.boundCidrs ?? [])),
    createdAt: now,
    renewedAt: null,
    expiresAt: endless ? null : now + ttl * 1000,
    outerBound: now + (endless || (period && !explicitMaxTtl) ? outerBound : most) * 1000,
    digest: null,
  }
  return { row, warnings }
}

function typeOf({ policies, input, role }: TokenPlan): 'service' | 'batch' {
  const type = role?.type ?? input.type ?? 'service'
  if (type === 'service') return type
  if (type !== 'batch') throw invalid(`unsupported token type: allowed are "service" or "batch"`)
  if (policies.includes('root')) throw invalid('batch tokens cannot be root tokens')
  if (input.period || input.numUses || input.explicitMaxTtl || role?.period || role?.numUses) {
    throw invalid('batch tokens cannot have a period, a number of uses or an explicit maximum ttl')
  }
  return type
}

/** The record of a root token: no parent, no end. */
export function rootToken(context: Context, namespaceId: string, path: string): TokenRow {
  const now = context.now()
  return {
    id: context.uuid(),
    namespaceId,
    accessor: context.randomHex(12),
    parentId: null,
    type: 'service',
    displayName: 'root',
    policies: ['root'],
    meta: {},
    path,
    role: '',
    renewable: false,
    creationTtl: 0,
    explicitMaxTtl: 0,
    period: 0,
    numUses: 0,
    boundCidrs: [],
    createdAt: now,
    renewedAt: null,
    expiresAt: null,
    outerBound: now + outerBound * 1000,
    digest: null,
  }
}

/** The smaller of those that are set; 0 where none is. */
function least(...values: (number | undefined)[]): number {
  const set = values.filter((value): value is number => value !== undefined && value > 0)
  return set.length === 0 ? 0 : Math.min(...set)
}

/** Throws `invalid` naming the field. */
export function checkUses(numUses: number, field = 'num_uses'): number {
  if (Number.isSafeInteger(numUses) && numUses >= 0 && numUses <= 1e9) return numUses
  throw invalid(`${field}: allowed are 0 (no limit) to 1000000000`)
}

/** As Vault does: what is not a letter, digit or dash becomes a dash. */
function displayName(name: string): string {
  return name.replace(/[^a-zA-Z0-9-]/g, '-').slice(0, 128)
}
