import { CommandError, exitCodes } from '../config/exit-codes.ts'
import type { Answer } from './ask.ts'
import type { Gateway } from './gateway.ts'

/** What a gateway refused, as a sentence with its own words that ends with what to do. */
export function refused(gateway: Gateway, path: string, { status, body, retryAfter }: Answer): CommandError {
  const said = (body?.errors ?? []).map((error) => error.trim()).join('; ')
  return new CommandError(
    exitCodes.refused,
    `the gateway refused ${path} (${status})${said === '' ? '' : `: ${printable(said)}`}${advice(gateway, status, said, retryAfter)}`,
  )
}

function advice(gateway: Gateway, status: number, said: string, retryAfter: string | undefined): string {
  if (status === 403 || status === 401) {
    if (gateway.token === undefined) return '. No token was sent: run "keyferry login", or set VAULT_TOKEN'
    return '. The token has ended, or may not do this here: "keyferry read auth/token/lookup-self" tells which; "keyferry login" takes another'
  }
  if (status === 429) return `. Try again ${retryAfter === undefined ? 'later' : `in ${printable(retryAfter)} s`}`
  if (status >= 500) return '. "keyferry status" shows how the gateway is, its log says more'
  if (said.includes('no handler for route'))
    return ' "keyferry read sys/mounts" shows what is mounted where, --namespace says in which namespace'
  if (said.includes('unsupported path')) return `: ${gateway.address.origin}/docs has every path`
  if (said.includes('unsupported operation')) return ': this path is for another of read, write, list and delete'
  return said === '' ? ': look whether VAULT_ADDR or --address is right' : ''
}

/** A read or list that found nothing (404 without a reason). */
export function nothingAt(path: string): CommandError {
  const parent = path.split('/').slice(0, -1).join('/')
  const advice = parent === '' ? '' : `: "keyferry list ${parent}" shows what is there`
  return new CommandError(exitCodes.refused, `there is nothing at ${path}${advice}`)
}

/** Without characters that a terminal would obey: what a gateway says may come from somebody else. */
export function printable(text: string): string {
  return text.replace(
    /(?![\n\t])\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
