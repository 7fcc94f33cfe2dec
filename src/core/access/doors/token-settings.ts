import { invalid } from '../../errors.ts'
import { printable } from '../../keys/types.ts'
import { checkCidrs } from '../cidrs.ts'
import { normalisePolicyName } from '../policy/names.ts'

/** What a role says of the tokens that are made by it: Vault's `token_…` fields. Durations in seconds; 0 is "not set". */
export interface TokenSettings {
  ttl: number
  maxTtl: number
  explicitMaxTtl: number
  period: number
  numUses: number
  policies: string[]
  noDefaultPolicy: boolean
  boundCidrs: string[]
  type: TokenType
}

export const tokenTypes = ['default', 'service', 'batch', 'default-service', 'default-batch'] as const
export type TokenType = (typeof tokenTypes)[number]

/** The same as it comes in: any of it, the type not yet looked at. */
export type TokenSettingsInput = Partial<Omit<TokenSettings, 'type'> & { type: string }>

export const noTokenSettings: TokenSettings = {
  ttl: 0,
  maxTtl: 0,
  explicitMaxTtl: 0,
  period: 0,
  numUses: 0,
  policies: [],
  noDefaultPolicy: false,
  boundCidrs: [],
  type: 'default',
}

/** Settings with what came in put over them. Throws `invalid` naming the field, with Vault's rules for what goes together. */
export function withTokenSettings(now: TokenSettings, input: TokenSettingsInput): TokenSettings {
  const { type: wanted = now.type, ...others } = input
  const type = tokenTypes.find((one) => one === (wanted === '' ? 'default' : wanted))
  if (!type) throw invalid(`token_type "${printable(wanted)}": allowed are ${tokenTypes.join(', ')}`)
  const settings: TokenSettings = { ...now, ...others, type }
  settings.policies = policyNames(settings.policies)
  settings.boundCidrs = checkCidrs('token_bound_cidrs', settings.boundCidrs)
  if (settings.policies.includes('root')) throw invalid('token_policies: "root" cannot be given by a login')
  if (!Number.isSafeInteger(settings.numUses) || settings.numUses < 0 || settings.numUses > 1e9) {
    throw invalid('token_num_uses: allowed are 0 (no limit) to 1000000000')
  }
  if (settings.maxTtl > 0 && settings.ttl > settings.maxTtl) {
    throw invalid('token_ttl should not be greater than token_max_ttl')
  }
  if (type === 'batch' || type === 'default-batch') {
    if (settings.period > 0) throw invalid('token_type cannot be "batch" with a token_period')
    if (settings.numUses > 0) throw invalid('token_type cannot be "batch" with token_num_uses')
    if (settings.explicitMaxTtl > 0) throw invalid('token_type cannot be "batch" with a token_explicit_max_ttl')
  }
  return settings
}

/**
 * Names of policies as Vault reads them: in lower case, without blanks around, each once, in order. They are names and nothing more: what
 * means something in the path of a policy (`*`, `+`) is no part of one. Throws `invalid`.
 */
export function policyNames(names: readonly string[]): string[] {
  const clean = names.map((name) => name.trim()).filter((name) => name !== '')
  return [...new Set(clean.map(normalisePolicyName))].sort()
}
