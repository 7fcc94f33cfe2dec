import { CommandError, exitCodes, systemCode, systemReason } from '../config/exit-codes.ts'

/** A request that came to no answer, as a sentence that ends with what to do. `error` is what Node, or Deno, threw. */
export function unreachable(address: URL, error: unknown): CommandError {
  // Of a host with several addresses Node tells one error for each; they seldom differ.
  const cause = error instanceof AggregateError ? (error.errors[0] ?? error) : error
  return new CommandError(exitCodes.refused, sentence(address, cause), { cause: error })
}

function sentence({ origin, hostname, protocol }: URL, error: unknown): string {
  const what = `${systemCode(error) ?? ''} ${error instanceof Error ? error.message : ''}`
  const where = 'VAULT_ADDR or --address says where it is'
  if (/ECONNREFUSED|connection refused/i.test(what)) {
    return `nothing listens at ${origin}: is the gateway running ("keyferry serve" or "keyferry dev")? ${where}`
  }
  if (/ENOTFOUND|EAI_AGAIN|failed to lookup address/i.test(what)) {
    return `the host "${hostname}" has no address: is its name right? ${where}`
  }
  if (/UnknownIssuer|SELF.SIGNED|UNABLE_TO_(GET|VERIFY)|unable to (get|verify)|CaUsedAsEndEntity/i.test(what)) {
    return `the certificate of ${origin} is of a CA that is not trusted here: name its file with VAULT_CACERT or --ca-cert`
  }
  if (/CERT_HAS_EXPIRED|\bExpired\b/i.test(what)) {
    return `the certificate of ${origin} has expired: give the gateway a new one`
  }
  if (/ALTNAME_INVALID|NotValidForName/i.test(what)) {
    return `the certificate of ${origin} is not for the name "${hostname}": use a name that it has in VAULT_ADDR or --address`
  }
  if (/WRONG_VERSION_NUMBER|wrong version number|InvalidContentType|packet length too long/i.test(what)) {
    return `${origin} does not speak TLS: VAULT_ADDR or --address must begin with http:// there`
  }
  if (/ECONNRESET|socket hang up|EPIPE|connection (closed|reset)/i.test(what) && protocol === 'http:') {
    return `${origin} closed the connection: if it speaks TLS, VAULT_ADDR or --address must begin with https://`
  }
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) {
    return `${origin} did not answer in two minutes: "keyferry status" shows whether it answers at all, its log what it does`
  }
  return `${origin} cannot be reached: ${systemReason(error)}. ${where}`
}
