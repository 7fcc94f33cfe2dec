import { afterEach, describe, expect, it } from 'vitest'
import type { NamespaceLimits } from '../../src/core/access/limits.ts'
import { createApp } from '../../src/http/app.ts'
import { testCore } from '../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../support/memory-provider.ts'
import type { Gateway, Reply } from './gateway.ts'
import { admin, as, dataOf, good, makeNamespace, type Send, tokenWith } from './tenants.ts'

let time: number
let vault: Gateway
let cloud: MemoryCloud
afterEach(() => vault.close())

async function start(limits: NamespaceLimits = {}): Promise<Send> {
  time = 1_800_000_000_000
  cloud = new MemoryCloud()
  const core = await testCore({
    providers: [memoryProvider(new Map([['vault', cloud]]))],
    context: { now: () => time },
    limits,
  })
  const app = createApp(core.core)
  const send: Gateway['send'] = async (method, path, body, headers = {}) => {
    const { from = '192.0.2.1', ...others } = headers
    const response = await app.request(
      `http://gateway/v1/${path}`,
      {
        method,
        headers: { 'x-vault-token': core.rootToken, ...others },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      { remoteAddress: from },
    )
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
  vault = { ...core, app, cloud, logged: [], send } as unknown as Gateway
  return as(vault, core.rootToken)
}

const limited = (reply: Reply) => [
  reply.status,
  reply.headers.get('retry-after'),
  ...(JSON.parse(reply.text || '{}').errors ?? []),
]

describe('rate limits', () => {
  const over = (after: string) => [429, after, 'rate limit quota exceeded: wait and try again']

  it('are by address and time, and say when to come again', async () => {
    const root = await start()
    await good(root('PUT', 'sys/namespaces/t'))
    const team = as(vault, vault.rootToken, 't')
    await good(root('PUT', 'sys/quotas/rate-limit/few', { path: 't/', rate: 3, interval: '10s' }))
    const ask = (from: string) => team('GET', 'sys/mounts', undefined, { from })
    for (let time = 0; time < 3; time++) expect((await ask('192.0.2.1')).status).toBe(200)
    expect(limited(await ask('192.0.2.1'))).toEqual(over('4'))
    expect((await ask('192.0.2.2')).status).toBe(200)
    expect((await root('GET', 'sys/mounts')).status).toBe(200)
    // A header says nothing of where a request comes from.
    expect((await team('GET', 'sys/mounts', undefined, { 'x-forwarded-for': '192.0.2.9' })).status).toBe(429)
    time += 3_400
    expect((await ask('192.0.2.1')).status).toBe(200)
    expect((await ask('192.0.2.1')).status).toBe(429)
  })

  it('are not got round by other addresses of the same IPv6 network', async () => {
    const root = await start()
    await good(root('PUT', 'sys/namespaces/t'))
    const team = as(vault, vault.rootToken, 't')
    await good(root('PUT', 'sys/quotas/rate-limit/few', { path: 't/', rate: 3, interval: '10s' }))
    const statuses = []
    for (const from of [
      '2001:db8::1',
      '2001:db8::2',
      '2001:db8:0:0:3::',
      '2001:db8::4',
      '2001:db8:0:1::1',
      '::ffff:192.0.2.1',
    ])
      statuses.push((await team('GET', 'sys/mounts', undefined, { from })).status)
    expect(statuses).toEqual([200, 200, 200, 429, 200, 200])
  })

  it('of the root hold for wrong tokens and for paths that lead nowhere, and count each request once', async () => {
    const root = await start()
    await good(root('PUT', 'sys/namespaces/t'))
    await good(root('PUT', 'sys/quotas/rate-limit/all', { rate: 3, interval: '10s' }))
    const ways: [Send, string, number][] = [
      [as(vault, 'hvs.wrong'), 'sys/mounts', 403],
      [as(vault, 'hvs.wrong', 'nowhere'), 'sys/mounts', 403],
      [as(vault, ''), 't/sys/mounts', 403],
      [root, 'nowhere/x', 404],
      [as(vault, vault.rootToken, 'nowhere'), 'sys/mounts', 404],
      [root, 'sys/mounts', 200],
      [as(vault, vault.rootToken, 't'), 'sys/mounts', 200],
    ]
    for (const [index, [send, path, status]] of ways.entries()) {
      const from = `192.0.2.${index + 10}`
      for (let time = 0; time < 3; time++)
        expect([path, (await send('GET', path, undefined, { from })).status]).toEqual([path, status])
      expect([path, ...limited(await send('GET', path, undefined, { from }))]).toEqual([path, ...over('4')])
    }
    // Nor does a limit tell an OAuth client whether there is a namespace.
    for (const [index, namespace] of ['', 't', 'nowhere'].entries()) {
      const statuses = []
      for (let time = 0; time < 5; time++) {
        const { status } = await vault.app.request(
          'http://gateway/oauth/token',
          {
            method: 'POST',
            headers: { 'x-vault-namespace': namespace, 'content-type': 'application/x-www-form-urlencoded' },
            body: 'grant_type=client_credentials&client_id=a&client_secret=b',
          },
          { remoteAddress: `192.0.2.${index + 50}` },
        )
        statuses.push(status)
      }
      expect([namespace, ...statuses]).toEqual([namespace, 401, 401, 401, 429, 429])
    }
  })

  it('of less than one in an interval let one through', async () => {
    const root = await start()
    await good(root('PUT', 'sys/quotas/rate-limit/rare', { path: 'keymgmt/', rate: 0.5 }))
    expect((await root('LIST', 'keymgmt/key')).status).toBe(404)
    expect(limited(await root('LIST', 'keymgmt/key'))).toEqual(over('2'))
    time += 2_000
    expect((await root('LIST', 'keymgmt/key')).status).toBe(404)
  })

  it('the most specific counts in a namespace, and those above count besides: no tenant undoes what it was given', async () => {
    const root = await start()
    for (const path of ['t', 't/below', 'u']) await good(root('PUT', `sys/namespaces/${path}`))
    const admins = as(vault, await tokenWith(vault, 't', admin), 't')
    await good(root('PUT', 'sys/quotas/rate-limit/all', { rate: 1000 }))
    await good(root('PUT', 'sys/quotas/rate-limit/t', { path: 't/', rate: 2, interval: 60 }))
    await good(admins('PUT', 'sys/quotas/rate-limit/mine', { rate: 1e9 }))
    time += 60_000
    const statuses = []
    for (const namespace of ['t', 't/below', 't'])
      statuses.push((await as(vault, vault.rootToken, namespace)('GET', 'sys/mounts')).status)
    expect(statuses).toEqual([200, 200, 429])
    expect((await admins('DELETE', 'sys/quotas/rate-limit/t')).status).toBe(429)
    // Its neighbours notice nothing.
    for (let time = 0; time < 20; time++)
      expect((await as(vault, vault.rootToken, 'u')('GET', 'sys/mounts')).status).toBe(200)
  })

  it('shut out for a while whoever went over, where that is set', async () => {
    const root = await start()
    await good(root('PUT', 'sys/quotas/rate-limit/q', { path: 'keymgmt/', rate: 1, block_interval: 30 }))
    expect((await root('LIST', 'keymgmt/key')).status).toBe(404)
    expect(limited(await root('LIST', 'keymgmt/key'))).toEqual(over('30'))
    time += 29_000
    expect(limited(await root('LIST', 'keymgmt/key'))).toEqual(over('1'))
    time += 1_000
    expect((await root('LIST', 'keymgmt/key')).status).toBe(404)
  })

  it('are read, listed and deleted, and refuse what is none', async () => {
    const root = await start()
    for (const [body, message] of [
      [{}, 'missing rate'],
      [{ rate: 0 }, 'rate: allowed are numbers above 0'],
      [{ rate: 'x' }, 'rate: allowed are numbers above 0'],
      [{ rate: -1 }, 'rate: allowed are numbers above 0'],
      [{ rate: 1, path: '../x' }, 'path: allowed is a mount path such as keymgmt/, or nothing for the whole namespace'],
      [{ rate: 1, interval: 0 }, 'interval: allowed is 1 second or more'],
    ] as const) {
      const reply = await root('PUT', 'sys/quotas/rate-limit/q', body)
      expect([body, ...limited(reply)]).toEqual([body, 400, null, message])
    }
    await good(root('PUT', 'sys/quotas/rate-limit/q', { rate: 5, path: 'keymgmt/' }))
    expect(dataOf(await root('GET', 'sys/quotas/rate-limit/q'))).toMatchObject({
      rate: 5,
      path: 'keymgmt/',
      interval: 1,
      type: 'rate-limit',
    })
    expect(dataOf(await root('LIST', 'sys/quotas/rate-limit'))).toEqual({ keys: ['q'] })
    await good(root('DELETE', 'sys/quotas/rate-limit/q'))
    expect((await root('GET', 'sys/quotas/rate-limit/q')).status).toBe(404)
  })
})

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
    time += 61_000
    await vault.store.tokens.expire(time, 100)
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
