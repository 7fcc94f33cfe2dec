import { BlockList, isIP } from 'node:net'
import { invalid } from '../errors.ts'
import { printable } from '../keys/types.ts'

/** Takes CIDR blocks or single addresses. Gives them back; throws `invalid` naming the field for what is neither. */
export function checkCidrs(field: string, cidrs: readonly string[]): string[] {
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

/** Whether an address is in one of the blocks; an empty list holds every address. An unknown address is in none. */
export function inCidrs(cidrs: readonly string[], address: string | undefined): boolean {
  if (cidrs.length === 0) return true
  const plain = address === undefined ? '' : unmapped(address).replace(/%.*$/, '')
  return isIP(plain) !== 0 && blocksOf(cidrs)(plain)
}

/** Whether all of a block (or address) is within one of the blocks; an empty list holds everything. Takes what `checkCidrs` let pass. */
export function withinCidrs(cidrs: readonly string[], inner: string): boolean {
  const [address = '', prefix] = split(inner)
  return (
    cidrs.length === 0 ||
    cidrs.some((outer) => {
      const [block, width] = split(outer)
      return isIP(block) === isIP(address) && width <= prefix && inCidrs([outer], address)
    })
  )
}

function split(cidr: string): [address: string, prefix: number] {
  const [address = '', prefix] = cidr.split('/')
  return [address, prefix === undefined ? (isIP(address) === 6 ? 128 : 32) : Number(prefix)]
}
