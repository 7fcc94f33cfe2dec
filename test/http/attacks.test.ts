import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, gateway, outcome } from './gateway.ts'
import { admin, as, good, makeNamespace, type Send, tokenWith } from './tenants.ts'

let vault: Gateway
/** The admin of the namespace `a`. */
let alice: Send
let aliceToken: string
beforeAll(async () => {
  vault = await gateway()
  await makeNamespace(vault, 'a')
  await makeNamespace(vault, 'a/sub')
  await makeNamespace(vault, 'b')
  aliceToken = await tokenWith(vault, 'a', admin)
  alice = as(vault, aliceToken, 'a')
})
afterAll(() => vault.close())

const denied = '1 error occurred:\n\t* permission denied\n\n'
const auth = (reply: Awaited<ReturnType<Send>>) => reply.json.auth as unknown as Record<string, unknown>

describe('another tenant’s namespace', () => {
  const requests: [string, string, unknown, Record<string, string>][] = [
    ['GET', 'keymgmt/key/k', undefined, {}],
    ['GET', 'keymgmt/key/k?help=1', undefined, {}],
    ['GET', 'keymgmt?help=1', undefined, {}],
    ['GET', 'sys/mounts?help=1', undefined, {}],
    ['GET', 'sys/mounts?help=x', undefined, {}],
    ['GET', 'keymgmt/key?list=x', undefined, {}],
    ['PUT', 'keymgmt/key/k', '{', {}],
    ['PUT', 'keymgmt/key/k', '[]', {}],
    ['PUT', 'keymgmt/key/k', {}, { 'x-vault-wrap-ttl': 'x' }],
    ['PATCH', 'sys/namespaces/x', {}, {}],
    ['HEAD', 'keymgmt/key/k', undefined, {}],
    ['LIST', 'keymgmt/key', undefined, {}],
    ['DELETE', 'sys/mounts/keymgmt', undefined, {}],
    ['GET', 'auth/token/lookup-self', undefined, {}],
    ['GET', 'auth/none/config', undefined, {}],
    ['POST', 'sys/wrapping/unwrap', { token: 'x' }, {}],
    ['POST', 'sys/capabilities-self', { paths: ['x'] }, {}],
  ]

  it.each(requests)('answers %s %s like one that does not exist', async (method, path, body, headers) => {
    const seen = []
    for (const namespace of ['b', 'nowhere', '', 'root', 'b/', '/b', 'B', './b', 'b/sub', 'ab', 'A', '..', 'b/../a']) {
      seen.push(await as(vault, aliceToken, namespace)(method, path, body, headers))
    }
    for (const prefix of ['b', 'nowhere', 'b/sub', 'ab', 'root/b', 'b/b']) {
      seen.push(await as(vault, aliceToken)(method, `${prefix}/${path}`, body, headers))
    }
    for (const reply of seen) {
      expect([reply.status, reply.text]).toEqual([403, method === 'HEAD' ? '' : JSON.stringify({ errors: [denied] })])
    }
    // What is her own by its beginning leads nowhere else.
    for (const namespace of ['a/../b', 'a//b', 'a/./../b', 'a/sub/../../b', 'a/b']) {
      const reply = await as(vault, aliceToken, namespace)(method, path, body, headers)
      expect([400, 403, 404, 405]).toContain(reply.status)
      expect(reply.text).not.toContain('"data"')
    }
  })

  it('is not told apart by its rate limits', async () => {
    const root = as(vault, vault.rootToken, 'b')
    await good(root('PUT', 'sys/quotas/rate-limit/all', { rate: 1, interval: 3600 }))
    for (let time = 0; time < 3; time++) {
      expect(outcome(await as(vault, aliceToken, 'b')('GET', 'keymgmt/key/k'))).toEqual([403, denied])
    }
    // Nor has the neighbour spent anything of it.
    expect((await root('LIST', 'keymgmt/key')).status).toBe(404)
    await vault.core.quotas.remove({ id: (await vault.core.namespace('b'))?.id } as never, 'all')
  })
})

