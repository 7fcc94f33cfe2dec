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

/** Whether an address is in one of the blocks; an empty list holds every address. An unknown address is in none. */
export function inCidrs(cidrs: readonly string[], address: string | undefined): boolean {
  if (cidrs.length === 0) return true
  const plain = address?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  const family = plain === undefined ? 0 : isIP(plain)
  if (plain === undefined || family === 0) return false
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [block = '', prefix] = cidr.split('/')
    const kind = isIP(block) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(block, kind)
    else list.addSubnet(block, Number(prefix), kind)
  }
  return list.check(plain, family === 6 ? 'ipv6' : 'ipv4')
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
