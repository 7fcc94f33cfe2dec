import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, gateway, outcome } from './gateway.ts'
import { as, dataOf, good, makeNamespace, type Send } from './tenants.ts'

describe('namespaces', () => {
  let vault: Gateway
  let root: Send
  beforeAll(async () => {
    vault = await gateway()
    root = as(vault, vault.rootToken)
  })
  afterAll(() => vault.close())

  it('are made, read, listed, changed and deleted, relative to that of the request', async () => {
    await good(root('PUT', 'sys/namespaces/team', { custom_metadata: { owner: 'x' } }))
    const team = as(vault, vault.rootToken, 'team')
    const made = dataOf(await good(team('PUT', 'sys/namespaces/one')))
    expect(made).toEqual({ id: expect.stringMatching(/^[0-9a-f]{16}$/), path: 'one/', custom_metadata: {} })
    expect(dataOf(await root('GET', 'sys/namespaces/team/one'))).toEqual({ ...made, path: 'team/one/' })
    expect(dataOf(await root('GET', 'team/sys/namespaces/one'))).toEqual(made)
    expect(dataOf(await root('LIST', 'sys/namespaces')).keys).toEqual(['team/'])
    expect(dataOf(await team('LIST', 'sys/namespaces'))).toEqual({ keys: ['one/'], key_info: { 'one/': made } })
    // Made again it is the same one.
    expect(dataOf(await root('PUT', 'sys/namespaces/team/one', { custom_metadata: { a: 'b' } })).id).toBe(made.id)
    const type = { 'content-type': 'application/merge-patch+json' }
    const patched = await root('PATCH', 'sys/namespaces/team/one', { custom_metadata: { a: null, c: 'd' } }, type)
    expect(dataOf(patched).custom_metadata).toEqual({ c: 'd' })
    expect(outcome(await root('DELETE', 'sys/namespaces/team'))).toEqual([
      400,
      'the namespace has child namespaces: delete them first',
    ])
    await good(team('DELETE', 'sys/namespaces/one'))
    await good(root('DELETE', 'sys/namespaces/team'))
    expect((await root('GET', 'sys/namespaces/team')).status).toBe(404)
    expect((await root('LIST', 'sys/namespaces')).status).toBe(404)
  })

  it('have names that cannot be taken for others', async () => {
    const bad = [
      'root',
      'Root',
      'sys',
      'AUTH',
      'identity',
      'cubbyhole',
      'oauth',
      'audit',
      '.x',
      'x.',
      'a..b',
      '-x',
      'a b',
      'é',
    ]
    for (const name of [...bad, 'K\u212a', 'x'.repeat(65), 'a*', '+', 'a\\b', '%']) {
      expect((await root('PUT', `sys/namespaces/${encodeURIComponent(name)}`)).status).toBe(400)
    }
    for (const path of ['a%2fb', 'a%2Fb', 'a%00', '%c0%af', '%zz', 'a%0ab']) {
      expect((await root('PUT', `sys/namespaces/${path}`)).status).toBe(400)
    }
    expect((await root('LIST', 'sys/namespaces')).status).toBe(404)
  })

  it('are told apart by case, and by nothing else', async () => {
    await makeNamespace(vault, 'Case')
    for (const name of ['case', 'CASE', 'Case.', ' Case']) {
      expect((await as(vault, vault.rootToken, name)('GET', 'sys/mounts')).status).toBe(name === ' Case' ? 200 : 404)
    }
    for (const path of [
      'case/sys/mounts',
      'CASE/sys/mounts',
      'Cas%65/sys/mounts',
      '/Case/sys/mounts',
      'Case//sys/mounts',
    ]) {
      expect([path, (await root('GET', path)).status]).toEqual([path, path.startsWith('Cas%65') ? 200 : 404])
    }
    await good(root('DELETE', 'sys/namespaces/Case'))
  })

  it('and mounts are not at the same path', async () => {
    expect(outcome(await root('PUT', 'sys/namespaces/keymgmt'))).toEqual([400, 'path is already in use at keymgmt/'])
    await good(root('PUT', 'sys/mounts/deep/er', { type: 'keymgmt' }))
    expect(outcome(await root('PUT', 'sys/namespaces/deep'))).toEqual([400, 'path is already in use at deep/er/'])
    await good(root('PUT', 'sys/namespaces/space'))
    for (const path of ['space', 'space/keymgmt']) {
      expect(outcome(await root('PUT', `sys/mounts/${path}`, { type: 'keymgmt' }))).toEqual([
        400,
        `path is already in use at ${path}/`,
      ])
    }
    expect(outcome(await root('POST', 'sys/remount', { from: 'deep/er', to: 'space/x' }))).toEqual([
      400,
      'path is already in use at space/x/',
    ])
    // The other way round they are in different namespaces.
    await good(as(vault, vault.rootToken, 'space')('PUT', 'sys/mounts/space', { type: 'keymgmt' }))
    await good(root('DELETE', 'sys/namespaces/space'))
    await good(root('PUT', 'sys/mounts/space', { type: 'keymgmt' }))
  })

  it('may be named in the header, in the path, and in both', async () => {
    await makeNamespace(vault, 'a')
    await makeNamespace(vault, 'a/b')
    await good(as(vault, vault.rootToken, 'a/b')('PUT', 'keymgmt/key/k', { type: 'ecdsa-p256' }))
    for (const [header, prefix] of [
      ['a/b', ''],
      ['a', 'b/'],
      ['', 'a/b/'],
      ['/a/b/', ''],
      ['/a/', 'b/'],
    ] as const) {
      expect((await as(vault, vault.rootToken, header)('GET', `${prefix}keymgmt/key/k`)).status).toBe(200)
    }
    for (const [header, prefix] of [
      ['a', ''],
      ['b', ''],
      ['a/b', 'a/b/'],
      ['a/b', 'b/'],
      ['b', 'a/'],
      ['', 'b/'],
      ['root', 'b/'],
    ] as const) {
      expect((await as(vault, vault.rootToken, header)('GET', `${prefix}keymgmt/key/k`)).status).toBe(404)
    }
  })
})
