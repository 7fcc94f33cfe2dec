import type { Caller } from '../../core/access/authenticator.ts'
import type { Core } from '../../core/core.ts'
import { KeyferryError } from '../../core/errors.ts'

/** Who sends a request, and the token as it was sent. */
export interface Authenticated {
  caller: Caller
  presentedToken: string
}

/**
 * Finds the token in `X-Vault-Token`, else `Authorization: Bearer`. Throws `unauthenticated` without a good one; one that is bound to
 * addresses is good only from these.
 */
export async function authenticate(core: Core, headers: Headers, remoteAddress?: string): Promise<Authenticated> {
  const presentedToken = tokenOf(headers)
  if (!presentedToken) throw new KeyferryError('unauthenticated', 'permission denied')
  return { caller: await core.authenticator.authenticate(presentedToken, remoteAddress), presentedToken }
}

/** The token as it was sent, good or not. */
export function tokenOf(headers: Headers): string | undefined {
  return headers.get('x-vault-token') || bearer(headers.get('authorization'))
}

function bearer(header: string | null): string | undefined {
  return header?.slice(0, 7).toLowerCase() === 'bearer ' ? header.slice(7).trim() : undefined
}
