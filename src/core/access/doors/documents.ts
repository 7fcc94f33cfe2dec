import { lookup } from 'node:dns/promises'
import { Agent, request } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicAddress } from './public-address.ts'

/** Reads a JSON document from a URL that a tenant chose. */
export type FetchDocument = (url: string, options?: { ca?: string }) => Promise<unknown>

/** A name to its addresses. */
export type Resolver = (host: string) => Promise<{ address: string; family: number }[]>

/** Why a document could not be had: a sentence fit for whoever set the URL. */
export class DocumentError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'DocumentError'
  }
}

export interface FetchRules {
  /** Hosts (`idp.example`, or with a port `idp.example:8443`) that the operator allows at any address. */
  allowedHosts?: readonly string[]
  resolve?: Resolver
  timeoutMs?: number
  maxBytes?: number
}

const unreachable =
  'it cannot be reached: allowed are https URLs of hosts with public addresses, and hosts that the operator has allowed'

const unfinished = 'its answer did not come to an end in time'

/**
 * A reader for documents of issuers (OWASP API7: a URL that a tenant chose must not lead into the operator's own network): https only, no
 * redirects, no proxies, certificates checked, and public addresses only. The address that was checked is the one connected to, so that a
 * name that changes its address in between gains nothing. What is wrong with a host that is not reached is never told apart: that would
 * be a map of the network.
 */
export function documentReader(rules: FetchRules = {}): FetchDocument {
  const { allowedHosts = [], resolve = systemResolver, timeoutMs = 5_000, maxBytes = 256 * 1024 } = rules
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()))
  return async (text, { ca } = {}) => {
    const url = checkDocumentUrl(text)
    const deadline = AbortSignal.timeout(timeoutMs)
    const trusted = allowed.has(url.hostname) || allowed.has(url.host)
    const addresses = await addressesOf(url, resolve, deadline)
    if (addresses.length === 0 || !(trusted || addresses.every(({ address }) => isPublicAddress(address)))) {
      throw new DocumentError(unreachable)
    }
    return parse(await get(url, addresses, { ca, deadline, maxBytes }))
  }
}

/** Throws `DocumentError` for what is no https URL, or has user, password or fragment. */
export function checkDocumentUrl(text: string): URL {
  const url = text.length <= 2048 ? URL.parse(text) : null
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new DocumentError('it is not an https URL without user, password and fragment, of up to 2048 characters')
  }
  return url
}

const systemResolver: Resolver = async (host) => await lookup(host, { all: true })

async function addressesOf(url: URL, resolve: Resolver, deadline: AbortSignal) {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const family = isIP(host)
  if (family !== 0) return [{ address: host, family }]
  const late = new Promise<never>((_, reject) => {
    deadline.addEventListener('abort', () => reject(deadline.reason), { once: true })
  })
  try {
    return await Promise.race([resolve(host), late])
  } catch (cause) {
    throw new DocumentError(unreachable, { cause })
  }
}

/** One GET to one of the addresses. */
function get(
  url: URL,
  addresses: { address: string; family: number }[],
  { ca, deadline, maxBytes }: { ca: string | undefined; deadline: AbortSignal; maxBytes: number },
): Promise<string> {
  const pinned: LookupFunction = (_host, options, callback) => {
    const [first] = addresses
    if (options.all) callback(null, addresses)
    else callback(null, first?.address ?? '', first?.family ?? 4)
  }
  // An agent of its own: no proxy from the environment, no connection that was made for somebody else.
  const agent = new Agent({ keepAlive: false, maxCachedSessions: 0 })
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      agent,
      lookup: pinned,
      signal: deadline,
      headers: { accept: 'application/json', 'accept-encoding': 'identity' },
      ...(ca === undefined ? {} : { ca }),
    })
    let answered = false
    sent.on('error', (cause) => reject(new DocumentError(answered ? unfinished : unreachable, { cause })))
    sent.on('response', (response) => {
      answered = true
      const refuse = (why: string, cause?: unknown) => {
        sent.destroy()
        reject(new DocumentError(why, { cause }))
      }
      const connected = response.socket.remoteAddress ?? ''
      if (!addresses.some(({ address }) => sameAddress(address, connected))) return refuse(unreachable)
      if (response.statusCode !== 200) {
        return refuse(`it answered ${response.statusCode}: allowed is 200 (redirects are not followed)`)
      }
      if ((response.headers['content-encoding'] ?? 'identity') !== 'identity') return refuse('its answer is compressed')
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > maxBytes) return refuse(`its answer is larger than ${maxBytes} bytes`)
        chunks.push(chunk)
      })
      response.on('error', (cause) => refuse(unfinished, cause))
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    })
    sent.end()
  })
}

function sameAddress(expected: string, connected: string): boolean {
  return connected === expected || URL.parse(`https://[${connected}]`)?.hostname === `[${expected}]`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new DocumentError('its answer is not JSON')
  }
}
