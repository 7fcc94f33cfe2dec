import { BlockList, isIP } from 'node:net'
import { invalid } from '../errors.ts'
import { printable } from '../keys/types.ts'

/** Every request of a token goes through its list, on the thread that serves all: 0.1 ms for so many of IPv4, 0.5 of IPv6. */
const mostCidrs = 256

/** Takes CIDR blocks or single addresses. Gives them back; throws `invalid` naming the field for what is neither, and for too many. */
export function checkCidrs(field: string, cidrs: readonly string[]): string[] {
  if (cidrs.length > mostCidrs)
    throw invalid(`${field} has ${cidrs.length} addresses and blocks: allowed are up to ${mostCidrs}`)
  for (const cidr of cidrs) {
    const [address = '', prefix, ...rest] = cidr.split('/')
    // A zone (`%eth0`) names an interface of one host, and is no part of a block.
    const family = address.includes('%') ? 0 : isIP(address)
    const most = family === 4 ? 32 : 128
    const good =
      family !== 0 &&
      rest.length === 0 &&
      (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= most))
    if (!good) throw invalid(`${field}: "${printable(cidr)}" is not an address or a CIDR block such as 10.0.0.0/8`)
    if (unmapped(address) !== address && prefix !== undefined && Number(prefix) < 96)
      throw invalid(
        `${field}: "${printable(cidr)}" holds every IPv4 address: write it without ::ffff:, or with 96 more`,
      )
  }
  return [...cidrs]
}

/** Gives what tells whether an address (no name, no zone) is in one of the blocks. Takes what `checkCidrs` let pass. */
export function blocksOf(cidrs: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [block = '', prefix] = cidr.split('/')
    const family = familyOf(block)
    if (prefix === undefined) list.addAddress(block, family)
    else list.addSubnet(block, Number(prefix), family)
  }
  return (address) => list.check(address, familyOf(address))
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}

/** An address in one form, IPv4 not inside IPv6. */
export function unmapped(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '')
}

/**
 * What callers are told apart by: an IPv4 address, or the /64 network of an IPv6 one, since whoever has an address there has 2^64 of them
 * (RFC 4291, 2.5.1; RFC 6177). However it was written; what is no address stays as it is.
 */
export function networkOf(address: string): string {
  const plain = unmapped(address).replace(/%.*$/, '')
  if (isIP(plain) !== 6) return plain
  const groups = groupsOf(plain)
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join('.')
  const network = groups.slice(0, 4).map((group) => group.toString(16))
  return `${network.join(':')}::/64`
}

/** The eight groups of an IPv6 address, however it was written. */
function groupsOf(address: string): number[] {
  // In the form of RFC 5952, in which IPv4 inside IPv6 is in digits of IPv6.
  const written = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [before = [], after = []] = written.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  return [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16))
}

/** Whether an address is in one of the blocks; an empty list holds every address. An unknown address is in none. */
export function inCidrs(cidrs: readonly string[], address: string | undefined): boolean {
  if (cidrs.length === 0) return true
  const plain = address === undefined ? '' : unmapped(address).replace(/%.*$/, '')
  const family = isIP(plain)
  if (family !== 4) return family === 6 && blocksOf(cidrs)(plain)
  // To make a BlockList takes longer than to look through a list, and this is asked at every request of a token with blocks.
  const number = numberOf(plain)
  const isOfIpv6 = (cidr: string) => cidr.includes(':')
  if (cidrs.some((cidr) => !isOfIpv6(cidr) && blockHolds(cidr, number))) return true
  const others = cidrs.filter(isOfIpv6)
  return others.length > 0 && blocksOf(others)(plain)
}

/** Whether a block of IPv4 holds an address. */
function blockHolds(cidr: string, address: number): boolean {
  const [block, width] = split(cidr)
  // A shift by 32 is one by 0.
  return width === 0 || (numberOf(block) ^ address) >>> (32 - width) === 0
}

/** The 32 bits of an IPv4 address. */
function numberOf(address: string): number {
  let number = 0
  for (const octet of address.split('.')) number = (number << 8) | Number(octet)
  return number
}

/**
 * Gives what tells whether all of a block (or address) is within one of the blocks; an empty list holds everything. Takes what `checkCidrs`
 * let pass.
 */
export function withinCidrs(cidrs: readonly string[]): (inner: string) => boolean {
  // Read once, since a list is compared with a list.
  const outers = cidrs.map(bitsOf)
  return (cidr) => {
    if (outers.length === 0) return true
    const inner = bitsOf(cidr)
    return outers.some(
      ({ size, bits, width }) =>
        size === inner.size && width <= inner.width && (bits ^ inner.bits) >> BigInt(size - width) === 0n,
    )
  }
}

/** A block as a number of 32 or 128 bits, of which the first `width` count. */
function bitsOf(cidr: string): { size: number; bits: bigint; width: number } {
  const [address, width] = split(cidr)
  if (isIP(address) === 4) return { size: 32, bits: BigInt(numberOf(address) >>> 0), width }
  const digits = groupsOf(address).map((group) => group.toString(16).padStart(4, '0'))
  return { size: 128, bits: BigInt(`0x${digits.join('')}`), width }
}

function split(cidr: string): [address: string, prefix: number] {
  const [address = '', prefix] = cidr.split('/')
  return [address, prefix === undefined ? (isIP(address) === 6 ? 128 : 32) : Number(prefix)]
}
