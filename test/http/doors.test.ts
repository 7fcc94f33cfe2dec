import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { type TestCore, testCore } from '../support/gateway.ts'
import { type TestIssuer, testIssuer } from '../support/issuer.ts'

interface Answer {
  status: number
  body: Record<string, never> & { [name: string]: unknown }
  headers: Headers
}

let gateway: TestCore
let issuer: TestIssuer
let app: ReturnType<typeof createApp>
let skip = 0

beforeAll(async () => {
  issuer = await testIssuer()
  gateway = await testCore({
    context: { now: () => Date.now() + skip },
    issuerDocuments: { allowedHosts: [issuer.host], timeoutMs: 30_000 },
  })
  app = createApp(gateway.core)
})
afterAll(async () => {
  await gateway.close()
  await issuer.close()
})

async function ask(
  method: string,
  path: string,
  body?: unknown,
  {
    headers = {},
    from,
    token = gateway.rootToken,
  }: { headers?: Record<string, string>; from?: string; token?: string | null } = {},
): Promise<Answer> {
  const response = await app.request(
    `https://gateway.test/${path}`,
    {
      method,
      headers: { ...(token === null ? {} : { 'x-vault-token': token }), ...headers },
      ...(body === undefined ? {} : { body: body instanceof URLSearchParams ? body : JSON.stringify(body) }),
    },
    { remoteAddress: from },
  )
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers: response.headers }
}

/** By the clock of the gateway. */
const sign = async (claims: Record<string, unknown>) => {
  const now = Math.floor((Date.now() + skip) / 1000)
  return await issuer.sign({ iat: now, exp: now + 300, ...claims })
}
const data = (answer: Answer): Record<string, unknown> => answer.body.data as never
const auth = (answer: Answer): Record<string, unknown> => answer.body.auth as never
const errors = (answer: Answer): unknown => [answer.status, ...((answer.body.errors as string[] | undefined) ?? [])]
const inside = (namespace: string) => ({ headers: { 'x-vault-namespace': namespace } })

/** Enables AppRole at a path and makes a role; gives its ids. */
async function appRole(mount: string, role: string, fields: object = {}, options = {}) {
  expect((await ask('POST', `v1/sys/auth/${mount}`, { type: 'approle' }, options)).status).toBe(204)
  expect(
    (await ask('POST', `v1/auth/${mount}/role/${role}`, { token_policies: 'deploy,read', ...fields }, options)).status,
  ).toBe(204)
  const { role_id } = data(await ask('GET', `v1/auth/${mount}/role/${role}/role-id`, undefined, options))
  const { secret_id } = data(await ask('PUT', `v1/auth/${mount}/role/${role}/secret-id`, {}, options))
  return { role_id: String(role_id), secret_id: String(secret_id) }
}

describe('sys/auth', () => {
  test('enable, list, read, tune, disable', async () => {
    expect(
      (await ask('POST', 'v1/sys/auth/ci/a', { type: 'jwt', description: 'd', config: { default_lease_ttl: '1h' } }))
        .status,
    ).toBe(204)
    const list = await ask('GET', 'v1/sys/auth')
    expect(Object.keys(data(list)).sort()).toEqual(['ci/a/', 'token/'])
    expect(list.body['token/']).toMatchObject({ type: 'token', description: 'token based credentials' })
    expect(data(list)['ci/a/']).toMatchObject({
      type: 'jwt',
      description: 'd',
      accessor: expect.stringMatching(/^auth_jwt_/),
      config: { default_lease_ttl: 3600, max_lease_ttl: 0, token_type: 'default-service' },
    })
    expect((await ask('POST', 'v1/sys/auth/ci/a/tune', { max_lease_ttl: 7200, token_type: 'batch' })).status).toBe(204)
    expect(data(await ask('GET', 'v1/sys/auth/ci/a/tune'))).toEqual({
      default_lease_ttl: 3600,
      description: 'd',
      force_no_cache: false,
      max_lease_ttl: 7200,
      token_type: 'batch',
    })
    expect(data(await ask('GET', 'v1/sys/auth/ci/a'))).toMatchObject({ type: 'jwt' })
    expect((await ask('DELETE', 'v1/sys/auth/ci/a')).status).toBe(204)
    expect(errors(await ask('GET', 'v1/sys/auth/ci/a'))).toEqual([400, 'No auth engine at ci/a/'])
    expect((await ask('DELETE', 'v1/sys/auth/ci/a')).status).toBe(204)
  })

  test('what there is not is refused in a sentence that names what there is', async () => {
    const offered =
      'there are "approle" (role id and secret id), "jwt" and "oidc" (JWTs of an issuer), and "token", which is always enabled'
    expect(errors(await ask('POST', 'v1/sys/auth/userpass', { type: 'userpass' }))).toEqual([
      400,
      `unsupported auth type "userpass": ${offered}`,
    ])
    for (const path of ['auth/userpass/login/bob', 'auth/ldap/login/bob', 'auth/kubernetes/login']) {
      const type = path.split('/')[1]
      expect(errors(await ask('PUT', `v1/${path}`, { password: 'x' }, { token: null }))).toEqual([
        400,
        `there is no login by "${type}" here: ${offered}`,
      ])
    }
    expect(errors(await ask('POST', 'v1/sys/auth/x', {}))).toEqual([
      400,
      'missing type: it says how to log in: approle, jwt or oidc',
    ])
  })

  test('nothing but a login is open', async () => {
    await appRole('open', 'ci')
    for (const [method, path] of [
      ['GET', 'auth/open/login'],
      ['LIST', 'auth/open/role'],
      ['GET', 'auth/open/role/ci'],
      ['POST', 'auth/open/role/ci'],
      ['POST', 'auth/open/role/ci/secret-id'],
      ['POST', 'auth/open/role/login/secret-id'],
      ['POST', 'auth/open/login/x'],
      ['POST', 'auth/open/x/login'],
      ['POST', 'auth/nowhere/login'],
      ['POST', 'auth/token/login'],
      ['POST', 'nowhere/auth/open/login'],
      ['POST', 'sys/auth/open/login'],
      ['GET', 'sys/auth'],
    ] as const) {
      const answer = await ask(method, `v1/${path}`, method === 'POST' ? {} : undefined, { token: null })
      expect(answer.status, `${method} ${path}`).toBe(403)
    }
  })
})

