import { describe, expect, it } from 'vitest'
import { compileAcl } from '../../../../src/core/access/policy/acl.ts'
import type { Right } from '../../../../src/core/access/policy/capabilities.ts'
import { defaultPolicyText } from '../../../../src/core/access/policy/defaults.ts'
import { parsePolicy } from '../../../../src/core/access/policy/parse.ts'

const rights: Right[] = ['create', 'read', 'update', 'delete', 'list', 'patch', 'sudo']

function acl(...texts: string[]) {
  return compileAcl(texts.map((text) => ({ rules: parsePolicy(text) })))
}

describe('capabilities', () => {
  it('grants nothing by default', () => {
    for (const each of [acl(), acl(''), acl('path "other" { capabilities = ["read"] }'), acl('path "a" {}')]) {
      for (const right of rights) expect(each.allows(right, 'a')).toBe(false)
      expect(each.capabilities('a')).toEqual(['deny'])
      expect(each.sudo('read', 'a')).toBe(false)
    }
  })

  it('grants each capability alone: none implies another', () => {
    for (const granted of rights) {
      const each = acl(`path "a" { capabilities = ["${granted}"] }`)
      for (const right of rights) expect(each.allows(right, 'a'), `${granted} ${right}`).toBe(right === granted)
      expect(each.sudo('update', 'a')).toBe(granted === 'sudo')
      expect(each.capabilities('a')).toEqual([granted])
    }
  })

  it('allows everything to root, and says so', () => {
    const root = compileAcl([], true)
    for (const right of rights) expect(root.allows(right, 'any/path', { any: 'thing' })).toBe(true)
    expect(root.sudo('read', 'x')).toBe(true)
    expect(root.capabilities('x')).toEqual(['root'])
  })

  it('joins the same pattern over policies, and over the blocks of one', () => {
    const read = 'path "a/*" { capabilities = ["read"] }'
    const update = 'path "a/*" { capabilities = ["update", "list"] }'
    for (const each of [acl(read, update), acl(`${read}\n${update}`)]) {
      expect(each.capabilities('a/b')).toEqual(['list', 'read', 'update'])
    }
  })

  it('lets deny win within the same pattern, in whatever order', () => {
    const read = 'path "a" { capabilities = ["read", "sudo"] }'
    const deny = 'path "a" { capabilities = ["deny"] }'
    const both = 'path "a" { capabilities = ["read", "deny", "sudo"] }'
    for (const each of [acl(read, deny), acl(deny, read), acl(both), acl(read, deny, read), acl(both, read)]) {
      for (const right of rights) expect(each.allows(right, 'a')).toBe(false)
      expect(each.sudo('read', 'a')).toBe(false)
      expect(each.capabilities('a')).toEqual(['deny'])
    }
  })

  it('does not let a deny of a wider pattern beat a narrower grant, nor the other way round', () => {
    const each = acl(
      'path "a/*" { capabilities = ["deny"] } path "a/b" { capabilities = ["read"] }',
      'path "c/*" { capabilities = ["read"] } path "c/d" { capabilities = ["deny"] }',
    )
    expect(each.allows('read', 'a/b')).toBe(true)
    expect(each.allows('read', 'a/c')).toBe(false)
    expect(each.allows('read', 'c/e')).toBe(true)
    expect(each.allows('read', 'c/d')).toBe(false)
  })

  it('does not join different patterns', () => {
    const each = acl('path "a/*" { capabilities = ["update"] } path "a/b*" { capabilities = ["read"] }')
    expect(each.capabilities('a/bc')).toEqual(['read'])
  })

  it('gives the default policy what a token may do with itself, and no more', () => {
    const each = acl(defaultPolicyText)
    expect(each.capabilities('auth/token/lookup-self')).toEqual(['read'])
    const updated = ['auth/token/renew-self', 'auth/token/revoke-self', 'sys/capabilities-self']
    for (const path of [...updated, 'sys/wrapping/wrap', 'sys/wrapping/lookup', 'sys/wrapping/unwrap']) {
      expect(each.capabilities(path)).toEqual(['update'])
    }
    for (const path of ['auth/token/lookup', 'auth/token/create', 'sys/capabilities', 'sys/policies/acl/default', '']) {
      expect(each.capabilities(path)).toEqual(['deny'])
    }
  })
})

