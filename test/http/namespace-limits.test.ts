import { describe, expect, it } from 'vitest'
import type { NamespaceLimits } from '../../src/core/access/limits.ts'
import { clock, closesAfterEach, cloud, limited, start, vault } from './limited-gateway.ts'
import { as, dataOf, good, makeNamespace } from './tenants.ts'

closesAfterEach()

describe('limits of a namespace', () => {
  const at = (limit: number, what: string) => [
    429,
    '5',
    `the namespace has reached its limit of ${limit} ${what}: remove some, or ask the operator for more`,
  ]
  const key = { type: 'ecdsa-p256' }

  async function tenants(limits: NamespaceLimits) {
    await start(limits)
    for (const namespace of ['t', 'u']) await makeNamespace(vault, namespace)
    return { team: as(vault, vault.rootToken, 't'), other: as(vault, vault.rootToken, 'u') }
  }

  it('keys, and what was deleted makes room', async () => {
    const { team, other } = await tenants({ keys: 2 })
    await good(team('PUT', 'keymgmt/key/a', key))
    await good(team('PUT', 'keymgmt/key/b', { ...key, deletion_allowed: true }))
    expect(limited(await team('PUT', 'keymgmt/key/c', key))).toEqual(at(2, 'keys'))
    expect((await team('GET', 'keymgmt/key/c')).status).toBe(404)
    await good(team('PUT', 'sys/mounts/more', { type: 'keymgmt' }))
    expect(limited(await team('PUT', 'more/key/c', key))).toEqual(at(2, 'keys'))
    // What is there can be used and changed; the neighbour has room of its own.
    await good(team('PUT', 'keymgmt/key/a', { deletion_allowed: true }))
    await good(team('PUT', 'keymgmt/key/a/rotate'))
    await good(other('PUT', 'keymgmt/key/a', key))
    await good(team('DELETE', 'keymgmt/key/b'))
    await good(team('PUT', 'keymgmt/key/c', key))
    await good(team('DELETE', 'sys/mounts/keymgmt'))
    await good(team('PUT', 'more/key/c', key))
    await good(team('PUT', 'more/key/d', key))
    expect(limited(await team('PUT', 'more/key/e', key))).toEqual(at(2, 'keys'))
  })

  it('versions', async () => {
    const { team, other } = await tenants({ versions: 3 })
    await good(team('PUT', 'keymgmt/key/a', key))
    await good(team('PUT', 'keymgmt/key/a/rotate'))
    await good(team('PUT', 'keymgmt/key/b', key))
    expect(limited(await team('PUT', 'keymgmt/key/a/rotate'))).toEqual(at(3, 'versions of keys'))
    expect(limited(await team('PUT', 'keymgmt/key/c', key))).toEqual(at(3, 'versions of keys'))
    expect(dataOf(await team('GET', 'keymgmt/key/a'))).toMatchObject({ latest_version: 2 })
    expect((await team('GET', 'keymgmt/key/c')).status).toBe(404)
    await good(other('PUT', 'keymgmt/key/a', key))
  })

  it('KMSs', async () => {
    const { team, other } = await tenants({ kms: 1 })
    const kms = { provider: 'memory', key_collection: 'vault', credentials: { a: 'b' } }
    await good(team('PUT', 'keymgmt/kms/a', kms))
    expect(limited(await team('PUT', 'keymgmt/kms/b', kms))).toEqual(at(1, 'KMSs'))
    await good(team('PUT', 'keymgmt/kms/a', { credentials: { a: 'c' } }))
    await good(other('PUT', 'keymgmt/kms/a', kms))
    await good(team('DELETE', 'keymgmt/kms/a'))
    await good(team('PUT', 'keymgmt/kms/b', kms))
  })

  it('tokens, whatever way they are made, and wrapped answers among them', async () => {
    const { team, other } = await tenants({ tokens: 3 })
    const body = { policies: 'default', ttl: 60 }
    const made = await good(team('POST', 'auth/token/create', body))
    await good(team('POST', 'auth/token/create', body))
    await good(team('POST', 'sys/wrapping/wrap', { x: 1 }, { 'x-vault-wrap-ttl': '60' }))
    expect(limited(await team('POST', 'auth/token/create', body))).toEqual(at(3, 'tokens'))
    expect(limited(await team('POST', 'sys/wrapping/wrap', { x: 1 }, { 'x-vault-wrap-ttl': '60' }))).toEqual(
      at(3, 'tokens'),
    )
    await good(team('PUT', 'sys/auth/approle', { type: 'approle' }))
    await good(team('PUT', 'auth/approle/role/r', { token_policies: 'default', bind_secret_id: true }))
    const { role_id } = dataOf(await good(team('GET', 'auth/approle/role/r/role-id')))
    const { secret_id } = dataOf(await good(team('PUT', 'auth/approle/role/r/secret-id')))
    expect(limited(await team('POST', 'auth/approle/login', { role_id, secret_id }))).toEqual(at(3, 'tokens'))
    const oauth = await vault.app.request('http://gateway/oauth/token', {
      method: 'POST',
      headers: { 'x-vault-namespace': 't' },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: `${role_id}`,
        client_secret: `${secret_id}`,
      }),
    })
    expect([oauth.status, oauth.headers.get('retry-after')]).toEqual([429, '5'])
    await good(other('POST', 'auth/token/create', body))
    // Batch tokens are kept nowhere.
    await good(team('POST', 'auth/token/create', { ...body, type: 'batch' }))
    const { accessor } = (made.json as unknown as { auth: { accessor: string } }).auth
    await good(team('POST', 'auth/token/revoke-accessor', { accessor }))
    await good(team('POST', 'auth/token/create', body))
    // What is over makes room once it is swept away.
    clock.time += 61_000
    await vault.store.tokens.expire(clock.time, 100)
    for (let count = 0; count < 2; count++) await good(team('POST', 'auth/token/create', body))
    expect(limited(await team('POST', 'auth/token/create', body))).toEqual(at(3, 'tokens'))
  })

  it('operations under way, but never what takes something away', async () => {
    const { team, other } = await tenants({ operations: 1 })
    const kms = { provider: 'memory', key_collection: 'vault', credentials: { a: 'b' } }
    for (const send of [team, other]) {
      await good(send('PUT', 'keymgmt/kms/v', kms))
      for (const name of ['a', 'b']) await good(send('PUT', `keymgmt/key/${name}`, key))
    }
    const wanted = { purpose: 'sign', protection: 'hsm' }
    await good(team('PUT', 'keymgmt/kms/v/key/a', wanted))
    // Done: there is room again.
    expect(await vault.store.usage.of((await vault.core.namespace('t'))?.id ?? '')).toMatchObject({ operations: 0 })
    const { promise, resolve } = Promise.withResolvers<void>()
    const act = cloud.act.bind(cloud)
    cloud.act = async (...call) => {
      await promise
      return (await act(...(call as Parameters<typeof act>))) as never
    }
    const slow = team('PUT', 'keymgmt/kms/v/key/b', wanted)
    const id = (await vault.core.namespace('t'))?.id ?? ''
    await expect.poll(async () => (await vault.store.usage.of(id)).operations).toBe(1)
    expect(limited(await team('PUT', 'keymgmt/key/a/rotate'))).toEqual(at(1, 'operations under way'))
    expect(dataOf(await team('GET', 'keymgmt/key/a'))).toMatchObject({ latest_version: 1 })
    const removal = team('DELETE', 'keymgmt/kms/v/key/a')
    const neighbour = other('PUT', 'keymgmt/kms/v/key/a', wanted)
    resolve()
    for (const reply of await Promise.all([slow, removal, neighbour])) expect(reply.status).toBeLessThan(300)
    expect((await vault.store.usage.of(id)).operations).toBe(0)
    expect((await team('PUT', 'keymgmt/key/b/rotate')).status).toBe(204)
  })

  it('namespaces below one of the first level, so that it does not get more by dividing itself', async () => {
    const { team, other } = await tenants({ namespaces: 2 })
    await good(team('PUT', 'sys/namespaces/a'))
    await good(team('PUT', 'sys/namespaces/a/b'))
    for (const path of ['c', 'a/c', 'a/b/c']) {
      expect(limited(await team('PUT', `sys/namespaces/${path}`))).toEqual(at(2, 'namespaces below it'))
    }
    await good(other('PUT', 'sys/namespaces/a'))
    await good(as(vault, vault.rootToken)('PUT', 'sys/namespaces/third'))
    await good(team('DELETE', 'sys/namespaces/a/b'))
    await good(team('PUT', 'sys/namespaces/c'))
  })

  it('hold for many at once, and count what there is', async () => {
    const { team } = await tenants({ keys: 5, tokens: 7 })
    const keys = await Promise.all(Array.from({ length: 20 }, (_, index) => team('PUT', `keymgmt/key/k${index}`, key)))
    expect(keys.filter(({ status }) => status === 204)).toHaveLength(5)
    expect(keys.filter(({ status }) => status === 429)).toHaveLength(15)
    const tokens = await Promise.all(
      Array.from({ length: 20 }, () => team('POST', 'auth/token/create', { policies: 'default' })),
    )
    expect(tokens.filter(({ status }) => status === 200)).toHaveLength(7)
    const id = (await vault.core.namespace('t'))?.id ?? ''
    expect(await vault.store.usage.of(id)).toEqual({ keys: 5, versions: 5, tokens: 7 })
    await good(as(vault, vault.rootToken)('DELETE', 'sys/namespaces/t'))
    expect(await vault.store.usage.of(id)).toEqual({})
  })
})
