import type { Context } from '../../context.ts'
import { KeyferryError } from '../../errors.ts'
import type { AuthMountRow, AuthMountStore } from '../../store.ts'
import type { Issued, TokenInput, TokenService } from '../tokens.ts'
import { systemMaxTtl } from '../ttl.ts'
import { tokenPath } from './auth-mounts.ts'
import type { TokenSettings } from './token-settings.ts'

export interface LoginParts {
  context: Context
  store: { authMounts: AuthMountStore }
  tokens: TokenService
}

/** What a login found out of whoever came. */
export interface Subject {
  displayName: string
  meta: Record<string, string>
  /** Instead of the role's, where set. */
  boundCidrs?: string[]
  /** Names of the only policies that are wanted, from among the role's; undefined: all of them. */
  scope?: readonly string[]
}

/** A scope that goes beyond what the role gives: thrown as this, so that OAuth can say so in its words. */
export class ScopeError extends KeyferryError {
  constructor() {
    super('invalid', 'the scope goes beyond the policies of the role')
    this.name = 'ScopeError'
  }
}

/**
 * The policies of a login, sorted: the role's with `default`, or those of them that a scope names, exactly. Throws `ScopeError` for
 * others.
 */
export function loginPolicies(settings: TokenSettings, scope?: readonly string[]): string[] {
  const all = [...new Set([...settings.policies, ...(settings.noDefaultPolicy ? [] : ['default'])])].sort()
  // Vault's rule: no login makes a root token, whatever a row says.
  if (all.includes('root')) throw new KeyferryError('denied', 'permission denied')
  if (scope === undefined) return all
  if (scope.some((name) => !all.includes(name))) throw new ScopeError()
  return all.filter((name) => scope.includes(name))
}

/** Makes the token of a login that was found good: an orphan, as the role and the mount say. */
export async function issueLogin(
  parts: LoginParts,
  mount: AuthMountRow,
  settings: TokenSettings,
  subject: Subject,
): Promise<Issued> {
  const policies = loginPolicies(settings, subject.scope)
  const input = tokenInput(mount, settings, subject)
  const path = tokenPath(mount)
  const issued = await parts.tokens.issue(mount.namespaceId, null, policies, input, {
    path,
    displayName: subject.displayName,
  })
  // The mount may have been disabled after it was looked at, and before the token was there to be revoked with it.
  if (await parts.store.authMounts.byId(mount.id)) return issued
  if (issued.row.type === 'service') await parts.tokens.revoke(issued.row)
  throw new KeyferryError('denied', 'permission denied')
}

/** A login's maximum counts from the login over all renewals, which is what an explicit maximum is; a period has none but that one. */
function tokenInput(mount: AuthMountRow, settings: TokenSettings, subject: Subject): TokenInput {
  const batch = kind(mount, settings) === 'batch'
  const most = least(settings.maxTtl, seconds(mount.tune.max_lease_ttl), systemMaxTtl)
  const asked = settings.ttl || seconds(mount.tune.default_lease_ttl) || most
  const maximum = settings.period > 0 ? settings.explicitMaxTtl : least(settings.explicitMaxTtl, most)
  return {
    type: batch ? 'batch' : 'service',
    ttl: Math.min(asked, least(settings.explicitMaxTtl, most)),
    ...(batch ? {} : { explicitMaxTtl: maximum === systemMaxTtl ? 0 : maximum, numUses: settings.numUses }),
    ...(batch ? {} : { period: settings.period }),
    meta: subject.meta,
    boundCidrs: subject.boundCidrs?.length ? subject.boundCidrs : settings.boundCidrs,
  }
}

function kind(mount: AuthMountRow, settings: TokenSettings): 'service' | 'batch' {
  // The mount's own word is the last, but for its defaults.
  const tuned = String(mount.tune.token_type ?? 'default-service')
  const type = tuned.startsWith('default') && settings.type !== 'default' ? settings.type : tuned
  const batch = type.endsWith('batch')
  return batch && settings.period === 0 && settings.numUses === 0 && settings.explicitMaxTtl === 0 ? 'batch' : 'service'
}

function seconds(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function least(...values: number[]): number {
  const set = values.filter((value) => value > 0)
  return set.length === 0 ? 0 : Math.min(...set)
}
