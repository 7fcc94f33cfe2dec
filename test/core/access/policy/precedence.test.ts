import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileAcl } from '../../../../src/core/access/policy/acl.ts'
import { type Capability, maskOf, namesOf, type Right } from '../../../../src/core/access/policy/capabilities.ts'
import type { PathRule } from '../../../../src/core/access/policy/parse.ts'
import { patternFault } from '../../../../src/core/access/policy/pattern.ts'
import { allows, decide, type ReferenceRule } from './reference.ts'

const rights: Right[] = ['create', 'read', 'update', 'delete', 'list', 'patch', 'sudo']

function acl(rules: readonly ReferenceRule[]) {
  const made: PathRule[] = rules.map(({ pattern, capabilities }) => ({
    pattern,
    capabilities: namesOf(maskOf(capabilities as Capability[])),
  }))
  return compileAcl([{ rules: made }])
}

/** Which of several patterns decides: each grants one other capability. */
function decider(patterns: readonly string[], path: string): string | undefined {
  const rules = patterns.map((pattern, index) => ({ pattern, capabilities: [rights[index] ?? 'sudo'] }))
  const compiled = acl(rules)
  const index = rules.findIndex((_, at) => {
    const right = rights[at]
    return right !== undefined && compiled.allows(right, path)
  })
  return patterns[index]
}

describe('which pattern decides', () => {
  // [the winner, others, path]: Vault's documentation on policies, and the comments of its changes #6532 and #6535.
  const cases: [string | undefined, string[], string][] = [
    ['secret/foo', ['secret/*', 'secret/+', 'secret/foo*'], 'secret/foo'],
    ['secret/foo*', ['secret/*', 'secret/fo*', '*'], 'secret/foobar'],
    ['secret/bar/*', ['secret/*'], 'secret/bar/zip/zap'],
    ['secret/*', ['secret/bar/*'], 'secret/bars/zip'],
    ['secret/*', ['secret/bar/*'], 'secret/bar'],
    ['secret/zip-*', ['secret/zip/*'], 'secret/zip-zap/zong'],
    [undefined, ['secret/zip-*'], 'secret/zip/zap'],
    ['secret/+/teamb', ['secret/+/+/teamb'], 'secret/foo/teamb'],
    ['secret/+/+/teamb', ['secret/+/teamb'], 'secret/foo/bar/teamb'],
    ['secret/*', ['secret/+/+/foo/*'], 'secret/a/b/foo/c'],
    ['foo/a*', ['foo/+'], 'foo/abc'],
    ['foo/bar/+/baz', ['foo/+/bar/baz'], 'foo/bar/bar/baz'],
    ['foo/+/bar', ['foo/+/ba*'], 'foo/x/bar'],
    ['foo/+', ['foo/*'], 'foo/x'],
    ['foo/bar/+/baz', ['foo/+/+/baz'], 'foo/bar/x/baz'],
    ['foo/+/x/+/z', ['foo/+/+/+/z'], 'foo/a/x/b/z'],
    ['foo/+/bar/ba*', ['foo/+/bar/b*'], 'foo/x/bar/baz'],
    ['+/+/c/d', ['+/b/+/x'], 'a/b/c/d'],
    ['+/b/+/d', ['+/+/c/d'], 'a/b/c/d'],
    ['*', [], 'anything/at/all'],
    ['+', ['*'], 'anything'],
    ['*', ['+'], 'two/parts'],
    // fewer `+` comes before longer: as the documentation says of secret/* and secret/+/+/foo/*
    ['*', ['+/sys/*'], 'a/sys/b'],
    ['kv/*', ['kv/+/*'], 'kv/private/x'],
    ['+/sys/*', ['+/*'], 'a/sys/b'],
    ['+/+/*', ['+/a/+/+/x*'], 'b/a/c/d/xy'],
    ['a/+/c', [], 'a/b/c'],
    [undefined, ['a/+/c'], 'a/b/b/c'],
    [undefined, ['a/+'], 'a'],
    [undefined, ['a/*'], 'a'],
    [undefined, ['a/+/*'], 'a/b'],
    ['a/+/*', [], 'a/b/c'],
    ['a/+/c*', ['a/+/*'], 'a/b/cd/e'],
  ]
  it.each(cases)('%s over %j for %s', (winner, others, path) => {
    const patterns = winner === undefined ? others : [winner, ...others]
    expect(decider(patterns, path)).toBe(winner)
    expect(decider([...patterns].reverse(), path)).toBe(winner)
  })

  it('agrees with the reference on its own table', () => {
    for (const [winner, others, path] of cases) {
      const rules = [...others, ...(winner === undefined ? [] : [winner])].map((pattern) => ({
        pattern,
        capabilities: [pattern === winner ? 'read' : 'update'],
      }))
      expect(decide(rules, path)?.capabilities, path).toEqual(winner === undefined ? undefined : ['read'])
    }
  })
})

describe('against the reference', () => {
  const capabilities = fc.oneof(
    { weight: 3, arbitrary: fc.subarray([...rights], { maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant(['deny']) },
  )
  function pattern(parts: string[]) {
    return fc
      .tuple(
        fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 }),
        fc.constantFrom('', '', '*', '/*', '/'),
      )
      .map(([list, end]) => `${list.join('/')}${end}`.replace(/\+\*$/, '+/*').replace(/^\//, ''))
      .filter((text) => patternFault(text) === undefined)
  }
  function path(parts: string[]) {
    return fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 }).map((list) => list.join('/'))
  }

  const lower = ['a', 'b', 'ab', 'abc', '+', '+']
  const mixed = ['a', 'A', 'ab', 'aB', 'AB', '+']
  for (const [name, parts, literals] of [
    ['one case', lower, ['a', 'b', 'ab', 'abc', 'abcd']],
    ['mixed case', mixed, ['a', 'A', 'ab', 'AB', 'Ab', 'aB', 'aBc']],
  ] as const) {
    it(`grants the same, ${name}`, () => {
      const rules = fc.array(fc.record({ pattern: pattern([...parts]), capabilities }), { maxLength: 12 })
      fc.assert(
        fc.property(rules, fc.array(path([...literals]), { minLength: 1, maxLength: 8 }), (given, paths) => {
          const compiled = acl(given)
          for (const each of paths) {
            const granted = rights.filter((right) => compiled.allows(right, each))
            const wanted = rights.filter((right) => allows(given, right, each))
            expect(granted, each).toEqual(wanted)
            expect(compiled.capabilities(each)).toEqual(wanted.length > 0 ? wanted.sort() : ['deny'])
          }
        }),
        { numRuns: 2_000 },
      )
    })
  }

  it('does not depend on the order of the policies', () => {
    const rules = fc.array(fc.record({ pattern: pattern(lower), capabilities }), { maxLength: 12 })
    fc.assert(
      fc.property(rules, path(['a', 'b', 'ab']), (given, each) => {
        const there = acl(given)
        const back = acl([...given].reverse())
        for (const right of rights) expect(back.allows(right, each)).toBe(there.allows(right, each))
      }),
      { numRuns: 500 },
    )
  })
})