describe('LIST', () => {
  it.each([
    'keymgmt/key',
    'keymgmt/key/',
    'keymgmt/*',
    'keymgmt/key/*',
    '+/key',
    '+/key/',
    'keymgmt/+',
    'keymgmt/key/+',
  ])('is granted by path "%s", asked with and without the slash', (pattern) => {
    const each = acl(`path "${pattern}" { capabilities = ["list"] }`)
    expect(each.allows('list', 'keymgmt/key')).toBe(true)
    expect(each.allows('list', 'keymgmt/key/')).toBe(true)
    expect(each.capabilities('keymgmt/key')).toEqual(['list'])
  })

  it('is not let around a narrower deny by the slash (GHSA-xp3c-3jw3-4vcr)', () => {
    for (const [wide, narrow] of [
      ['secrets/metadata/*', 'secrets/metadata/restricted/*'],
      ['kv/*', 'kv/private/*'],
      ['kv/+', 'kv/private/*'],
      ['kv/+', 'kv/private/'],
      ['kv/+', 'kv/+/*'],
      ['kv/*', 'kv/private'],
    ] as const) {
      const each = acl(
        `path "${wide}" { capabilities = ["list", "read"] } path "${narrow}" { capabilities = ["deny"] }`,
      )
      const path = wide.startsWith('kv') ? 'kv/private' : 'secrets/metadata/restricted'
      expect(each.allows('list', path), narrow).toBe(false)
      expect(each.allows('list', `${path}/`), narrow).toBe(false)
      expect(each.capabilities(path), narrow).not.toContain('list')
    }
  })

  it('is denied by a deny of either form, exact ones too', () => {
    for (const [granted, refused] of [
      ['a/b', 'a/b/'],
      ['a/b/', 'a/b'],
    ] as const) {
      const each = acl(`path "${granted}" { capabilities = ["list"] } path "${refused}" { capabilities = ["deny"] }`)
      expect(each.allows('list', 'a/b')).toBe(false)
      expect(each.allows('list', 'a/b/')).toBe(false)
    }
  })

  it('finds sudo where it finds list', () => {
    const each = acl('path "auth/token/accessors/" { capabilities = ["list", "sudo"] }')
    expect(each.allows('list', 'auth/token/accessors')).toBe(true)
    expect(each.sudo('list', 'auth/token/accessors')).toBe(true)
    expect(each.sudo('read', 'auth/token/accessors')).toBe(false)
  })

  it('does not lend the slash to others', () => {
    const each = acl('path "a/b/" { capabilities = ["read", "list"] }')
    expect(each.allows('read', 'a/b')).toBe(false)
    expect(each.allows('read', 'a/b/')).toBe(true)
  })
})

describe('paths that could be taken for another', () => {
  it('match nothing', () => {
    const each = acl('path "*" { capabilities = ["read", "list"] } path "a/secret" { capabilities = ["deny"] }')
    expect(each.allows('read', 'a/b')).toBe(true)
    for (const path of [
      'a//secret',
      'a//b',
      '//a/b',
      'a/./secret',
      'a/../b',
      '../a',
      './a',
      'a/..',
      'a/.',
      '..',
      '.',
    ]) {
      expect(each.allows('read', path), path).toBe(false)
      expect(each.allows('list', path), path).toBe(false)
      expect(each.capabilities(path), path).toEqual(['deny'])
    }
    for (const path of ['a/b.c', 'a/..b', 'a/b..', '.a/b', 'a/...']) expect(each.allows('read', path), path).toBe(true)
  })

  it('take one slash at the beginning, as Vault does', () => {
    const each = acl('path "/a/b" { capabilities = ["read"] }')
    expect(each.allows('read', 'a/b')).toBe(true)
    expect(each.allows('read', '/a/b')).toBe(true)
  })

  it('do not get around a deny by their case (Vault 2.2.2)', () => {
    const each = acl(
      'path "sys/policies/acl/*" { capabilities = ["update"] } path "sys/policies/acl/admins" { capabilities = ["deny"] }',
    )
    expect(each.allows('update', 'sys/policies/acl/team')).toBe(true)
    for (const name of ['admins', 'Admins', 'ADMINS']) {
      expect(each.allows('update', `sys/policies/acl/${name}`), name).toBe(false)
    }
    const grants = acl('path "a/Key" { capabilities = ["read"] }')
    expect(grants.allows('read', 'a/key')).toBe(false)
    const narrower = acl('path "a/*" { capabilities = ["deny"] } path "A/Key" { capabilities = ["read"] }')
    expect(narrower.allows('read', 'A/Key')).toBe(true)
    expect(narrower.allows('read', 'A/Other')).toBe(false)
  })
})

describe('wrapping', () => {
  const each = acl('path "a" { capabilities = ["update", "list"] min_wrapping_ttl = "1s" max_wrapping_ttl = "90s" }')
  it.each([
    [undefined, false],
    [0, false],
    [1, true],
    [90, true],
    [91, false],
  ])('asked for %s seconds: %s', (ttl, allowed) => {
    expect(each.allows('update', 'a', {}, ttl)).toBe(allowed)
    expect(each.allows('list', 'a', undefined, ttl)).toBe(allowed)
  })

  it('takes the lesser of two bounds, and refuses all when they cross', () => {
    const bounded = (...bounds: string[]) => acl(...bounds.map((b) => `path "a" { capabilities = ["update"] ${b} }`))
    const two = bounded('min_wrapping_ttl = 10 max_wrapping_ttl = 60', 'min_wrapping_ttl = 5 max_wrapping_ttl = 30')
    expect([4, 5, 30, 31].map((ttl) => two.allows('update', 'a', {}, ttl))).toEqual([false, true, true, false])
    const one = bounded('max_wrapping_ttl = 60', '')
    expect([undefined, 60, 61].map((ttl) => one.allows('update', 'a', {}, ttl))).toEqual([false, true, false])
    const crossed = bounded('min_wrapping_ttl = 60', 'max_wrapping_ttl = 30')
    expect([undefined, 30, 45, 60].some((ttl) => crossed.allows('update', 'a', {}, ttl))).toBe(false)
  })
})
