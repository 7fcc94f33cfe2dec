import { isLoopback } from '../config/listen.ts'
import type { Gateway } from './gateway.ts'

let warned = false

/**
 * Says on standard error, once, that a token went to another machine without TLS. `withFields`: fields were sent, those of a login among
 * them, which is answered with a token.
 */
export function warnInTheClear({ address, token }: Gateway, withFields: boolean): void {
  if (warned || (token === undefined && !withFields)) return
  if (address.protocol !== 'http:' || isLoopback(address.hostname)) return
  warned = true
  console.error(
    `keyferry: warning: the token travels in the clear to ${address.origin}, and whoever is on the way can use it: VAULT_ADDR or --address should be an https address`,
  )
}
