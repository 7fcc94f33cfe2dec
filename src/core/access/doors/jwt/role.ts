import { invalid } from '../../../errors.ts'
import { printable } from '../../../keys/types.ts'
import type { RoleRow } from '../../../store.ts'
import { noTokenSettings, type TokenSettings, type TokenSettingsInput, withTokenSettings } from '../token-settings.ts'

export type Scalar = string | number | boolean

/** A role of a JWT mount: which tokens of the issuer are let in, and what they get. Leeways in seconds. */
export interface JwtRole {
  boundAudiences: string[]
  boundSubject: string
  boundClaimsType: 'string' | 'glob'
  /** Claim -> the values of which it must have (or, a list, contain) one. */
  boundClaims: Record<string, Scalar[]>
  userClaim: string
  userClaimJsonPointer: boolean
  /** Claim -> name in the token's metadata. */
  claimMappings: Record<string, string>
  clockSkewLeeway: number
  expirationLeeway: number
  notBeforeLeeway: number
  token: TokenSettings
}

export interface JwtRoleInput extends Partial<Omit<JwtRole, 'token' | 'boundClaims' | 'boundClaimsType'>> {
  roleType?: string
  boundClaimsType?: string
  /** As it comes in: single values or lists. */
  boundClaims?: Record<string, unknown>
  groupsClaim?: string
  token?: TokenSettingsInput
}

const noRole: JwtRole = {
  boundAudiences: [],
  boundSubject: '',
  boundClaimsType: 'string',
  boundClaims: {},
  userClaim: '',
  userClaimJsonPointer: false,
  claimMappings: {},
  clockSkewLeeway: 0,
  expirationLeeway: 0,
  notBeforeLeeway: 0,
  token: noTokenSettings,
}

/** RFC 8725's usual bound on what clocks may differ, in seconds; also the default. */
export const mostLeeway = 60
const most = 64
const longest = 1024

export function jwtRoleOf(row: RoleRow | undefined): JwtRole {
  const stored = (row?.config ?? {}) as Partial<JwtRole>
  return { ...noRole, ...stored, token: { ...noTokenSettings, ...stored.token } }
}

/** A role with what came in put over it. Throws `invalid` naming the field. */
export function withJwtRole(now: JwtRole, input: JwtRoleInput): JwtRole {
  const { roleType = 'jwt', boundClaimsType, boundClaims, groupsClaim = '', token, ...others } = input
  if (roleType !== 'jwt')
    throw invalid('role_type: allowed is "jwt": a login through a browser ("oidc") is not offered')
  if (groupsClaim !== '') throw invalid('groups_claim is not offered: policies come from the role alone')
  const type = boundClaimsType === undefined || boundClaimsType === '' ? now.boundClaimsType : boundClaimsType
  if (type !== 'string' && type !== 'glob') throw invalid('bound_claims_type: allowed are "string" or "glob"')
  const role: JwtRole = {
    ...now,
    ...others,
    boundClaimsType: type,
    boundClaims: boundClaims === undefined ? now.boundClaims : checkBoundClaims(boundClaims),
    token: withTokenSettings(now.token, token ?? {}),
  }
  if (role.userClaim === '') throw invalid('a user claim must be defined on the role: user_claim')
  if (role.userClaim.length > longest || role.boundSubject.length > longest) {
    throw invalid(`user_claim, bound_subject: allowed are up to ${longest} characters`)
  }
  checkStrings('bound_audiences', role.boundAudiences)
  checkMappings(role.claimMappings)
  for (const [field, seconds] of [
    ['clock_skew_leeway', role.clockSkewLeeway],
    ['expiration_leeway', role.expirationLeeway],
    ['not_before_leeway', role.notBeforeLeeway],
  ] as const) {
    if (!(seconds <= mostLeeway)) throw invalid(`${field}: allowed are up to ${mostLeeway} seconds`)
  }
  const bound =
    role.boundAudiences.length > 0 ||
    role.boundSubject !== '' ||
    Object.keys(role.boundClaims).length > 0 ||
    role.token.boundCidrs.length > 0
  if (!bound) {
    throw invalid(
      'must have at least one bound constraint on the role: bound_audiences, bound_subject, bound_claims or token_bound_cidrs',
    )
  }
  return role
}

function checkStrings(field: string, values: readonly string[]): void {
  if (values.length <= most && values.every((value) => value !== '' && value.length <= longest)) return
  throw invalid(`${field}: allowed are up to ${most} values of 1 to ${longest} characters`)
}

function checkBoundClaims(claims: Record<string, unknown>): Record<string, Scalar[]> {
  checkStrings('bound_claims', Object.keys(claims))
  return Object.fromEntries(
    Object.entries(claims).map(([name, value]) => {
      const values: unknown[] = Array.isArray(value) ? value : [value]
      const good = values.length > 0 && values.length <= most && values.every(isScalar)
      if (!good) {
        throw invalid(
          `bound_claims: "${printable(name)}": allowed are a string, number or boolean, or a list of 1 to ${most}`,
        )
      }
      return [name, values.filter(isScalar)]
    }),
  )
}

/** What Keyferry says of a token itself cannot be said by a claim. */
const reserved = ['role', 'role_name']

function checkMappings(mappings: Record<string, string>): void {
  const names = Object.values(mappings)
  checkStrings('claim_mappings', [...Object.keys(mappings), ...names])
  const taken = names.find((name) => reserved.includes(name))
  if (taken) throw invalid(`claim_mappings: metadata key "${taken}" is reserved and may not be a mapping destination`)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw invalid(`claim_mappings: multiple keys are mapped to metadata key "${printable(twice)}"`)
}

export function isScalar(value: unknown): value is Scalar {
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  )
}
