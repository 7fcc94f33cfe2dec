import { beforeAll, describe, expect, test } from 'vitest'
import { ask, auth, configureJwt, data, errors, issuer, serveDoors, sign } from './doors-gateway.ts'

serveDoors()

describe('JWT', () => {
  beforeAll(configureJwt)
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
