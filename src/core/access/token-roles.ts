import { invalid, KeyferryError } from '../errors.ts'
import type { RoleRow } from '../store.ts'
import { globMatches } from './glob.ts'
import { normalisePolicyName } from './policy/names.ts'
import type { TokenInput } from './token-records.ts'

/** What a role says of the tokens that are made by it (Vault's `auth/token/roles/:name`). Durations in seconds. */
export interface TokenRole {
  name: string
  allowedPolicies: string[]
  allowedPoliciesGlob: string[]
  disallowedPolicies: string[]
  disallowedPoliciesGlob: string[]
  orphan: boolean
  renewable: boolean
  period: number
  explicitMaxTtl: number
  numUses: number
  boundCidrs: string[]
  noDefaultPolicy: boolean
  pathSuffix: string
  /** undefined: as the request says. */
  type?: 'service' | 'batch'
}

export const emptyTokenRole: Omit<TokenRole, 'name'> = {
  allowedPolicies: [],
  allowedPoliciesGlob: [],
  disallowedPolicies: [],
  disallowedPoliciesGlob: [],
  orphan: false,
  renewable: true,
  period: 0,
  explicitMaxTtl: 0,
  numUses: 0,
  boundCidrs: [],
  noDefaultPolicy: false,
  pathSuffix: '',
}

/** A stored role, with Vault's defaults for what it does not say. */
export function tokenRoleOf(row: RoleRow): TokenRole {
  return { ...emptyTokenRole, ...(row.config as Partial<TokenRole>), name: row.name }
}

/** Who makes a child: the policies of its own, whether it has sudo on the path, and whether the child is for a namespace below its own. */
export interface Maker {
  policies: readonly string[]
  sudo: boolean
  elsewhere: boolean
}

/**
 * The policies of a child, sorted, as Vault decides: among its parent's, unless sudo or a role allows more; the parent's own where
 * none are asked for; `default` with them unless refused. Names mean something in their own namespace only, so that a child in another
 * one gets nothing of its parent's. Throws `invalid` for what is not among them, `denied` for root.
 */
export function childPolicies(maker: Maker, input: TokenInput, role: TokenRole | undefined): string[] {
  const asked = askedPolicies(input.policies ?? [])
  const parent = maker.elsewhere ? [] : maker.policies
  const root = parent.includes('root')
  const wanted = role ? byRole(asked, parent, role, maker.sudo) : byParent(asked, parent, maker.sudo || root)
  if (wanted.includes('root')) {
    if (maker.elsewhere) throw invalid('root tokens may not be created from a parent namespace')
    if (!root) throw new KeyferryError('denied', 'root tokens may not be created without parent token being root')
    return ['root']
  }
  const noDefault =
    input.noDefaultPolicy === true || role?.noDefaultPolicy === true || (role && disallows(role, 'default'))
  return [...new Set(noDefault ? wanted : [...wanted, 'default'])].sort()
}

/** In the form in which they are compared. Throws `invalid` for what is no name of a policy, and for those that no token may be given. */
function askedPolicies(names: readonly string[]): string[] {
  try {
    const normal = new Set(
      names
        .map((name) => name.trim())
        .filter((name) => name !== '')
        .map(normalisePolicyName),
    )
    if (normal.has('response-wrapping')) throw invalid('cannot assign policy "response-wrapping"')
    return [...normal]
  } catch (error) {
    if (error instanceof KeyferryError && error.message.startsWith('invalid'))
      throw invalid(`policies: ${error.message}`)
    throw error
  }
}

function byParent(asked: string[], parent: readonly string[], more: boolean): string[] {
  if (asked.length === 0) return [...parent]
  if (more) return asked
  const beyond = asked.filter((name) => name !== 'default' && !parent.includes(name))
  if (beyond.length > 0) throw invalid('child policies must be subset of parent')
  return asked
}

function byRole(asked: string[], parent: readonly string[], role: TokenRole, sudo: boolean): string[] {
  const restricted = role.allowedPolicies.length > 0 || role.allowedPoliciesGlob.length > 0
  const wanted = asked.length > 0 ? asked : restricted ? role.allowedPolicies : parent.filter((name) => name !== 'root')
  for (const name of wanted) {
    const allowed = restricted
      ? role.allowedPolicies.includes(name) || matches(role.allowedPoliciesGlob, name)
      : sudo || parent.includes('root') || parent.includes(name)
    if (name !== 'default' && !allowed) throw invalid(`token policy "${name}" is not allowed by this role`)
    if (disallows(role, name)) {
      throw invalid(`token policy "${name}" is not allowed by this role: it is disallowed`)
    }
  }
  if (wanted.includes('root')) throw new KeyferryError('denied', 'a role cannot make root tokens')
  return wanted
}

function disallows(role: TokenRole, name: string): boolean {
  return role.disallowedPolicies.includes(name) || matches(role.disallowedPoliciesGlob, name)
}

function matches(globs: readonly string[], name: string): boolean {
  return globs.some((glob) => globMatches(glob, name))
}
