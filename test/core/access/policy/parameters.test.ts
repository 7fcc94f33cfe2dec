import { describe, expect, it } from 'vitest'
import { compileAcl } from '../../../../src/core/access/policy/acl.ts'
import { parsePolicy } from '../../../../src/core/access/policy/parse.ts'

type Parameters = Record<string, unknown>

function acl(...conditions: string[]) {
  const all = '"create", "read", "update", "patch", "delete", "list", "sudo"'
  return compileAcl(
    conditions.map((condition) => ({ rules: parsePolicy(`path "a" { capabilities = [${all}]\n${condition} }`) })),
  )
}

// [conditions, parameters, allowed]: first those of Vault's documentation, then the corners.
const cases: [string, Parameters, boolean][] = [
  ['required_parameters = ["name", "id"]', { name: 'x', id: 1 }, true],
  ['required_parameters = ["name", "id"]', { name: 'x' }, false],
  ['required_parameters = ["name"]', {}, false],
  ['required_parameters = ["Name"]', { NAME: null }, true],
  ['allowed_parameters = { "password" = [] }', { password: 'anything' }, true],
  ['allowed_parameters = { "password" = [] }', { password: 'anything', token_ttl: 1 }, false],
  ['allowed_parameters = { "password" = [] }', {}, true],
  ['allowed_parameters = { "period" = ["8h", "24h", "5d"] }', { period: '24h' }, true],
  ['allowed_parameters = { "period" = ["8h", "24h", "5d"] }', { period: '25h' }, false],
  ['allowed_parameters = { "bar" = ["zip", "zap"], "*" = [] }', { bar: 'zip', other: 1 }, true],
  ['allowed_parameters = { "bar" = ["zip", "zap"], "*" = [] }', { bar: 'zop' }, false],
  ['allowed_parameters = { "*" = [] }', { anything: { at: 'all' } }, true],
  ['allowed_parameters = {}', { anything: 1 }, true],
  ['denied_parameters = { "policies" = [] }', { policies: null }, false],
  ['denied_parameters = { "policies" = [] }', { password: 'x' }, true],
  ['denied_parameters = { "policies" = ["admin"] }', { policies: 'admin' }, false],
  ['denied_parameters = { "policies" = ["admin"] }', { policies: 'user' }, true],
  ['denied_parameters = { "*" = [] }', { x: 1 }, false],
  ['denied_parameters = { "*" = [] }', {}, true],
  ['denied_parameters = {}', { x: 1 }, true],
  ['allowed_parameters = { "x" = [] } denied_parameters = { "x" = ["bad"] }', { x: 'bad' }, false],
  ['allowed_parameters = { "x" = [] } denied_parameters = { "x" = ["bad"] }', { x: 'good' }, true],
  ['allowed_parameters = { "x" = ["bad"] } denied_parameters = { "*" = [] }', { x: 'bad' }, false],
  ['denied_parameters = { "no_store" = [false, "false"] }', { no_store: false }, false],
  // names without case
  ['denied_parameters = { "Policies" = [] }', { POLICIES: 1 }, false],
  ['allowed_parameters = { "Foo" = ["Bar"] }', { fOO: 'Bar' }, true],
  ['allowed_parameters = { "foo" = ["Bar"] }', { foo: 'bar' }, false],
  ['denied_parameters = { "x" = ["bad"] }', { x: 'good', X: 'bad' }, false],
  // globs of values
  ['allowed_parameters = { "bar" = ["foo-*"] }', { bar: 'foo-x' }, true],
  ['allowed_parameters = { "bar" = ["foo-*"] }', { bar: 'foo-' }, true],
  ['allowed_parameters = { "bar" = ["foo-*"] }', { bar: 'xfoo-' }, false],
  ['allowed_parameters = { "bar" = ["*-foo"] }', { bar: 'x-foo' }, true],
  ['allowed_parameters = { "bar" = ["*-foo"] }', { bar: 'x-foo-' }, false],
  ['allowed_parameters = { "bar" = ["*foo*"] }', { bar: 'a foo b' }, true],
  ['allowed_parameters = { "bar" = ["f*o"] }', { bar: 'foo' }, false],
  ['allowed_parameters = { "bar" = ["1*"] }', { bar: 15 }, true],
  ['denied_parameters = { "bar" = ["foo*"] }', { bar: 'food' }, false],
  ['allowed_parameters = { "bar" = ["foo-*"] }', { bar: '' }, false],
  // types: as text
  ['allowed_parameters = { "x" = [5, true] }', { x: '5' }, true],
  ['allowed_parameters = { "x" = [5, true] }', { x: 'true' }, true],
  ['allowed_parameters = { "x" = ["5"] }', { x: 5 }, true],
  ['allowed_parameters = { "x" = ["null", "undefined", "[object Object]"] }', { x: null }, false],
  ['allowed_parameters = { "x" = ["[object Object]"] }', { x: {} }, false],
  ['denied_parameters = { "no_store" = ["false"] }', { no_store: false }, false],
  // lists
  ['allowed_parameters = { "x" = ["a", "b"] }', { x: ['a'] }, false],
  ['allowed_parameters = { "x" = [["a", "b"]] }', { x: ['a', 'b'] }, true],
  ['allowed_parameters = { "x" = [["a", "b"]] }', { x: ['b', 'a'] }, false],
  ['allowed_parameters = { "x" = [["a", "b"]] }', { x: ['a', 'b', 'c'] }, false],
  ['allowed_parameters = { "x" = [["a", "b"]] }', { x: 'a,b' }, false],
  ['allowed_parameters = { "x" = ["a,b"] }', { x: ['a', 'b'] }, false],
  ['allowed_parameters = { "x" = [] }', { x: ['a', 'b'] }, true],
  ['denied_parameters = { "policies" = ["admin"] }', { policies: ['user', 'admin'] }, false],
  ['denied_parameters = { "policies" = ["admin"] }', { policies: [['admin']] }, false],
  ['denied_parameters = { "policies" = ["admin"] }', { policies: ['user'] }, true],
  ['denied_parameters = { "policies" = [["a", "b"]] }', { policies: ['a', 'b'] }, false],
  // lists as one text
  ['denied_parameters = { "policies" = ["admin"] }', { policies: 'user, admin' }, false],
  ['denied_parameters = { "policies" = ["adm*"] }', { policies: 'user,admin' }, false],
  ['allowed_parameters = { "policies" = ["team-*"] }', { policies: 'team-a, team-b' }, true],
  ['allowed_parameters = { "policies" = ["team-*"] }', { policies: 'team-a,admin' }, false],
  ['allowed_parameters = { "policies" = ["*-team"] }', { policies: 'admin,a-team' }, false],
  ['allowed_parameters = { "policies" = ["a,b"] }', { policies: 'a,b' }, true],
  ['allowed_parameters = { "policies" = ["a,b*"] }', { policies: 'a,bc' }, true],
  // names that objects have
  ['allowed_parameters = { "x" = [] }', { constructor: 'x' }, false],
  ['denied_parameters = { "__proto__" = [] }', JSON.parse('{"__proto__": 1}') as Parameters, false],
]

