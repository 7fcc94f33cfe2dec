import type { JWTPayload } from 'jose'
import { globMatches } from '../../glob.ts'
import { isScalar, type JwtRole, mostLeeway } from './role.ts'

/** What a token's claims make of whoever sent it, or why it is not let in: a word for the operator's log, never for the sender. */
export type Admission = { user: string; meta: Record<string, string> } | { refused: string }

const longestValue = 512

/** Measures the claims of a token, whose signature and issuer are good, against a role. `now`: ms since 1970. */
export function admit(claims: JWTPayload, role: JwtRole, now: number): Admission {
  if (!inTime(claims, role, now / 1000)) return { refused: 'time' }
  if (!audienceFits(claims.aud, role.boundAudiences)) return { refused: 'audience' }
  if (role.boundSubject !== '' && claims.sub !== role.boundSubject) return { refused: 'subject' }
  for (const [name, values] of Object.entries(role.boundClaims)) {
    const held = claimOf(claims, name)
    const fits = (Array.isArray(held) ? held : [held]).some((one) =>
      values.some((value) => matches(one, value, role.boundClaimsType)),
    )
    if (!fits) return { refused: 'bound claims' }
  }
  const user = textOf(claimOf(claims, role.userClaim, role.userClaimJsonPointer))
  if (user === undefined || user === '') return { refused: 'user claim' }
  const meta: Record<string, string> = {}
  for (const [name, key] of Object.entries(role.claimMappings)) {
    const held = claimOf(claims, name)
    if (held === undefined || held === null) continue
    const text = textOf(held)
    if (text === undefined) return { refused: 'claim mappings' }
    meta[key] = text
  }
  return { user, meta }
}

/**
 * Vault's rule: a token that has an audience needs a role that names it, and a role with audiences needs a token that has one of them.
 */
function audienceFits(aud: unknown, bound: readonly string[]): boolean {
  const held = aud === undefined ? [] : Array.isArray(aud) ? aud : [aud]
  if (bound.length === 0) return held.length === 0
  return held.some((one) => typeof one === 'string' && bound.includes(one))
}

/** Leeways: 0 is the default, below is none, as in Vault; together never more than a minute. */
function inTime({ exp, nbf, iat }: JWTPayload, role: JwtRole, now: number): boolean {
  const skew = role.clockSkewLeeway === 0 ? mostLeeway : Math.max(0, role.clockSkewLeeway)
  const leeway = (own: number) => Math.min(mostLeeway, skew + Math.max(0, own))
  if (exp === undefined || now >= exp + leeway(role.expirationLeeway)) return false
  if (nbf !== undefined && nbf > now + leeway(role.notBeforeLeeway)) return false
  return iat === undefined || iat <= now + skew
}

/** A claim by its name or, beginning with a slash, a JSON pointer (RFC 6901) into the claims. */
export function claimOf(claims: JWTPayload, name: string, pointer = name.startsWith('/')): unknown {
  const steps = pointer
    ? name
        .replace(/^\//, '')
        .split('/')
        .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    : [name]
  let at: unknown = claims
  for (const step of steps) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
    at = (at as Record<string, unknown>)[step]
  }
  return at
}

function matches(held: unknown, wanted: unknown, type: 'string' | 'glob'): boolean {
  if (!isScalar(held) || !isScalar(wanted)) return false
  // The command line sends numbers and booleans as text.
  return type === 'glob' ? globMatches(String(wanted), String(held)) : String(held) === String(wanted)
}

function textOf(value: unknown): string | undefined {
  if (!isScalar(value)) return undefined
  const text = String(value)
  return text.length <= longestValue && !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text) ? text : undefined
}
