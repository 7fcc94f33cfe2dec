import fc from 'fast-check'
import { expect, test } from 'vitest'
import { claimOf } from '../../../../src/core/access/doors/jwt/claims.ts'
import { globMatches } from '../../../../src/core/access/glob.ts'

test('a pattern matches exactly what the regular expression that it stands for does', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.', '('), maxLength: 8 })
  fc.assert(
    fc.property(letters, letters, (pattern, text) => {
      const escaped = pattern.split('*').map((part) => part.replace(/[.(]/g, '\\$&'))
      expect(globMatches(pattern, text)).toBe(new RegExp(`^${escaped.join('.*')}$`, 's').test(text))
    }),
    { numRuns: 2_000 },
  )
})

test('a pointer finds what RFC 6901 says, and nothing that is inherited', () => {
  const claims = { a: { 'b/c': { '~': ['x', 'y'] }, '': 1 }, '/a': 'named' }
  expect(claimOf(claims, '/a/b~1c/~0/1')).toBe('y')
  expect(claimOf(claims, '/a/')).toBe(1)
  expect(claimOf(claims, '/a', false)).toBe('named')
  expect(claimOf(claims, 'a/b', true)).toBeUndefined()
  for (const name of ['__proto__', 'constructor', '/a/__proto__', '/a/b~1c/~0/length/x', '/x/y']) {
    expect(claimOf(claims, name), name).toBeUndefined()
  }
})
