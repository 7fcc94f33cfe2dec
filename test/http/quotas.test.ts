import { describe, expect, it } from 'vitest'
import { clock, closesAfterEach, limited, start, vault } from './limited-gateway.ts'
import { admin, as, dataOf, good, type Send, tokenWith } from './tenants.ts'

closesAfterEach()

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
    clock.time += 3_400
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
    clock.time += 2_000
    expect((await root('LIST', 'keymgmt/key')).status).toBe(404)
  })

  it('the most specific counts in a namespace, and those above count besides: no tenant undoes what it was given', async () => {
    const root = await start()
    for (const path of ['t', 't/below', 'u']) await good(root('PUT', `sys/namespaces/${path}`))
    const admins = as(vault, await tokenWith(vault, 't', admin), 't')
    await good(root('PUT', 'sys/quotas/rate-limit/all', { rate: 1000 }))
    await good(root('PUT', 'sys/quotas/rate-limit/t', { path: 't/', rate: 2, interval: 60 }))
    await good(admins('PUT', 'sys/quotas/rate-limit/mine', { rate: 1e9 }))
    clock.time += 60_000
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
    clock.time += 29_000
    expect(limited(await root('LIST', 'keymgmt/key'))).toEqual(over('1'))
    clock.time += 1_000
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