describe('parameters', () => {
  it.each(cases)('%s with %j: %s', (condition, parameters, allowed) => {
    const each = acl(condition)
    for (const right of ['create', 'read', 'update', 'patch'] as const) {
      expect(each.allows(right, 'a', parameters), right).toBe(allowed)
    }
    for (const right of ['delete', 'list', 'sudo'] as const) expect(each.allows(right, 'a', parameters)).toBe(true)
  })

  it('takes no parameters for none', () => {
    expect(acl('required_parameters = ["x"]').allows('read', 'a')).toBe(false)
    expect(acl('allowed_parameters = { "x" = ["y"] }').allows('read', 'a')).toBe(true)
  })

  it('does not take a lone "*" for any value, wherever it came from', () => {
    const allowedParameters = new Map([['x', ['*']]])
    const each = compileAcl([{ rules: [{ pattern: 'a', capabilities: ['update'], allowedParameters }] }])
    expect(each.allows('update', 'a', { x: 'y' })).toBe(false)
    expect(each.allows('update', 'a', { x: '*' })).toBe(true)
  })

  it('does not hold for a deny', () => {
    const each = compileAcl([
      { rules: parsePolicy('path "a" { capabilities = ["deny"] allowed_parameters = { "x" = [] } }') },
    ])
    expect(each.allows('update', 'a', { x: 1 })).toBe(false)
  })
})

describe('joined over policies, as Vault does', () => {
  const joined: [string[], Parameters, boolean][] = [
    [['allowed_parameters = { "x" = ["1"] }', 'allowed_parameters = { "x" = ["2"] }'], { x: '2' }, true],
    [['allowed_parameters = { "x" = ["1"] }', 'allowed_parameters = { "x" = ["2"] }'], { x: '3' }, false],
    [['allowed_parameters = { "x" = ["1"] }', 'allowed_parameters = { "y" = ["2"] }'], { x: '1', y: '2' }, true],
    [['allowed_parameters = { "x" = ["1"] }', 'allowed_parameters = { "x" = [] }'], { x: '3' }, true],
    [['allowed_parameters = { "x" = ["1"] }', ''], { x: '1' }, true],
    [['allowed_parameters = { "x" = ["1"] }', ''], { y: '1' }, false],
    [['denied_parameters = { "x" = ["1"] }', 'denied_parameters = { "x" = ["2"] }'], { x: '1' }, false],
    [['denied_parameters = { "x" = ["1"] }', 'denied_parameters = { "x" = [] }'], { x: '3' }, false],
    [['denied_parameters = { "x" = ["1"] }', ''], { x: '1' }, false],
    [['denied_parameters = { "x" = ["1"] }', 'allowed_parameters = { "x" = ["1"] }'], { x: '1' }, false],
    [['required_parameters = ["x"]', 'required_parameters = ["y"]'], { x: 1, y: 1 }, true],
    [['required_parameters = ["x"]', 'required_parameters = ["y"]'], { y: 1 }, false],
    [['required_parameters = ["x"]', ''], { y: 1 }, false],
  ]
  it.each(joined)('%j with %j: %s', (conditions, parameters, allowed) => {
    expect(acl(...conditions).allows('update', 'a', parameters)).toBe(allowed)
    expect(acl(...[...conditions].reverse()).allows('update', 'a', parameters)).toBe(allowed)
  })

  it('does not change the policies it joins', () => {
    const one = parsePolicy('path "a" { capabilities = ["update"] allowed_parameters = { "x" = ["1"] } }')
    const two = parsePolicy('path "a" { capabilities = ["read"] allowed_parameters = { "x" = [], "y" = [] } }')
    const before = structuredClone([one, two])
    compileAcl([{ rules: one }, { rules: two }])
    expect([one, two]).toEqual(before)
    expect(compileAcl([{ rules: one }]).allows('update', 'a', { x: '2' })).toBe(false)
  })
})