test('rights are asked for by path, as for anything else; to enable a way in needs sudo', async () => {
  const { core } = gateway
  const tokenWith = async (policy: string) => {
    const name = `p-${core.context.randomHex(4)}`
    expect((await ask('PUT', `v1/sys/policies/acl/${name}`, { policy })).status).toBe(204)
    return String(auth(await ask('POST', 'v1/auth/token/create', { policies: [name] })).client_token)
  }
  await appRole('rights', 'ci')
  const operator = await tokenWith('path "auth/rights/role/ci/secret-id" { capabilities = ["update"] }')
  expect((await ask('POST', 'v1/auth/rights/role/ci/secret-id', {}, { token: operator })).status).toBe(200)
  for (const [method, path] of [
    ['LIST', 'auth/rights/role/ci/secret-id'],
    ['GET', 'auth/rights/role/ci'],
    ['GET', 'auth/rights/role/ci/role-id'],
    ['POST', 'auth/rights/role/ci/custom-secret-id'],
    ['POST', 'auth/rights/role/other/secret-id'],
    ['POST', 'auth/rights/config'],
    ['GET', 'sys/auth'],
    ['DELETE', 'sys/auth/rights'],
  ] as const) {
    expect(
      (await ask(method, `v1/${path}`, method === 'POST' ? {} : undefined, { token: operator })).status,
      path,
    ).toBe(403)
  }
  const maker = await tokenWith('path "auth/rights/role/*" { capabilities = ["create"] }')
  expect((await ask('POST', 'v1/auth/rights/role/new', { token_policies: 'a' }, { token: maker })).status).toBe(204)
  expect((await ask('POST', 'v1/auth/rights/role/new', { token_policies: 'b' }, { token: maker })).status).toBe(403)
  const half = await tokenWith('path "sys/auth/*" { capabilities = ["create", "read", "update", "delete"] }')
  const whole = await tokenWith('path "sys/auth/*" { capabilities = ["create", "read", "update", "delete", "sudo"] }')
  for (const [token, status] of [
    [half, 403],
    [whole, 204],
  ] as const) {
    expect((await ask('POST', 'v1/sys/auth/made', { type: 'approle' }, { token })).status).toBe(status)
    expect((await ask('POST', 'v1/sys/auth/made/tune', { description: 'x' }, { token })).status).toBe(status)
    expect((await ask('DELETE', 'v1/sys/auth/made', undefined, { token })).status).toBe(status)
  }
})

