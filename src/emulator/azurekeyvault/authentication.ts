import { ServiceError } from './errors.ts'
import type { EmulatorRequest } from './request.ts'
import type { EmulatorState } from './state.ts'
import type { TokenClaims } from './tokens.ts'
import type { Vault } from './vault.ts'

/** 401 with the challenge that tells a client which tenant and resource to ask a token for. */
function unauthorized(vault: Vault, message: string): ServiceError {
  return new ServiceError(401, 'Unauthorized', message, {
    headers: {
      'www-authenticate':
        `Bearer authorization="https://${vault.authorityHost}/${vault.tenantId}", ` + `resource="${vault.resource}"`,
    },
  })
}

/**
 * Who sends this request, by its bearer token.
 *
 * @throws {ServiceError} 401 with a challenge: no token, not one of ours, expired by the emulator's clock, of another tenant than the
 * vault's, or for another resource
 */
export function authenticate(state: EmulatorState, vault: Vault, request: EmulatorRequest): TokenClaims {
  const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (token === undefined) throw unauthorized(vault, 'AKV10000: Request is missing a Bearer or PoP token.')
  const claims = state.tokens.open(token)
  if (claims === undefined) {
    throw unauthorized(vault, "[BearerReadAccessTokenFailed] Error validating token: 'S2S12005'.")
  }
  if (state.now() >= claims.expires) {
    throw unauthorized(vault, "[TokenExpired] Error validating token: 'S2S12086'.")
  }
  if (claims.resource !== vault.resource) {
    throw unauthorized(vault, `AKV10022: Invalid audience. Expected ${vault.resource}, found: ${claims.resource}.`)
  }
  if (claims.tenantId.toLowerCase() !== vault.tenantId.toLowerCase()) {
    throw unauthorized(
      vault,
      `AKV10032: Invalid issuer. Expected one of https://sts.windows.net/${vault.tenantId}/, found ` +
        `https://sts.windows.net/${claims.tenantId}/.`,
    )
  }
  return claims
}
