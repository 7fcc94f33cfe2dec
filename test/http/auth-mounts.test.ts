import { describe, expect, test } from 'vitest'
import { appRole, ask, auth, data, errors, gateway, serveDoors } from './doors-gateway.ts'

serveDoors()

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