describe('AppRole', () => {
  test("a login, in Vault's shape, by POST or PUT, JSON or form", async () => {
    const { role_id, secret_id } = await appRole('approle', 'ci', { token_ttl: '10m', token_num_uses: 0 })
    const answer = await ask('PUT', 'v1/auth/approle/login', { role_id, secret_id }, { token: null })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.body).toMatchObject({ data: null, wrap_info: null, lease_id: '', mount_type: 'approle' })
    expect(auth(answer)).toEqual({
      client_token: expect.stringMatching(/^ey/),
      accessor: expect.stringMatching(/^[0-9a-f]{24}$/),
      policies: ['default', 'deploy', 'read'],
      token_policies: ['default', 'deploy', 'read'],
      metadata: { role_name: 'ci' },
      lease_duration: 600,
      renewable: true,
      entity_id: '',
      token_type: 'service',
      orphan: true,
      mfa_requirement: null,
      num_uses: 0,
    })
    const self = await ask('GET', 'v1/auth/token/lookup-self', undefined, { token: String(auth(answer).client_token) })
    expect(data(self)).toMatchObject({ path: 'auth/approle/login', display_name: 'approle', orphan: true })
    const form = await ask('POST', 'v1/auth/approle/login', new URLSearchParams({ role_id, secret_id }), {
      token: null,
    })
    expect(form.status).toBe(200)
    // A token that comes with a login is nobody's business, good or bad.
    expect((await ask('POST', 'v1/auth/approle/login', { role_id, secret_id }, { token: 'bad' })).status).toBe(200)
  })

  test('wrong ids have one answer', async () => {
    const { role_id, secret_id } = await appRole('wrong', 'ci')
    for (const body of [
      { role_id, secret_id: 'x' },
      { role_id: 'x', secret_id },
      { role_id },
      { role_id, secret_id: null },
    ]) {
      expect(errors(await ask('POST', 'v1/auth/wrong/login', body, { token: null }))).toEqual([
        400,
        'invalid role or secret ID',
      ])
    }
    expect(errors(await ask('POST', 'v1/auth/wrong/login', { secret_id }, { token: null }))).toEqual([
      400,
      'missing role_id',
    ])
    expect(errors(await ask('POST', 'v1/auth/wrong/login', { role_id: ['a'], secret_id }, { token: null }))).toEqual([
      400,
      'Field validation failed: error converting input for field "role_id": a string is expected',
    ])
  })

  test('roles are read as they were written, as a whole and by field', async () => {
    await appRole('roles', 'One', {
      secret_id_ttl: '10m',
      secret_id_num_uses: 40,
      secret_id_bound_cidrs: '10.0.0.0/8,127.0.0.1',
      token_ttl: '20m',
      token_max_ttl: '30m',
      token_bound_cidrs: ['10.0.0.0/8'],
    })
    expect(data(await ask('GET', 'v1/auth/roles/role/one'))).toEqual({
      bind_secret_id: true,
      local_secret_ids: false,
      secret_id_bound_cidrs: ['10.0.0.0/8', '127.0.0.1'],
      secret_id_num_uses: 40,
      secret_id_ttl: 600,
      token_bound_cidrs: ['10.0.0.0/8'],
      token_explicit_max_ttl: 0,
      token_max_ttl: 1800,
      token_no_default_policy: false,
      token_num_uses: 0,
      token_period: 0,
      token_policies: ['deploy', 'read'],
      token_ttl: 1200,
      token_type: 'default',
    })
    expect(data(await ask('LIST', 'v1/auth/roles/role'))).toEqual({ keys: ['one'] })
    for (const [field, name, value, shown, initial] of [
      ['policies', 'token_policies', 'a,b', ['a', 'b'], []],
      ['secret-id-num-uses', 'secret_id_num_uses', '3', 3, 0],
      ['secret-id-ttl', 'secret_id_ttl', '1h', 3600, 0],
      ['token-ttl', 'token_ttl', 60, 60, 0],
      ['token-max-ttl', 'token_max_ttl', '2h', 7200, 0],
      ['token-bound-cidrs', 'token_bound_cidrs', '10.1.0.0/16', ['10.1.0.0/16'], []],
      ['secret-id-bound-cidrs', 'secret_id_bound_cidrs', '10.1.0.0/16', ['10.1.0.0/16'], []],
      ['token-num-uses', 'token_num_uses', 5, 5, 0],
      ['period', 'token_period', '5m', 300, 0],
      ['bind-secret-id', 'bind_secret_id', 'true', true, true],
    ] as const) {
      const path = `v1/auth/roles/role/one/${field}`
      expect((await ask('POST', path, { [name]: value })).status, field).toBe(204)
      expect(data(await ask('GET', path)), field).toEqual({ [name]: shown })
      expect((await ask('DELETE', path)).status, field).toBe(204)
      expect(data(await ask('GET', path)), field).toEqual({ [name]: initial })
      expect(errors(await ask('POST', path, {})), field).toEqual([400, `missing ${name}`])
    }
    expect((await ask('DELETE', 'v1/auth/roles/role/one')).status).toBe(204)
    expect((await ask('GET', 'v1/auth/roles/role/one')).status).toBe(404)
    expect((await ask('LIST', 'v1/auth/roles/role')).status).toBe(404)
    expect((await ask('GET', 'v1/auth/roles/role/one/role-id')).status).toBe(404)
    expect(errors(await ask('POST', 'v1/auth/roles/role/one/secret-id', {}))).toEqual([
      400,
      'role "one" does not exist',
    ])
  })

  test('secret ids are made, looked up, listed and destroyed', async () => {
    const { role_id } = await appRole('secrets', 'ci')
    const path = 'v1/auth/secrets/role/ci'
    const made = data(
      await ask('POST', `${path}/secret-id`, {
        metadata: '{"host":"b1"}',
        ttl: '1h',
        num_uses: 2,
        cidr_list: '10.0.0.0/8',
      }),
    )
    expect(made).toEqual({
      secret_id: expect.stringMatching(/^[\w-]{43}$/),
      secret_id_accessor: expect.stringMatching(/^[0-9a-f-]{36}$/),
      secret_id_num_uses: 2,
      secret_id_ttl: 3600,
    })
    const { secret_id, secret_id_accessor } = made
    const known = {
      cidr_list: ['10.0.0.0/8'],
      metadata: { host: 'b1' },
      secret_id_accessor,
      secret_id_num_uses: 2,
      secret_id_ttl: 3600,
      token_bound_cidrs: [],
    }
    expect(data(await ask('POST', `${path}/secret-id/lookup`, { secret_id }))).toMatchObject(known)
    expect(data(await ask('POST', `${path}/secret-id-accessor/lookup`, { secret_id_accessor }))).toMatchObject(known)
    expect((data(await ask('LIST', `${path}/secret-id`)).keys as string[]).includes(String(secret_id_accessor))).toBe(
      true,
    )
    const login = (from?: string) =>
      ask('POST', 'v1/auth/secrets/login', { role_id, secret_id }, { token: null, ...(from ? { from } : {}) })
    expect((await login()).status).toBe(400)
    expect((await login('192.0.2.1')).status).toBe(400)
    expect(auth(await login('10.0.0.9')).metadata).toEqual({ host: 'b1', role_name: 'ci' })
    expect((await ask('POST', `${path}/secret-id-accessor/destroy`, { secret_id_accessor })).status).toBe(204)
    expect((await login('10.0.0.9')).status).toBe(400)
    expect((await ask('POST', `${path}/secret-id/lookup`, { secret_id })).status).toBe(204)
    expect((await ask('POST', `${path}/secret-id/destroy`, { secret_id })).status).toBe(204)
    for (const what of ['lookup', 'destroy']) {
      expect(errors(await ask('POST', `${path}/secret-id-accessor/${what}`, { secret_id_accessor }))).toEqual([
        404,
        'failed to find accessor entry for secret_id_accessor',
      ])
    }
    for (const metadata of ['{', '[]', '"x"', { a: 1 }, 7]) {
      expect(errors(await ask('POST', `${path}/secret-id`, { metadata }))).toEqual([
        400,
        'metadata: a JSON object of strings is expected',
      ])
    }
    const own = { secret_id: 'my very own secret id' }
    expect((await ask('POST', `${path}/custom-secret-id`, own)).status).toBe(200)
    expect(errors(await ask('POST', `${path}/custom-secret-id`, own))).toEqual([
      400,
      'the secret id is registered already',
    ])
    expect(errors(await ask('POST', `${path}/custom-secret-id`, {}))).toEqual([400, 'missing secret_id'])
    expect((await ask('POST', 'v1/auth/secrets/tidy/secret-id')).status).toBe(204)
    expect((await ask('POST', 'v1/auth/secrets/login', { role_id, ...own }, { token: null })).status).toBe(200)
  })

  test('a secret id can be delivered wrapped, to be opened once', async () => {
    const { role_id } = await appRole('wrapped', 'ci')
    const headers = { 'x-vault-wrap-ttl': '60s' }
    const answer = await ask('POST', 'v1/auth/wrapped/role/ci/secret-id', {}, { headers })
    expect(JSON.stringify(answer.body)).not.toContain('secret_id"')
    const { token, creation_path } = answer.body.wrap_info as unknown as Record<string, string>
    expect(creation_path).toBe('auth/wrapped/role/ci/secret-id')
    const opened = await ask('POST', 'v1/sys/wrapping/unwrap', {}, { token: token ?? '' })
    const { secret_id } = data(opened)
    expect((await ask('POST', 'v1/auth/wrapped/login', { role_id, secret_id }, { token: null })).status).toBe(200)
    expect((await ask('POST', 'v1/sys/wrapping/unwrap', {}, { token: token ?? '' })).status).toBeGreaterThanOrEqual(400)
  })

  test('a secret id of one use, 32 at once', async () => {
    const { role_id } = await appRole('once', 'ci')
    const { secret_id } = data(await ask('POST', 'v1/auth/once/role/ci/secret-id', { num_uses: 1 }))
    const answers = await Promise.all(
      Array.from({ length: 32 }, () => ask('POST', 'v1/auth/once/login', { role_id, secret_id }, { token: null })),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(31)
  })

  test('lockout looks like a wrong secret', async () => {
    const { role_id, secret_id } = await appRole('locked', 'ci')
    const login = (secret: string) =>
      ask('POST', 'v1/auth/locked/login', { role_id, secret_id: secret }, { token: null })
    for (let i = 0; i < 5; i++) expect((await login('wrong')).status).toBe(400)
    expect(errors(await login(secret_id))).toEqual([400, 'invalid role or secret ID'])
    skip += 15 * 60_000
    expect((await login(secret_id)).status).toBe(200)
  })

  test('by namespace, in the header or the path; nowhere else', async () => {
    for (const path of ['alpha', 'beta']) expect((await ask('PUT', `v1/sys/namespaces/${path}`, {})).status).toBe(200)
    const alpha = await appRole('approle', 'ci', {}, inside('alpha'))
    await appRole('approle', 'ci', {}, inside('beta'))
    const login = (path: string, options = {}) => ask('POST', path, alpha, { token: null, ...options })
    for (const answer of [
      await login('v1/auth/approle/login', inside('alpha')),
      await login('v1/auth/approle/login', inside('/alpha/')),
      await login('v1/alpha/auth/approle/login'),
    ]) {
      expect(answer.status).toBe(200)
      const token = String(auth(answer).client_token)
      const alphaId = (await gateway.core.namespace('alpha'))?.id
      expect(decodeJwt(token).ns).toBe(alphaId)
      expect((await ask('GET', 'v1/auth/token/lookup-self', undefined, { token, ...inside('alpha') })).status).toBe(200)
      expect((await ask('GET', 'v1/auth/token/lookup-self', undefined, { token, ...inside('beta') })).status).toBe(403)
    }
    const wrong = [400, 'invalid role or secret ID']
    expect(errors(await login('v1/auth/approle/login'))).toEqual(wrong)
    expect(errors(await login('v1/auth/approle/login', inside('beta')))).toEqual(wrong)
    expect((await login('v1/auth/approle/login', inside('gamma'))).status).toBe(403)
    expect((await login('v1/alpha/auth/approle/login', inside('beta'))).status).toBe(403)
  })
})

