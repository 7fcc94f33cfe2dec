import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inCidrs, withinCidrs } from '../../../src/core/access/cidrs.ts'

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
      expect(withinCidrs([text(outer)], text(other))).toBe(from <= first && last <= to)
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
  expect(withinCidrs([], '0.0.0.0/0')).toBe(true)
  expect(withinCidrs(['::/0'], '10.0.0.1')).toBe(false)
  expect(withinCidrs(['0.0.0.0/0'], '::1')).toBe(false)
  expect(withinCidrs(['10.0.0.0/8', '2a00::/16'], '2a00:1::/32')).toBe(true)
  expect(withinCidrs(['10.0.0.1'], '10.0.0.1/32')).toBe(true)
  expect(withinCidrs(['10.0.0.1'], '10.0.0.0/31')).toBe(false)
})
