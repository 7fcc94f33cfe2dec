import { z } from 'zod'
import type { TokenSettings, TokenSettingsInput } from '../../../core/access/doors/token-settings.ts'
import { seconds } from '../answers.ts'
import { present } from '../decode.ts'
import { boolean, commaList, duration, text, wholeNumber } from '../fields.ts'

/** What a role of a door says of its tokens. */
export const tokenFields = {
  token_ttl: duration('How long tokens live; the mount decides unless told.'),
  token_max_ttl: duration('What no renewal goes beyond, counted from the login.'),
  token_explicit_max_ttl: duration('The same, for periodic tokens too.'),
  token_period: duration('Tokens are periodic: each renewal sets them to this.'),
  token_num_uses: wholeNumber('How often tokens can be used; 0 for any number.'),
  token_policies: commaList('Policies of the tokens.'),
  token_no_default_policy: boolean('Tokens do not get the policy "default".'),
  token_bound_cidrs: commaList('Addresses that a login may come from, and that tokens can be used from.'),
  token_type: text('default (as the mount says), service or batch.'),
  policies: commaList('The old name of token_policies.'),
  period: duration('The old name of token_period.'),
}

interface Decoded {
  token_ttl?: number | undefined
  token_max_ttl?: number | undefined
  token_explicit_max_ttl?: number | undefined
  token_period?: number | undefined
  token_num_uses?: number | undefined
  token_policies?: string[] | undefined
  token_no_default_policy?: boolean | undefined
  token_bound_cidrs?: string[] | undefined
  token_type?: string | undefined
  policies?: string[] | undefined
  period?: number | undefined
}

export function tokenSettingsOf(body: Decoded): TokenSettingsInput {
  return present({
    ttl: body.token_ttl,
    maxTtl: body.token_max_ttl,
    explicitMaxTtl: body.token_explicit_max_ttl,
    period: body.token_period ?? body.period,
    numUses: body.token_num_uses,
    policies: body.token_policies ?? body.policies,
    noDefaultPolicy: body.token_no_default_policy,
    boundCidrs: body.token_bound_cidrs,
    type: body.token_type,
  })
}

export const tokenSettingsAnswer = {
  token_bound_cidrs: z.array(z.string()),
  token_explicit_max_ttl: seconds,
  token_max_ttl: seconds,
  token_no_default_policy: z.boolean(),
  token_num_uses: z.number().int(),
  token_period: seconds,
  token_policies: z.array(z.string()),
  token_ttl: seconds,
  token_type: z.string(),
}

/** As a role shows it. */
export function tokenSettingsView(settings: TokenSettings): Record<string, unknown> {
  return {
    token_bound_cidrs: settings.boundCidrs,
    token_explicit_max_ttl: settings.explicitMaxTtl,
    token_max_ttl: settings.maxTtl,
    token_no_default_policy: settings.noDefaultPolicy,
    token_num_uses: settings.numUses,
    token_period: settings.period,
    token_policies: settings.policies,
    token_ttl: settings.ttl,
    token_type: settings.type,
  }
}