describe('names of policies mean something in their own namespace only', () => {
  it('a token of a parent namespace cannot hand its names down without sudo', async () => {
    const root = as(vault, vault.rootToken)
    await good(as(vault, vault.rootToken, 'a')('PUT', 'sys/policies/acl/maker', { policy: admin }))
    await good(
      root('PUT', 'sys/policies/acl/maker', {
        policy: 'path "a/auth/token/create" { capabilities = ["update"] }',
      }),
    )
    const made = await good(root('POST', 'auth/token/create', { policies: 'maker' }))
    const maker = as(vault, String(auth(made).client_token), 'a')
    for (const body of [{}, { policies: 'maker' }, { policies: 'default' }, { policies: 'root' }]) {
      expect(outcome(await maker('POST', 'auth/token/create', body))).toEqual([
        400,
        'root or sudo privileges required to directly generate a token in a child namespace',
      ])
    }
  })

  it('with sudo it gets what is asked for, and nothing of its maker', async () => {
    const root = as(vault, vault.rootToken)
    await good(
      root('PUT', 'sys/policies/acl/maker', {
        policy: 'path "a/auth/token/create" { capabilities = ["update", "sudo"] }',
      }),
    )
    const maker = as(
      vault,
      String(auth(await good(root('POST', 'auth/token/create', { policies: 'maker' }))).client_token),
      'a',
    )
    expect(auth(await maker('POST', 'auth/token/create', {})).policies).toEqual(['default'])
    expect(auth(await maker('POST', 'auth/token/create', { policies: 'x' })).policies).toEqual(['default', 'x'])
    expect(outcome(await maker('POST', 'auth/token/create', { policies: 'root' }))).toEqual([
      400,
      'root tokens may not be created from a parent namespace',
    ])
    expect(auth(await as(vault, vault.rootToken, 'a')('POST', 'auth/token/create', {})).policies).toEqual(['default'])
  })
})

describe('names of policies', () => {
  it('that nobody has are refused', async () => {
    for (const policies of [['a b'], ['x*'], ['+'], ['../x'], ['k\u212a'], ['\u017fudo'], ['a'.repeat(129)]]) {
      const [status, message] = outcome(await alice('POST', 'auth/token/create', { policies }))
      expect([status, message]).toEqual([400, expect.stringMatching(/^policies: invalid policy name /)])
    }
    expect(outcome(await alice('POST', 'auth/token/create', { policies: 'response-wrapping' }))).toEqual([
      400,
      'cannot assign policy "response-wrapping"',
    ])
  })
})

describe('a token that could never be sent', () => {
  it('is not made', async () => {
    const many = Array.from({ length: 200 }, (_, index) => `${'p'.repeat(60)}${index}`)
    for (const body of [{ policies: many }, { type: 'batch', meta: { x: 'y'.repeat(8000) } }]) {
      const accessors = (await alice('LIST', 'auth/token/accessors')).text.length
      expect(outcome(await alice('POST', 'auth/token/create', body))).toEqual([
        400,
        'the token would be longer than 8192 characters: ask for fewer policies or less metadata',
      ])
      expect((await alice('LIST', 'auth/token/accessors')).text.length).toBe(accessors)
    }
  })
})

describe('bound addresses', () => {
  const from = async (token: string, remoteAddress: string | undefined, headers: Record<string, string> = {}) => {
    const response = await vault.app.request(
      'http://gateway/v1/auth/token/lookup-self',
      { headers: { 'x-vault-token': token, ...headers } },
      { remoteAddress },
    )
    return response.status
  }

  it('go down to children, and are narrowed only', async () => {
    const bound = await good(
      as(vault, vault.rootToken, 'a')('POST', 'auth/token/create', { policies: 'maker', bound_cidrs: '10.0.0.0/8' }),
    )
    const make = async (body: object) => {
      const response = await vault.app.request(
        'http://gateway/v1/auth/token/create',
        {
          method: 'POST',
          headers: { 'x-vault-token': String(auth(bound).client_token), 'x-vault-namespace': 'a' },
          body: JSON.stringify(body),
        },
        { remoteAddress: '10.1.1.1' },
      )
      return (await response.json()) as { auth: { client_token: string }; errors: string[] }
    }
    const child = (await make({})).auth.client_token
    const narrow = (await make({ bound_cidrs: '10.1.0.0/16' })).auth.client_token
    expect((await make({ bound_cidrs: '0.0.0.0/0' })).errors).toEqual([
      'bound_cidrs: "0.0.0.0/0" is not within the addresses that the parent token is bound to',
    ])
    const look = async (token: string, address: string) =>
      (
        await vault.app.request(
          'http://gateway/v1/auth/token/lookup-self',
          { headers: { 'x-vault-token': token, 'x-vault-namespace': 'a' } },
          { remoteAddress: address },
        )
      ).status
    expect([await look(child, '10.2.2.2'), await look(child, '11.1.1.1')]).toEqual([200, 403])
    expect([await look(narrow, '10.1.9.9'), await look(narrow, '10.2.2.2')]).toEqual([200, 403])
  })

  it('are those of the connection, whatever headers say', async () => {
    const made = await good(
      as(vault, vault.rootToken)('POST', 'auth/token/create', {
        policies: 'default',
        bound_cidrs: ['10.0.0.0/8', 'fd00::/8'],
      }),
    )
    const token = String(auth(made).client_token)
    expect(await from(token, '10.1.2.3')).toBe(200)
    expect(await from(token, '::ffff:10.1.2.3')).toBe(200)
    expect(await from(token, 'fd00::1')).toBe(200)
    for (const address of [undefined, '', '11.0.0.1', 'fe80::1', 'fe80::1%eth0', '::1', '::ffff:11.0.0.1', 'unknown']) {
      for (const headers of [
        {},
        { 'x-forwarded-for': '10.1.2.3' },
        { forwarded: 'for=10.1.2.3', 'x-real-ip': '10.1.2.3' },
      ]) {
        expect(await from(token, address, headers as Record<string, string>)).toBe(403)
      }
    }
  })

  it('that are none are refused when they are set, not when they are used', async () => {
    for (const cidr of [
      'fe80::1%eth0',
      'fe80::%eth0/10',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0/8',
      '::/129',
      'x',
      '10.0.0.0/8/8',
      '/8',
    ]) {
      expect((await alice('POST', 'auth/token/create', { bound_cidrs: [cidr] })).status).toBe(400)
      expect((await alice('POST', 'auth/token/roles/r', { token_bound_cidrs: [cidr] })).status).toBe(400)
    }
  })
})

