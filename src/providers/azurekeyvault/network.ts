import http from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { invalid } from '../../core/errors.ts'

/** Where a socket goes. */
export interface Address {
  host: string
  port: number
}

/** Takes `HOST:PORT` (an IPv6 host in brackets); gives its parts, or undefined when it is not one. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([0-9a-zA-Z.-]+)):([0-9]{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host !== undefined && port > 0 && port < 65536 ? { host, port } : undefined
}

type Connected = (error: Error | null, stream: Duplex) => void

/** An agent whose sockets go to one address, while the request, the SNI and the certificate check keep the real name. */
class RoutedAgent extends https.Agent {
  readonly #to: Address

  constructor(options: https.AgentOptions, to: Address) {
    super(options)
    this.#to = to
  }

  override createConnection(options: https.RequestOptions, callback?: Connected): Duplex | null | undefined {
    const servername = options.servername ?? options.host ?? undefined
    return super.createConnection({ ...options, ...this.#to, ...(servername && { servername }) }, callback)
  }
}

/** The same without TLS, for the instance metadata service, which speaks plain HTTP on a link-local address. */
class RoutedPlainAgent extends http.Agent {
  readonly #to: Address

  constructor(options: http.AgentOptions, to: Address) {
    super(options)
    this.#to = to
  }

  override createConnection(options: http.ClientRequestArgs, callback?: Connected): Duplex | null | undefined {
    return super.createConnection({ ...options, ...this.#to }, callback)
  }
}

/** Values of HTTPS_PROXY and NO_PROXY, as the operator gave them. */
export interface ProxySettings {
  httpsProxy?: string | undefined
  noProxy?: string | undefined
}

/** What may stand between us and a host, so that a failure to reach that is not told as one of the host. */
export interface Route {
  /** The operator's address in place of the host's own: then no proxy is used. */
  connectTo: Address | undefined
  proxy: Address | undefined
}

/** The way to hosts with this `connectTo` and this proxy. A name in NO_PROXY goes direct, which the failure itself then shows. */
export function routeTo(connectTo: Address | undefined, proxy: ProxySettings | undefined): Route {
  const url = connectTo || !proxy?.httpsProxy ? null : URL.parse(proxy.httpsProxy)
  if (!url) return { connectTo, proxy: undefined }
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  return { connectTo, proxy: { host: url.hostname.replace(/^\[|\]$/g, ''), port } }
}

/** Throws `invalid` unless the proxy is one that Node can use; it would be passed over in silence otherwise. */
export function checkProxy(proxy: ProxySettings | undefined): void {
  if (!proxy?.httpsProxy) return
  const url = URL.parse(proxy.httpsProxy)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return
  throw invalid('the setting HTTPS_PROXY is not valid: it must be an http or https URL')
}

/**
 * An agent for one cloud's vaults or authority. `ca`: PEM certificates trusted beside those that Node trusts. `connectTo` wins over
 * the proxy. Certificates are always verified, whatever NODE_TLS_REJECT_UNAUTHORIZED says.
 */
export function createAgent(options: {
  ca: string | undefined
  connectTo: Address | undefined
  proxy: ProxySettings | undefined
  lookup?: LookupFunction | undefined
}): https.Agent {
  const settings: https.AgentOptions = { keepAlive: true, rejectUnauthorized: true }
  if (options.lookup) settings.lookup = options.lookup
  if (options.ca !== undefined) {
    // Made once: parsing the default certificates takes 10 ms, which every new socket would pay otherwise.
    settings.secureContext = tls.createSecureContext({ ca: [...tls.getCACertificates('default'), options.ca] })
  }
  if (options.connectTo) return new RoutedAgent(settings, options.connectTo)
  if (options.proxy?.httpsProxy) {
    settings.proxyEnv = { HTTPS_PROXY: options.proxy.httpsProxy, NO_PROXY: options.proxy.noProxy ?? '' }
  }
  return new https.Agent(settings)
}

/** An agent for managed identity endpoints: no proxy, since these are addresses of the host itself. */
export function createMetadataAgent(connectTo: Address | undefined): http.Agent {
  return connectTo ? new RoutedPlainAgent({ keepAlive: false }, connectTo) : new http.Agent({ keepAlive: false })
}
