import { isIP } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkCidrs, inCidrs, networkOf, withinCidrs } from '../../../src/core/access/cidrs.ts'

const octet = fc.nat(255)
const address = fc.tuple(octet, octet, octet, octet)
const block = fc.tuple(address, fc.nat(32))
const text = ([parts, width]: [number[], number]) => `${parts.join('.')}/${width}`
const number = (parts: readonly number[]) => parts.reduce((sum, part) => sum * 256 + part, 0)
/** First and last address of a block. */
const range = ([parts, width]: [number[], number]) => {
  const size = 2 ** (32 - width)
  const first = Math.floor(number(parts) / size) * size
  return [first, first + size - 1] as const
}

test('a block is within another exactly where its first and last address are', () => {
  fc.assert(
    fc.property(block, block, fc.boolean(), (outer, inner, nested) => {
      const other: [number[], number] = nested ? [outer[0], Math.max(outer[1], inner[1])] : inner
      const [[from, to], [first, last]] = [range(outer), range(other)]
      expect(withinCidrs([text(outer)])(text(other))).toBe(from <= first && last <= to)
    }),
  )
})

test('an address is in a block exactly where its number is in the range', () => {
  fc.assert(
    fc.property(block, address, (outer, inner) => {
      const [from, to] = range(outer)
      expect(inCidrs([text(outer)], inner.join('.'))).toBe(from <= number(inner) && number(inner) <= to)
    }),
  )
})

test('families are apart, an empty list holds everything, one of several is enough', () => {
  expect(withinCidrs([])('0.0.0.0/0')).toBe(true)
  expect(withinCidrs(['::/0'])('10.0.0.1')).toBe(false)
  expect(withinCidrs(['0.0.0.0/0'])('::1')).toBe(false)
  expect(withinCidrs(['10.0.0.0/8', '2a00::/16'])('2a00:1::/32')).toBe(true)
  for (const [inner, is] of [
    ['2a00:0:0:8000::/49', true],
    ['2A00::', true],
    ['2a00:0:0:8000::/47', false],
    ['2a00:0:1::/64', false],
    ['::ffff:10.0.0.1', true],
    ['::ffff:a00:1/128', true],
    ['::ffff:11.0.0.1', false],
  ] as const)
    expect([inner, withinCidrs(['2a00::/48', '::ffff:10.0.0.0/104'])(inner)]).toEqual([inner, is])
  expect(withinCidrs(['10.0.0.1'])('10.0.0.1/32')).toBe(true)
  expect(withinCidrs(['10.0.0.1'])('10.0.0.0/31')).toBe(false)
})

test('callers are told apart by their address of IPv4, by their /64 of IPv6, however that is written', () => {
  const forms = [
    ['192.0.2.1', '192.0.2.1', '::ffff:192.0.2.1', '::FFFF:c000:201', '0:0:0:0:0:ffff:c000:0201'],
    [
      '2001:db8:0:0::/64',
      '2001:db8::1',
      '2001:DB8::ffff:ffff:ffff:ffff',
      '2001:0db8:0000:0:1:2:3:4',
      '2001:db8::1%eth0',
    ],
    ['2001:db8:0:1::/64', '2001:db8:0:1::', '2001:db8:0:1:ffff::1', '2001:db8:0:1:0:0:192.0.2.1'],
    ['0:0:0:0::/64', '::', '::1'],
    ['fe80:0:0:0::/64', 'fe80::1%eth0'],
    ['1:2:3:4::/64', '1:2:3:4:5:6:7:8', '1:2:3:4::', '1:2:3:4:5::8'],
    ['', ''],
    ['unknown', 'unknown'],
  ]
  for (const [network = '', ...addresses] of forms)
    for (const address of addresses) expect([address, networkOf(address)]).toEqual([address, network])
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const network = networkOf(address)
      expect(network).toSatisfy((one: string) => isIP(one) === 4 || inCidrs([one], address))
    }),
  )
})

test('a block that was meant for one network of IPv4 and holds all of it is refused', () => {
  for (const prefix of [0, 24, 95])
    expect(() => checkCidrs('cidrs', ['10.0.0.0/8', `::ffff:192.168.1.0/${prefix}`])).toThrow(
      `cidrs: "::ffff:192.168.1.0/${prefix}" holds every IPv4 address: write it without ::ffff:, or with 96 more`,
    )
  for (const fine of ['::ffff:192.168.1.0/120', '::ffff:192.168.1.1', '2a00::/16'])
    expect(checkCidrs('cidrs', [fine])).toEqual([fine])
  expect(inCidrs(['::ffff:192.168.1.0/120'], '192.168.1.7')).toBe(true)
  expect(inCidrs(['::ffff:192.168.1.0/120'], '192.168.2.7')).toBe(false)
})