describe('wrapping', () => {
  it('is refused before anything is done, where it is not possible', async () => {
    for (const ttl of ['9999999999', '33d', '-1', 'x']) {
      const headers = { 'x-vault-wrap-ttl': ttl }
      expect((await alice('PUT', 'keymgmt/key/never', { type: 'ecdsa-p256' }, headers)).status).toBe(400)
      expect((await alice('GET', 'keymgmt/key/never')).status).toBe(404)
    }
  })

  it('a wrapping token is good for nothing else, in any namespace', async () => {
    const wrapped = await good(alice('POST', 'sys/wrapping/wrap', { secret: 'x' }, { 'x-vault-wrap-ttl': '60' }))
    const { token, accessor } = wrapped.json.wrap_info as unknown as { token: string; accessor: string }
    for (const namespace of ['a', 'b', '']) {
      const holder = as(vault, token, namespace)
      for (const [method, path] of [
        ['GET', 'auth/token/lookup-self'],
        ['POST', 'auth/token/renew-self'],
        ['POST', 'auth/token/revoke-self'],
        ['POST', 'auth/token/create'],
        ['POST', 'sys/wrapping/wrap'],
        ['POST', 'sys/capabilities-self'],
        ['LIST', 'keymgmt/key'],
        ['PUT', 'keymgmt/key/sys/wrapping/unwrap'],
        ['PUT', 'nowhere/sys/wrapping/unwrap'],
      ] as const) {
        expect(outcome(await holder(method, path))).toEqual([403, 'permission denied'])
      }
    }
    for (const [path, body] of [
      ['auth/token/lookup', { token }],
      ['auth/token/renew', { token }],
      ['auth/token/revoke', { token }],
      ['auth/token/lookup-accessor', { accessor }],
      ['auth/token/revoke-accessor', { accessor }],
      ['sys/capabilities', { token, paths: 'x' }],
    ] as const) {
      expect(outcome(await alice('POST', path, body))).toEqual([403, denied])
    }
    const unwrapped = await as(vault, token, 'a')('POST', 'sys/wrapping/unwrap')
    expect(unwrapped.json.data).toEqual({ secret: 'x' })
    expect((await as(vault, token, 'a')('POST', 'sys/wrapping/unwrap')).status).toBe(400)
  })

  it('is opened once by whoever comes first, of many at once', async () => {
    const wrapped = await good(alice('POST', 'sys/wrapping/wrap', { secret: 'x' }, { 'x-vault-wrap-ttl': '60' }))
    const { token } = wrapped.json.wrap_info as unknown as { token: string }
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        index % 2
          ? as(vault, token, 'a')('POST', 'sys/wrapping/unwrap')
          : alice('POST', 'sys/wrapping/unwrap', { token }),
      ),
    )
    expect(all.filter((one) => one.status === 200)).toHaveLength(1)
    expect(all.filter((one) => one.status === 400)).toHaveLength(19)
  })
})

describe('capabilities', () => {
  it('of odd paths are told like of others', async () => {
    for (const path of ['__proto__', 'constructor', 'toString', '../x', 'a//b', '%2e%2e', '/']) {
      const reply = await good(alice('POST', 'sys/capabilities-self', { paths: [path, 'x'] }))
      expect(Object.keys(Object(reply.json.data))).toContain(path)
    }
  })

  it('are those in the caller’s namespace, and nothing outside of it', async () => {
    const reply = await good(alice('POST', 'sys/capabilities-self', { paths: ['keymgmt/key/k', 'sub/keymgmt/key/k'] }))
    expect(reply.json.data).toMatchObject({ 'keymgmt/key/k': expect.arrayContaining(['sudo']) })
    const other = await alice('POST', 'sys/capabilities', { token: vault.rootToken, paths: ['x'] })
    expect(outcome(other)).toEqual([403, denied])
  })
})
