import { BlockList, isIP } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkCidrs, inCidrs } from '../../../src/core/access/cidrs.ts'

/** What Node's BlockList says, which knows both families and IPv4 inside IPv6. */
function judged(cidrs: readonly string[], address: string): boolean {
  const list = new BlockList()
  const family = (one: string) => (isIP(one) === 6 ? 'ipv6' : 'ipv4')
  for (const cidr of cidrs) {
    const [block = '', prefix] = cidr.split('/')
    if (prefix === undefined) list.addAddress(block, family(block))
    else list.addSubnet(block, Number(prefix), family(block))
  }
  return list.check(address, family(address))
}

const octet = fc.constantFrom(0, 1, 10, 127, 128, 192, 254, 255)
const ipv4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'))
const group = fc.constantFrom('0', '1', '7fff', '8000', 'ffff')
const ipv6 = fc.oneof(
  fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(':')),
  ipv4.map((address) => `::ffff:${address}`),
  fc.tuple(group, group).map(([high, low]) => `::ffff:${high}:${low}`),
)
const cidr = fc.oneof(
  ipv4,
  ipv6,
  fc.tuple(ipv4, fc.nat(32)).map(([address, width]) => `${address}/${width}`),
  fc.tuple(ipv6, fc.nat(128)).map(([address, width]) => `${address}/${width}`),
)

test('an address is in a list where Node’s BlockList has it, whatever the families of both', () => {
  fc.assert(
    fc.property(fc.array(cidr, { minLength: 1, maxLength: 5 }), fc.oneof(ipv4, ipv6), (cidrs, address) => {
      const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
      expect(inCidrs(cidrs, address)).toBe(judged(cidrs, plain))
    }),
    { numRuns: 2_000 },
  )
})

test('the narrowest and the widest blocks hold what they should', () => {
  const all = ['0.0.0.0', '10.0.0.1', '127.255.255.255', '128.0.0.0', '255.255.255.255']
  for (const address of all) {
    expect(inCidrs(['0.0.0.0/0'], address)).toBe(true)
    expect(inCidrs(['255.255.255.255/0'], address)).toBe(true)
    for (const other of all) {
      expect(inCidrs([other], address)).toBe(other === address)
      expect(inCidrs([`${other}/32`], address)).toBe(other === address)
      expect(inCidrs([`${other}/1`], address)).toBe(
        Number.parseInt(other, 10) < 128 === Number.parseInt(address, 10) < 128,
      )
    }
  }
})

test('what is no address is in no list but the empty one', () => {
  for (const none of [
    undefined,
    '',
    'unknown',
    '10.0.0',
    '10.0.0.256',
    '010.0.0.1',
    '1e1.0.0.1',
    '10.0.0.1/8',
    ' 10.0.0.1',
  ]) {
    expect([none, inCidrs(['0.0.0.0/0', '::/0'], none)]).toEqual([none, false])
    expect([none, inCidrs([], none)]).toEqual([none, true])
  }
})

test('a list has a limit, since it is gone through at every request', () => {
  const list = Array.from({ length: 257 }, (_, index) => `10.0.${index >> 8}.${index & 255}`)
  expect(checkCidrs('token_bound_cidrs', list.slice(1))).toHaveLength(256)
  expect(() => checkCidrs('token_bound_cidrs', list)).toThrow(
    'token_bound_cidrs has 257 addresses and blocks: allowed are up to 256',
  )
})
