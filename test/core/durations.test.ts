import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDuration } from '../../src/core/durations.ts'

describe('parseDuration', () => {
  it.each([
    [0, 0],
    [3600, 3600],
    ['3600', 3600],
    ['1h0m0s', 3600],
    ['30m', 1800],
    ['24h', 86_400],
    ['1d', 86_400],
    ['1.5h', 5400],
    ['1500ms', 1.5],
    ['90s', 90],
    ['', 0],
    [' 5s ', 5],
    [1.9, 1.9],
    ['1d12h30m15s', 131_415],
    ['2000000us', 2],
    ['2000000\u00b5s', 2],
    ['2000000\u03bcs', 2],
    ['1ns', 1e-9],
    ['0.000000001s', 1e-9],
    ['0s', 0],
    ['0003', 3],
    [`0.${'3'.repeat(5_000)}s`, 0.333333333],
  ])('reads %j as %d seconds', (value, seconds) => {
    expect(parseDuration(value)).toBe(seconds)
  })

  it.each([
    -1,
    '-1',
    '-5m',
    '5x',
    'h',
    '1h 5m',
    'm5',
    '1..5h',
    '1.5',
    '.5h',
    '1e3',
    '0x10',
    '5M',
    '1h5',
    'system',
    '٣s',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    undefined,
    null,
    true,
    {},
    [5],
  ])('does not read %j', (value) => {
    expect(parseDuration(value)).toBeUndefined()
  })

  it('is exact in the second where the fraction of a unit is a whole number of seconds', () => {
    const units = [['d', 864] as const, ['h', 36] as const]
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(99), fc.constantFrom(...units), (whole, hundredths, [unit, each]) => {
        const text = `${whole}.${String(hundredths).padStart(2, '0')}${unit}`
        expect(parseDuration(text)).toBe((whole * 100 + hundredths) * each)
      }),
    )
  })

  it('adds up what has several parts, in any order', () => {
    const sizes = { d: 86_400, h: 3_600, m: 60, s: 1 }
    const units = fc.constantFrom(...(Object.keys(sizes) as (keyof typeof sizes)[]))
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9_999), units), { minLength: 1 }), (parts) => {
        const sum = parts.reduce((total, [amount, unit]) => total + amount * sizes[unit], 0)
        expect(parseDuration(parts.map(([amount, unit]) => `${amount}${unit}`).join(''))).toBe(sum)
      }),
    )
  })

  it('is not stopped by what is longer than any number, and takes no sum without end', () => {
    expect(parseDuration('9'.repeat(400))).toBe(Number.POSITIVE_INFINITY)
    expect(parseDuration(`${'9'.repeat(400)}d`)).toBe(Number.POSITIVE_INFINITY)
    expect([parseDuration('1s'.repeat(5_000)), parseDuration('1s'.repeat(5_001))]).toEqual([5_000, undefined])
    expect(parseDuration(`${'1s'.repeat(50_000)}x`)).toBeUndefined()
  })
})
