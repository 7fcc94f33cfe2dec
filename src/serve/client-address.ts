import { isIP } from 'node:net'
import { blocksOf, unmapped } from '../core/access/cidrs.ts'

/** Takes the other end of a connection and the header `X-Forwarded-For`; gives the address of the client. */
export type ClientAddress = (peer: string | undefined, forwarded: string | null | undefined) => string | undefined

/**
 * Finds the client behind proxies. Each proxy adds to `X-Forwarded-For`, at the right, the address that it was asked by. That is believed
 * as far as those have written it who are in `trusted` (addresses and CIDR blocks, which were checked): from the right to the first address
 * that is not a trusted proxy's, which is the client. What stands to the left of it anybody may have written. Where all are trusted, it is
 * the left-most. Where one of those that are read is no address, nothing of the header is believed, and the client is the peer.
 */
export function clientAddressBehind(trusted: readonly string[]): ClientAddress {
  if (trusted.length === 0) return (peer) => peer
  const isTrusted = blocksOf(trusted)
  return (peer, forwarded) => {
    const from = peer === undefined ? undefined : plain(peer.replace(/%.*$/, ''))
    if (forwarded === null || forwarded === undefined || from === undefined || !isTrusted(from)) return peer
    let client = peer
    for (const entry of forwarded.split(',').reverse()) {
      const address = plain(withoutPort(entry.trim()))
      if (address === undefined) return peer
      client = address
      if (!isTrusted(address)) break
    }
    return client
  }
}

/** Some proxies add the port: `192.0.2.1:1234`, `[2001:db8::1]:1234`. */
function withoutPort(entry: string): string {
  const [, six, four] = /^(?:\[([\da-f:.]*:[\da-f:.]*)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/i.exec(entry) ?? []
  return six ?? four ?? entry
}

/** An address in one form, IPv4 not inside IPv6; undefined for what is none: a name, `unknown`, nothing, an interface of one host. */
function plain(address: string): string | undefined {
  return isIP(address) === 0 || address.includes('%') ? undefined : unmapped(address)
}
