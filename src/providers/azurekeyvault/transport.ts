import type { Route } from './network.ts'

/** These end a call before anything of it is sent. */
const neverConnected = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
])
const certificateTrouble = /^(CERT_|ERR_TLS_CERT|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA)/
const tlsTrouble = /^(EPROTO$|ERR_SSL_|ERR_TLS_)/

/** How a failed exchange with a host reads: what happened, and whether the request can have reached it. */
export function transportTrouble(
  host: string,
  error: unknown,
  route?: Route,
): { sentence: string; code: string | undefined; reached: boolean; unknownHost: boolean } {
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : ''
  const trouble = (sentence: string, reached: boolean, unknownHost = false) => ({
    sentence,
    code,
    reached,
    unknownHost,
  })
  const hop = code !== undefined && neverConnected.has(code) ? hopBefore(host, message, route) : undefined
  const name = hop === undefined ? `the name ${host}` : `the name of ${hop}`
  if (code === 'ENOTFOUND')
    return trouble(`${name} is not known to DNS: is it spelled right, and does it exist?`, false, hop === undefined)
  if (code === 'EAI_AGAIN') return trouble(`${name} cannot be looked up now: DNS does not answer`, false)
  if (code !== undefined && neverConnected.has(code)) return trouble(`no connection to ${hop ?? host} (${code})`, false)
  if (code === 'ERR_PROXY_TUNNEL')
    return trouble(`the proxy opened no way to ${host}: does it ask for credentials?`, false)
  if (code !== undefined && certificateTrouble.test(code)) {
    return trouble(
      `the TLS certificate of ${host} is not trusted (${code}): is another service answering, or a CA missing?`,
      false,
    )
  }
  if (code !== undefined && tlsTrouble.test(code)) return trouble(`TLS with ${host} failed (${code})`, false)
  if (/before secure TLS connection/.test(message))
    return trouble(`${host} closed the connection before TLS was set up`, false)
  return trouble(`the connection to ${host} was lost${code ? ` (${code})` : ''}`, true)
}

/**
 * What could not be reached on the way to `host`, when it was not `host` itself. That it was the proxy, Node says only in the message:
 * `connect ECONNREFUSED 10.0.0.1:3128`, `getaddrinfo ENOTFOUND proxy.example`. The addresses are the operator's business alone.
 */
function hopBefore(host: string, message: string, route: Route | undefined): string | undefined {
  if (route?.connectTo) return `the operator's address for ${host}`
  const port = Number(/:(\d+)(?: - Local.*)?$/.exec(message)?.[1] ?? Number.NaN)
  const name = /^(?:getaddrinfo|query\w*) \S+ (\S+)$/.exec(message)?.[1]
  const { proxy } = route ?? {}
  const atProxy = proxy && (name === undefined ? port === proxy.port : name === proxy.host && name !== host)
  return atProxy ? `the operator's proxy, on the way to ${host}` : undefined
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && code !== '' ? code : undefined
}
