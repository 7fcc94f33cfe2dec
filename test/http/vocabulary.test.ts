import { describe, expect, it } from 'vitest'
import { tokenRoutes } from '../../src/http/vault/auth/index.ts'
import { keymgmtRoutes } from '../../src/http/vault/keymgmt/index.ts'
import { RouteTable } from '../../src/http/vault/route-table.ts'
import { publicRoutes, sysRoutes } from '../../src/http/vault/sys/index.ts'

describe('RouteTable', () => {
  const table = new RouteTable(
    ['key', 'key/:name', 'key/:name/rotate', 'kms/:name/key/:key', 'mounts', 'mounts/:path+', 'mounts/:path+/tune'].map(
      (path) => ({ path }),
    ),
  )
  const match = (path: string) => {
    const found = table.match(path.split('/'), 0)
    return found && [found.route.path, found.params]
  }

  it.each([
    ['key', ['key', {}]],
    ['key/a', ['key/:name', { name: 'a' }]],
    ['key/rotate', ['key/:name', { name: 'rotate' }]],
    ['key/a/rotate', ['key/:name/rotate', { name: 'a' }]],
    ['kms/key/key/kms', ['kms/:name/key/:key', { name: 'key', key: 'kms' }]],
    ['mounts', ['mounts', {}]],
    ['mounts/a', ['mounts/:path+', { path: 'a' }]],
    ['mounts/a/b/c', ['mounts/:path+', { path: 'a/b/c' }]],
    ['mounts/a/tune', ['mounts/:path+/tune', { path: 'a' }]],
    ['mounts/a/b/tune', ['mounts/:path+/tune', { path: 'a/b' }]],
    ['mounts/tune/tune', ['mounts/:path+/tune', { path: 'tune' }]],
    ['mounts/tune', ['mounts/:path+', { path: 'tune' }]],
  ])('finds %s', (path, expected) => {
    expect(match(path)).toEqual(expected)
  })

  it.each([
    '',
    'ke',
    'key/',
    'key//rotate',
    'key/a/rotat',
    'key/a/rotate/b',
    'kms',
    'kms/a/key',
    'a/key',
  ])('does not find "%s"', (path) => {
    expect(match(path)).toBeUndefined()
  })

  it('begins where it is told', () => {
    expect(table.match(['x', 'y', 'key', 'a'], 2)?.params).toEqual({ name: 'a' })
  })
})

describe('the tables of routes', () => {
  it('have a text and at least one operation for every path, and every path once', () => {
    for (const routes of [keymgmtRoutes, sysRoutes, tokenRoutes, publicRoutes]) {
      for (const { synopsis, description, operations } of routes) {
        expect(synopsis).toMatch(/\.$/)
        expect(description.trim()).toMatch(/[.”"]$/)
        expect(Object.keys(operations)).not.toEqual([])
      }
      expect(new Set(routes.map(({ path }) => path)).size).toBe(routes.length)
    }
  })

  it('hold all of the Key Management engine', () => {
    const all = keymgmtRoutes.flatMap(({ path, operations }) =>
      Object.keys(operations).map((name) => `${name} ${path}`),
    )
    expect(all.sort()).toEqual([
      'delete key/:name',
      'delete kms/:name',
      'delete kms/:name/key/:key_name',
      'list key',
      'list key/:name/kms',
      'list kms',
      'list kms/:name/key',
      'list operation',
      'read key/:name',
      'read kms/:name',
      'read kms/:name/diagnose',
      'read kms/:name/key/:key_name',
      'read operation/:id',
      'write key/:name',
      'write key/:name/rotate',
      'write kms/:name',
      'write kms/:name/kek/rotate',
      'write kms/:name/key/:key_name',
      'write kms/:name/key/:key_name/replicate',
      'write kms/:name/reconcile',
      'write operation/:id/cancel',
      'write operation/:id/retry',
    ])
  })
})