describe('JWT', () => {
  beforeAll(async () => {
    await ask('POST', 'v1/sys/auth/jwt', { type: 'jwt' })
    const config = {
      oidc_discovery_url: issuer.url,
      oidc_discovery_ca_pem: issuer.ca,
      default_role: 'ci',
      oidc_client_id: 'x',
    }
    const answer = await ask('POST', 'v1/auth/jwt/config', config)
    expect(answer).toMatchObject({ status: 200, body: { warnings: [expect.stringContaining('no login by browser')] } })
    const role = {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: 'keyferry',
      bound_claims: { env: ['prod', 'test'], team: 'a' },
      claim_mappings: { env: 'environment' },
      token_policies: ['deploy', 'read'],
      ttl: '5m',
    }
    expect((await ask('POST', 'v1/auth/jwt/role/ci', role)).status).toBe(204)
  })
  const claims = { env: 'prod', team: 'a' }
  const login = async (body: object) => await ask('POST', 'v1/auth/jwt/login', body, { token: null })

  test('configuration and role are read as they were written', async () => {
    expect(data(await ask('GET', 'v1/auth/jwt/config'))).toMatchObject({
      oidc_discovery_url: issuer.url,
      default_role: 'ci',
      jwks_url: '',
      jwt_supported_algs: [],
      oidc_client_id: '',
    })
    expect(data(await ask('GET', 'v1/auth/jwt/role/ci'))).toMatchObject({
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: ['keyferry'],
      bound_claims: { env: ['prod', 'test'], team: 'a' },
      claim_mappings: { env: 'environment' },
      token_ttl: 300,
      token_policies: ['deploy', 'read'],
    })
    expect(data(await ask('LIST', 'v1/auth/jwt/role'))).toEqual({ keys: ['ci'] })
    expect((await ask('GET', 'v1/auth/jwt/role/other')).status).toBe(404)
    expect(
      errors(await ask('POST', 'v1/auth/jwt/role/x', { user_claim: 'sub', bound_subject: 'x', bound_claims: '[' })),
    ).toEqual([400, 'bound_claims: an object of claims and their values is expected'])
    expect((await ask('POST', 'v1/auth/jwt/role/x', { user_claim: 'sub', bound_claims: '{"a":"b"}' })).status).toBe(204)
    expect((await ask('DELETE', 'v1/auth/jwt/role/x')).status).toBe(204)
  })

  test('a login', async () => {
    const answer = await login({ jwt: await sign(claims) })
    expect(answer).toMatchObject({ status: 200, body: { mount_type: 'jwt' } })
    expect(auth(answer)).toMatchObject({
      policies: ['default', 'deploy', 'read'],
      metadata: { role: 'ci', environment: 'prod' },
      lease_duration: 300,
    })
    expect((await login({ jwt: await sign(claims), role: 'ci' })).status).toBe(200)
  })

  test('whatever is wrong, the answer is the same and names no claim', async () => {
    for (const body of [
      { jwt: await sign({ ...claims, env: 'dev' }) },
      { jwt: await sign({ ...claims, aud: 'other' }) },
      { jwt: await sign({ ...claims, iss: 'https://other.example' }) },
      { jwt: await sign({ ...claims, exp: 1 }) },
      { jwt: await sign(claims), role: 'other' },
      { jwt: 'x' },
      { jwt: 'x'.repeat(100_000) },
    ]) {
      expect(errors(await login(body))).toEqual([400, 'the JWT or the role is not accepted'])
    }
    expect(errors(await login({}))).toEqual([400, 'missing jwt'])
  })

  test('a configuration that leads into the own network', async () => {
    for (const url of ['https://169.254.169.254', 'https://[::1]', 'https://127.0.0.1:8200', 'https://10.1.2.3']) {
      expect(errors(await ask('POST', 'v1/auth/jwt/config', { oidc_discovery_url: url }))).toEqual([
        400,
        'oidc_discovery_url: it cannot be reached: allowed are https URLs of hosts with public addresses, and hosts that the operator has allowed',
      ])
    }
  })
})

