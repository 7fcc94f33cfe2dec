import { expect, test } from 'vitest'
import { compileAcl } from '../../../../src/core/access/policy/acl.ts'
import { parsePolicy } from '../../../../src/core/access/policy/parse.ts'

/** Which times of wrapping (seconds; undefined: none) the bounds let pass. */
function passing(bounds: string): (number | undefined)[] {
  const acl = compileAcl([{ rules: parsePolicy(`path "a" { capabilities = ["read"] ${bounds} }`) }])
  return [undefined, 1, 2, 3].filter((ttl) => acl.allows('read', 'a', undefined, ttl))
}

test('bounds with fractions of a second hold exactly, as in Vault', () => {
  for (const [bounds, expected] of [
    ['', [undefined, 1, 2, 3]],
    ['min_wrapping_ttl = 0 max_wrapping_ttl = "0s"', [undefined, 1, 2, 3]],
    ['min_wrapping_ttl = "1400ms"', [2, 3]],
    ['min_wrapping_ttl = "1.6s"', [2, 3]],
    ['max_wrapping_ttl = "1400ms"', [1]],
    ['max_wrapping_ttl = "1.6s"', [1]],
    ['max_wrapping_ttl = 2.5', [1, 2]],
    ['min_wrapping_ttl = "1100ms" max_wrapping_ttl = "1200ms"', []],
  ] as const) {
    expect([bounds, passing(bounds)]).toEqual([bounds, expected])
  }
})

test('a bound of less than half a second is one: wrapping is required, and none is as short as the greatest', () => {
  for (const little of ['"400ms"', '"0.4s"', '"1ns"', '"1us"', '0.4']) {
    expect([little, passing(`min_wrapping_ttl = ${little}`)]).toEqual([little, [1, 2, 3]])
    expect([little, passing(`max_wrapping_ttl = ${little}`)]).toEqual([little, []])
  }
})

test('bounds that cross, or are none, are refused with the place', () => {
  const why = 'not a duration: allowed are seconds (3600) or "1h30m", "24h", "7d"'
  for (const [bounds, message] of [
    [
      'min_wrapping_ttl = "1200ms" max_wrapping_ttl = "1100ms"',
      'max_wrapping_ttl must not be less than min_wrapping_ttl',
    ],
    ['max_wrapping_ttl = "system"', `error converting input for field "max_wrapping_ttl": ${why}`],
    ['min_wrapping_ttl = true', `error converting input for field "min_wrapping_ttl": ${why}`],
    ['min_wrapping_ttl = ["1s"]', `error converting input for field "min_wrapping_ttl": ${why}`],
    [
      'max_wrapping_ttl = "36501d"',
      'max_wrapping_ttl is too long: allowed are up to 3153600000 seconds, a hundred years',
    ],
    ['max_wrapping_ttl = 1e300', 'max_wrapping_ttl is too long: allowed are up to 3153600000 seconds, a hundred years'],
  ] as const) {
    expect(() => parsePolicy(`path "a" { ${bounds} }`), bounds).toThrow(message)
    expect(() => parsePolicy(`path "a" { ${bounds} }`), bounds).toThrow(/^line 1, column \d+: /)
  }
})
