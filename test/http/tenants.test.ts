import { createHmac, createPublicKey } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Gateway, gateway, outcome } from './gateway.ts'
import { admin, as, dataOf, good, makeNamespace, type Send, tokenWith } from './tenants.ts'

let vault: Gateway
let root: Send
let lines: string[] = []
let broken = false
beforeAll(async () => {
  const sink = {
    name: 'test',
    write: async (more: readonly string[]) => {
      if (broken) throw new Error('no space left on device')
      lines.push(...more)
    },
    reopen: async () => {},
    close: async () => {},
  }
  vault = await gateway({}, { audit: { sinks: [sink] } })
  root = as(vault, vault.rootToken)
  await makeNamespace(vault, 't')
})
beforeEach(() => {
  lines = []
})
afterAll(() => vault.close())

async function oauth(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await vault.app.request(`http://gateway/${path}`, {
    method: 'POST',
    headers,
    body: new URLSearchParams(form),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

describe('what is asked of OAuth’s paths', () => {
  const entries = () => lines.map((line) => JSON.parse(line))
  let client: { client_id: string; client_secret: string }
  const inside = { 'x-vault-namespace': 't' }
  beforeAll(async () => {
    const team = as(vault, vault.rootToken, 't')
    await good(team('PUT', 'sys/auth/approle', { type: 'approle' }))
    await good(team('PUT', 'auth/approle/role/r', { token_policies: 'default' }))
    client = {
      client_id: String(dataOf(await good(team('GET', 'auth/approle/role/r/role-id'))).role_id),
      client_secret: String(dataOf(await good(team('PUT', 'auth/approle/role/r/secret-id'))).secret_id),
    }
  })

  it('is recorded like everything, before and after, and with no secret in it', async () => {
    const got = await oauth('oauth/token', { grant_type: 'client_credentials', ...client }, inside)
    expect(got.status).toBe(200)
    expect(entries()).toMatchObject([
      {
        type: 'request',
        request: {
          path: 'oauth/token',
          operation: 'update',
          mount_point: 'oauth/',
          namespace: { path: 't/' },
          data: {
            client_id: expect.stringMatching(/^hmac-sha256:/),
            client_secret: expect.stringMatching(/^hmac-sha256:/),
          },
        },
      },
      { type: 'response', response: { status: 200, data: { access_token: expect.stringMatching(/^hmac-sha256:/) } } },
    ])
    const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')
    const token = String(got.body.access_token)
    const asClient = { ...inside, authorization: `Basic ${basic}` }
    expect((await oauth('oauth/introspect', { token }, asClient)).body).toMatchObject({ active: true })
    expect((await oauth('oauth/revoke', { token }, asClient)).status).toBe(200)
    expect(entries().map((entry) => [entry.type, entry.request.path])).toEqual(
      ['token', 'introspect', 'revoke'].flatMap((path) => [
        ['request', `oauth/${path}`],
        ['response', `oauth/${path}`],
      ]),
    )
    const id = (await vault.core.namespace('t'))?.id ?? ''
    expect(entries().at(-2).request.data.client_id).toBe(vault.core.audit.hash(id, client.client_id))
    for (const secret of [token, client.client_secret, basic]) expect(lines.join('\n')).not.toContain(secret)
  })

  it('and refused is recorded with why', async () => {
    for (const [path, form, error] of [
      [
        'oauth/token',
        { grant_type: 'client_credentials', ...client, client_secret: 'wrong' },
        'invalid_client: client authentication failed',
      ],
      ['oauth/token', { grant_type: 'password' }, /^unsupported_grant_type: /],
      ['oauth/introspect', { token: 'x' }, 'invalid_client: client authentication failed'],
      ['oauth/revoke', {}, 'invalid_request: missing token'],
    ] as const) {
      lines = []
      expect((await oauth(path, form, inside)).status).toBeGreaterThanOrEqual(400)
      expect(entries().map(({ type }) => type)).toEqual(['request', 'response'])
      expect(entries()[1].error).toEqual(typeof error === 'string' ? error : expect.stringMatching(error))
    }
  })

  it('has no effect when it cannot be recorded', async () => {
    const before = (await vault.core.tokens.accessors((await vault.core.namespace('t'))?.id ?? '')).length
    broken = true
    try {
      const got = await oauth('oauth/token', { grant_type: 'client_credentials', ...client }, inside)
      expect(got).toEqual({
        status: 503,
        body: { error: 'temporarily_unavailable', error_description: expect.any(String) },
      })
    } finally {
      broken = false
    }
    expect(await vault.core.tokens.accessors((await vault.core.namespace('t'))?.id ?? '')).toHaveLength(before)
  })
})

describe('a forged token', () => {
  it('is refused at every way in, in the same words', async () => {
    const { keys } = (await (await vault.app.request('http://gateway/oauth/jwks')).json()) as {
      keys: Record<string, string>[]
    }
    const pem = createPublicKey({ key: keys[0] as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    const [head = '', body = '', signature = ''] = vault.rootToken.split('.')
    const header = JSON.parse(Buffer.from(head, 'base64url').toString())
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
    const encode = (part: object | string) =>
      Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
    const hmac = (input: string) => createHmac('sha256', pem).update(input).digest('base64url')
    const input = (h: object, c: object | string = claims) => `${encode({ ...header, ...h })}.${encode(c)}`
    const text = JSON.stringify(claims)
    const forged = [
      `${input({ alg: 'none' })}.`,
      `${input({ alg: 'None' })}.${signature}`,
      `${input({ alg: 'HS256' })}.${hmac(input({ alg: 'HS256' }))}`,
      `${input({})}.${hmac(input({}))}`,
      `${input({ kid: '../../../dev/null' })}.${signature}`,
      `${input({ kid: "' OR 1=1 --" })}.${signature}`,
      `${input({ jwk: keys[0] })}.${signature}`,
      `${input({ typ: 'JWT' })}.${signature}`,
      `${input({}, { ...claims, aud: [claims.aud, 'x'] })}.${signature}`,
      `${input({}, { ...claims, ns: 'other' })}.${signature}`,
      `${input({}, text.replace('{', '{"exp":1,'))}.${signature}`,
      `${input({}, text.replace(/}$/, ',"policies":["root"]}'))}.${signature}`,
      `${head}.${body}.${signature}.${signature}`,
      `${head}.${body}`,
      `${vault.rootToken}${'A'.repeat(9000)}`,
      'a'.repeat(100_000),
    ]
    for (const token of forged) {
      for (const headers of [{ 'x-vault-token': token }, { 'x-vault-token': '', authorization: `Bearer ${token}` }]) {
        for (const namespace of [{}, { 'x-vault-namespace': 't' }]) {
          const reply = await vault.send('GET', 'auth/token/lookup-self', undefined, { ...headers, ...namespace })
          expect([reply.status, reply.text]).toEqual([403, '{"errors":["permission denied"]}'])
        }
      }
      expect((await oauth('oauth/introspect', { token }, { 'x-vault-token': vault.rootToken })).body).toEqual({
        active: false,
      })
      expect((await oauth('oauth/introspect', { token: 'x' }, { authorization: `Bearer ${token}` })).status).toBe(401)
      for (const path of ['auth/token/lookup', 'auth/token/revoke', 'auth/token/renew']) {
        expect(outcome(await root('POST', path, { token }))[0]).toBe(403)
      }
      expect((await root('POST', 'sys/wrapping/unwrap', { token })).status).toBe(400)
    }
  })
})

describe('a tenant’s policies', () => {
  it('are its own to write, and give nothing outside of its namespace', async () => {
    await makeNamespace(vault, 'u')
    const alice = as(vault, await tokenWith(vault, 't', admin), 't')
    const everything = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "patch", "sudo"] }'
    for (const text of [
      everything,
      'path "../u/*" { capabilities = ["read"] }',
      'path "u/*" { capabilities = ["read"] }\npath "/u/*" { capabilities = ["read"] }',
    ]) {
      const reply = await alice('PUT', 'sys/policies/acl/mine', { policy: text })
      expect(reply.status).toBeOneOf([204, 400])
    }
    await good(alice('PUT', 'sys/policies/acl/mine', { policy: everything }))
    const { client_token } = (await good(alice('POST', 'auth/token/create', { policies: 'mine' }))).json
      .auth as unknown as { client_token: string }
    for (const [namespace, path] of [
      ['u', 'sys/mounts'],
      ['', 'sys/mounts'],
      ['', 'u/sys/mounts'],
      ['root', 'sys/policies/acl/default'],
      ['', '/t/../u/sys/mounts'],
    ] as const) {
      expect((await as(vault, client_token, namespace)('GET', path)).status).toBeOneOf([403, 404])
    }
    for (const name of ['root', 'Root', 'ROOT', 'response-wrapping']) {
      expect((await alice('PUT', `sys/policies/acl/${name}`, { policy: everything })).status).toBe(400)
      expect((await alice('POST', 'auth/token/create', { policies: name })).status).toBeOneOf([400, 403])
    }
    // What is named alike in another namespace is another policy.
    await good(
      as(vault, vault.rootToken, 'u')('PUT', 'sys/policies/acl/mine', {
        policy: 'path "x" { capabilities = ["read"] }',
      }),
    )
    expect((await as(vault, client_token, 't')('GET', 'sys/mounts')).status).toBe(200)
  })

  it('hold at once when they change, for tokens that were used before', async () => {
    const team = as(vault, vault.rootToken, 't')
    const read = 'path "sys/mounts" { capabilities = ["read"] }'
    await good(team('PUT', 'sys/policies/acl/changing', { policy: read }))
    const made = await good(team('POST', 'auth/token/create', { policies: 'changing' }))
    const holder = as(vault, (made.json.auth as unknown as { client_token: string }).client_token, 't')
    expect((await holder('GET', 'sys/mounts')).status).toBe(200)
    await good(team('PUT', 'sys/policies/acl/changing', { policy: read.replace('read', 'deny') }))
    expect((await holder('GET', 'sys/mounts')).status).toBe(403)
    await good(team('PUT', 'sys/policies/acl/changing', { policy: read }))
    expect((await holder('GET', 'sys/mounts')).status).toBe(200)
    await good(team('DELETE', 'sys/policies/acl/changing'))
    expect((await holder('GET', 'sys/mounts')).status).toBe(403)
  })
})