describe('OAuth', () => {
  let client: { role_id: string; secret_id: string }
  beforeAll(async () => {
    client = await appRole('oauth', 'app', { token_ttl: '10m' })
  })
  const post = async (path: string, form: Record<string, string> | string[][], headers: Record<string, string> = {}) =>
    await ask('POST', path, new URLSearchParams(form), { token: null, headers })
  const inForm = () => ({ client_id: client.role_id, client_secret: client.secret_id })
  const basic = (id = client.role_id, secret = client.secret_id) => ({
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  })
  const grant = { grant_type: 'client_credentials' }
  const exchange = async (more: Record<string, string> = {}, claims = {}) => ({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await sign({ env: 'prod', team: 'a', ...claims }),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    ...more,
  })

  test('client credentials, by Basic or in the form', async () => {
    for (const answer of [
      await post('oauth/token', { ...grant, ...inForm() }),
      await post('oauth/token', grant, basic()),
    ]) {
      expect(answer).toMatchObject({
        status: 200,
        body: { token_type: 'Bearer', scope: 'default deploy read', access_token: expect.stringMatching(/^ey/) },
      })
      expect(answer.body.expires_in).toBeGreaterThan(595)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.headers.get('content-type')).toBe('application/json')
      const used = await ask('GET', 'v1/auth/token/lookup-self', undefined, {
        token: null,
        headers: { authorization: `Bearer ${answer.body.access_token}` },
      })
      expect(data(used)).toMatchObject({ policies: ['default', 'deploy', 'read'], path: 'auth/oauth/login' })
    }
  })

  test('a scope only narrows', async () => {
    for (const [scope, granted] of [
      ['read', 'read'],
      ['read deploy', 'deploy read'],
      ['READ', 'read'],
      ['', 'default deploy read'],
    ] as const) {
      expect((await post('oauth/token', { ...grant, ...inForm(), scope })).body.scope, scope).toBe(granted)
    }
    for (const scope of ['admin', 'read admin', 'root', '*', 'read *', 'de*', 'read\n', 'x '.repeat(200)]) {
      expect(await post('oauth/token', { ...grant, ...inForm(), scope }), scope).toMatchObject({
        status: 400,
        body: { error: 'invalid_scope', error_description: 'the scope goes beyond the policies of the role' },
      })
    }
  })

  test('wrong clients are 401 with a challenge, all in the same words', async () => {
    const wrong: [Record<string, string>, Record<string, string>?][] = [
      [grant],
      [{ ...grant, client_id: client.role_id }],
      [{ ...grant, client_id: client.role_id, client_secret: '' }],
      [{ ...grant, client_id: client.role_id, client_secret: 'wrong' }],
      [{ ...grant, client_id: 'wrong', client_secret: client.secret_id }],
      [grant, basic(client.role_id, 'wrong')],
      [grant, { authorization: 'Basic %%%' }],
      [grant, { authorization: `Basic ${Buffer.from('%zz:x').toString('base64')}` }],
      [{ ...grant, ...inForm() }, { 'x-vault-namespace': 'alpha' }],
      [{ ...grant, ...inForm() }, { 'x-vault-namespace': 'nowhere' }],
    ]
    for (const [form, headers] of wrong) {
      const answer = await post('oauth/token', form, headers)
      expect([answer.status, answer.body], JSON.stringify([form, headers])).toEqual([
        401,
        { error: 'invalid_client', error_description: 'client authentication failed' },
      ])
      expect(answer.headers.get('www-authenticate')).toBe('Basic realm="keyferry", charset="UTF-8"')
      expect(answer.headers.get('cache-control')).toBe('no-store')
      await post('oauth/token', { ...grant, ...inForm() })
    }
  })

  test('bad requests', async () => {
    for (const [form, error] of [
      [{ ...inForm() }, 'invalid_request'],
      [{ grant_type: 'password', ...inForm() }, 'unsupported_grant_type'],
      [{ grant_type: 'authorization_code', ...inForm() }, 'unsupported_grant_type'],
      [
        [
          ['grant_type', 'client_credentials'],
          ['grant_type', 'client_credentials'],
        ],
        'invalid_request',
      ],
      [await exchange({ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }), 'invalid_request'],
      [await exchange({ requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }), 'invalid_request'],
      [await exchange({ actor_token: 'x' }), 'invalid_request'],
      [await exchange({ subject_token: '' }), 'invalid_request'],
      [await exchange({ resource: 'https://x' }), 'invalid_target'],
      [await exchange({ audience: 'https://x' }), 'invalid_target'],
    ] as const) {
      const answer = await post('oauth/token', form as Record<string, string>)
      expect([answer.status, answer.body.error], JSON.stringify(form)).toEqual([400, error])
    }
    const json = await ask('POST', 'oauth/token', { ...grant, ...inForm() }, { token: null })
    expect([json.status, json.body.error]).toEqual([400, 'invalid_request'])
    const both = await post('oauth/token', { ...grant, ...inForm() }, basic())
    expect([both.status, both.body.error]).toEqual([400, 'invalid_request'])
    for (const [method, path] of [
      ['GET', 'oauth/token'],
      ['POST', 'oauth/authorize'],
    ] as const) {
      const answer = await ask(method, path, method === 'POST' ? new URLSearchParams() : undefined, { token: null })
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    }
    const large = await ask('POST', 'oauth/token', new URLSearchParams({ grant_type: 'x'.repeat(1_100_000) }), {
      token: null,
    })
    expect([large.status, large.body.error]).toEqual([400, 'invalid_request'])
  })

  test('a JWT is exchanged for a token, at the door that the audience names', async () => {
    const granted = await post('oauth/token', await exchange())
    expect(granted).toMatchObject({
      status: 200,
      body: {
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        scope: 'default deploy read',
        expires_in: expect.any(Number),
      },
    })
    for (const audience of ['auth/jwt', 'auth/jwt/role/ci']) {
      expect((await post('oauth/token', await exchange({ audience, scope: 'read' }))).body.scope).toBe('read')
    }
    expect((await post('oauth/token', await exchange({ scope: 'admin' }))).body.error).toBe('invalid_scope')
    for (const form of [
      await exchange({ audience: 'auth/jwt/role/other' }),
      await exchange({ audience: 'auth/nowhere' }),
      await exchange({ audience: 'auth/oauth' }),
      await exchange({ audience: 'auth/token' }),
      await exchange({}, { env: 'dev' }),
      await exchange({}, { aud: 'other' }),
      await exchange({ subject_token: 'x' }),
    ]) {
      expect(await post('oauth/token', form)).toMatchObject({
        status: 400,
        body: { error: 'invalid_request', error_description: 'the subject token is not accepted' },
      })
    }
    const elsewhere = await post('oauth/token', await exchange(), { 'x-vault-namespace': 'alpha' })
    expect([elsewhere.status, elsewhere.body.error]).toEqual([400, 'invalid_request'])
  })

  test('metadata and keys are public; the keys verify the tokens', async () => {
    const meta = await ask('GET', '.well-known/oauth-authorization-server', undefined, { token: null })
    expect(meta.body).toMatchObject({
      issuer: 'https://gateway.test',
      token_endpoint: 'https://gateway.test/oauth/token',
      jwks_uri: 'https://gateway.test/oauth/jwks',
      response_types_supported: [],
      grant_types_supported: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    })
    const jwks = await ask('GET', 'oauth/jwks', undefined, { token: null })
    expect(jwks.headers.get('cache-control')).toBe('public, max-age=300')
    expect(jwks.body.keys).toEqual([
      {
        kty: 'EC',
        crv: 'P-256',
        x: expect.any(String),
        y: expect.any(String),
        kid: expect.any(String),
        alg: 'ES256',
        use: 'sig',
      },
    ])
  })

  test('introspection tells a client of its own tokens, and a token with the right of all in the namespace', async () => {
    const { access_token } = (await post('oauth/token', { ...grant, ...inForm(), scope: 'read' })).body
    const token = String(access_token)
    const mine = await post('oauth/introspect', { token, ...inForm() })
    expect(mine).toMatchObject({
      status: 200,
      body: { active: true, scope: 'read', token_type: 'Bearer', jti: decodeJwt(token).jti, iss: decodeJwt(token).iss },
    })
    const inactive = { status: 200, body: { active: false } }
    const root = { 'x-vault-token': gateway.rootToken }
    const bearer = { authorization: `Bearer ${gateway.rootToken}` }
    for (const headers of [root, bearer]) {
      expect((await post('oauth/introspect', { token }, headers)).body.active).toBe(true)
    }
    for (const other of [gateway.rootToken, 'x', `${token}x`]) {
      const answer = await post('oauth/introspect', { token: other, ...inForm() })
      expect({ status: answer.status, body: answer.body }).toEqual(inactive)
    }
    const alpha = { ...root, 'x-vault-namespace': 'alpha' }
    const elsewhere = await post('oauth/introspect', { token }, alpha)
    expect({ status: elsewhere.status, body: elsewhere.body }).toEqual(inactive)
    // Without the policy "default" this token may not even look at itself.
    const forbidden = await post('oauth/introspect', { token }, { authorization: `Bearer ${token}` })
    expect([forbidden.status, forbidden.body.error]).toEqual([403, 'insufficient_scope'])
    expect(forbidden.headers.get('www-authenticate')).toBe('Bearer realm="keyferry", error="insufficient_scope"')
    const nobody = await post('oauth/introspect', { token })
    expect([nobody.status, nobody.body.error]).toEqual([401, 'invalid_client'])
    const bad = await post('oauth/introspect', { token }, { authorization: 'Bearer x' })
    expect([bad.status, bad.body.error]).toEqual([401, 'invalid_token'])
    expect((await post('oauth/introspect', inForm())).body.error).toBe('invalid_request')
  })

  test('revocation is at once, 200 for what is unknown, and reaches nobody else', async () => {
    const issue = async () => String((await post('oauth/token', { ...grant, ...inForm() })).body.access_token)
    const token = await issue()
    const alive = async (text: string) =>
      (await ask('GET', 'v1/auth/token/lookup-self', undefined, { token: text })).status === 200
    for (const other of ['x', gateway.rootToken]) {
      expect((await post('oauth/revoke', { token: other, ...inForm() })).status).toBe(200)
    }
    expect(await alive(gateway.rootToken)).toBe(true)
    expect(await alive(token)).toBe(true)
    expect(
      (await post('oauth/revoke', { token }, { 'x-vault-token': gateway.rootToken, 'x-vault-namespace': 'alpha' }))
        .status,
    ).toBe(200)
    expect(await alive(token)).toBe(true)
    expect((await post('oauth/revoke', { token, ...inForm() })).status).toBe(200)
    expect(await alive(token)).toBe(false)
    expect((await post('oauth/revoke', { token, ...inForm() })).status).toBe(200)
    const self = await issue()
    expect((await post('oauth/revoke', { token: self }, { authorization: `Bearer ${self}` })).status).toBe(200)
    expect(await alive(self)).toBe(false)
    const another = await issue()
    const byPeer = await issue()
    const refused = await post('oauth/revoke', { token: another }, { authorization: `Bearer ${byPeer}` })
    expect([refused.status, refused.body.error]).toEqual([403, 'insufficient_scope'])
    expect(await alive(another)).toBe(true)
  })

  test("a client learns nothing of another client's tokens, nor of those of a role of its name that is gone", async () => {
    const other = await appRole('oauth2', 'app', { token_type: 'batch', token_ttl: 60 })
    const theirs = { client_id: other.role_id, client_secret: other.secret_id }
    const { access_token } = (await post('oauth/token', { ...grant, ...theirs })).body
    const token = String(access_token)
    expect((await post('oauth/introspect', { token, ...inForm() })).body).toEqual({ active: false })
    expect((await post('oauth/introspect', { token, ...theirs })).body.active).toBe(true)
    const batch = await post('oauth/revoke', { token, ...theirs })
    expect([batch.status, batch.body.error]).toEqual([400, 'unsupported_token_type'])
    expect((await post('oauth/revoke', { token, ...inForm() })).status).toBe(200)
    skip += 5_000
    await ask('DELETE', 'v1/auth/oauth2/role/app')
    await ask('POST', 'v1/auth/oauth2/role/app', {})
    const { role_id } = data(await ask('GET', 'v1/auth/oauth2/role/app/role-id'))
    const { secret_id } = data(await ask('POST', 'v1/auth/oauth2/role/app/secret-id', {}))
    const next = { client_id: String(role_id), client_secret: String(secret_id) }
    expect((await post('oauth/introspect', { token, ...next })).body).toEqual({ active: false })
  })

  test('a namespace at its limit gets 429 with Retry-After', async () => {
    expect(
      (await ask('POST', 'v1/sys/quotas/rate-limit/oauth', { path: 'oauth/', rate: 1, interval: '1s' })).status,
    ).toBe(204)
    const answers = []
    for (let i = 0; i < 5; i++) answers.push(await post('oauth/token', { ...grant, ...inForm() }, {}))
    const refused = answers.find(({ status }) => status === 429)
    expect(refused?.body.error).toBe('temporarily_unavailable')
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await ask('DELETE', 'v1/sys/quotas/rate-limit/oauth')).status).toBe(204)
  })
})
