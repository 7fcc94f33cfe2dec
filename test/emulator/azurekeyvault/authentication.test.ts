import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { call, clientOf, credentialOf, failure, owner, tenantId, tokenOf } from './harness.ts'

const now = { value: Date.now() }
const otherTenant = '00000000-1111-2222-3333-444444444444'
const stranger = { tenantId: otherTenant, clientId: 'stranger', clientSecret: 'stranger-secret' }

let emulator: KeyVaultEmulator

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'premium', kind: 'premium' },
      { name: 'pool', kind: 'managedhsm' },
      { name: 'foreign', kind: 'premium', tenantId: otherTenant },
    ],
    principals: [owner, stranger, { tenantId, clientId: 'without-secret' }],
    now: () => now.value,
  })
})
afterAll(() => emulator.close())

const list = (host: string, token?: string) => call(emulator, { host, token, path: '/keys?api-version=7.6' })

describe('the challenge', () => {
  test.each([
    ['premium.vault.azure.net', 'https://vault.azure.net', tenantId],
    ['pool.managedhsm.azure.net', 'https://managedhsm.azure.net', tenantId],
    ['foreign.vault.azure.net', 'https://vault.azure.net', otherTenant],
  ])('of %s', async (host, resource, tenant) => {
    const answer = await list(host)
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe(
      `Bearer authorization="https://login.microsoftonline.com/${tenant}", resource="${resource}"`,
    )
    expect(answer.json.error?.code).toBe('Unauthorized')
    expect(answer.json.error?.message).toMatch(/^AKV10000: Request is missing a Bearer or PoP token\./)
    expect(emulator.requests.at(-1)).toMatchObject({ operation: 'challenge', status: 401, clientId: undefined })
  })

  test('a token that is refused is answered with it too', async () => {
    const good = await tokenOf(emulator)
    const forHsm = await tokenOf(emulator, owner, 'https://managedhsm.azure.net')
    const foreign = await tokenOf(emulator, stranger)
    const changed = `${good.slice(0, -2)}${good.endsWith('AA') ? 'BB' : 'AA'}`
    const cases: [string, string][] = [
      ['nonsense', "[BearerReadAccessTokenFailed] Error validating token: 'S2S12005'."],
      ['a'.repeat(200), "[BearerReadAccessTokenFailed] Error validating token: 'S2S12005'."],
      [changed, "[BearerReadAccessTokenFailed] Error validating token: 'S2S12005'."],
      [forHsm, 'AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://managedhsm.azure.net.'],
      [
        foreign,
        `AKV10032: Invalid issuer. Expected one of https://sts.windows.net/${tenantId}/, found https://sts.windows.net/${otherTenant}/.`,
      ],
    ]
    for (const [token, message] of cases) {
      const answer = await list('premium.vault.azure.net', token)
      expect([answer.status, answer.json.error]).toEqual([401, { code: 'Unauthorized', message }])
      expect(answer.headers['www-authenticate']).toContain('resource="https://vault.azure.net"')
    }
    expect((await list('premium.vault.azure.net', good)).status).toBe(200)
    expect((await list('foreign.vault.azure.net', foreign)).status).toBe(200)
    expect((await list('pool.managedhsm.azure.net', forHsm)).status).toBe(200)
    expect((await list('pool.managedhsm.azure.net', good)).status).toBe(401)
  })

  test('a token ends by the clock of the emulator', async () => {
    const token = await tokenOf(emulator)
    now.value += 3_599_999
    expect((await list('premium.vault.azure.net', token)).status).toBe(200)
    now.value += 1
    const answer = await list('premium.vault.azure.net', token)
    expect([answer.status, answer.json.error?.message]).toEqual([
      401,
      "[TokenExpired] Error validating token: 'S2S12086'.",
    ])
    now.value = Date.now()
  })
})

describe('the token endpoint refuses', () => {
  const form = {
    grant_type: 'client_credentials',
    client_id: owner.clientId,
    client_secret: owner.clientSecret,
    scope: 'https://vault.azure.net/.default',
  }
  const ask = (change: Record<string, string | undefined>, tenant = tenantId, host = 'login.microsoftonline.com') => {
    const given = Object.entries({ ...form, ...change }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    )
    const body = new URLSearchParams(given).toString()
    return call(emulator, { method: 'POST', host, path: `/${tenant}/oauth2/v2.0/token`, body })
  }

  test.each([
    ['a wrong secret', { client_secret: 'wrong' }, tenantId, 401, 'invalid_client', 7000215],
    ['no secret', { client_secret: undefined }, tenantId, 401, 'invalid_client', 7000218],
    ['a secret of nobody', { client_id: 'without-secret' }, tenantId, 401, 'invalid_client', 7000215],
    ['an unknown client', { client_id: 'nobody' }, tenantId, 400, 'unauthorized_client', 700016],
    ['a client of another tenant', { client_id: 'stranger' }, tenantId, 400, 'unauthorized_client', 700016],
    ['an unknown tenant', {}, 'nowhere.example', 400, 'invalid_request', 90002],
    ['another grant', { grant_type: 'password' }, tenantId, 400, 'unsupported_grant_type', 70003],
    ['a scope without .default', { scope: 'https://vault.azure.net' }, tenantId, 400, 'invalid_scope', 1002012],
    ['no scope', { scope: undefined }, tenantId, 400, 'invalid_scope', 1002012],
    ['an unknown resource', { scope: 'https://example.com/.default' }, tenantId, 400, 'invalid_resource', 500011],
    [
      "another cloud's resource",
      { scope: 'https://vault.azure.cn/.default' },
      tenantId,
      400,
      'invalid_resource',
      500011,
    ],
    [
      'an assertion of another type',
      { client_secret: undefined, client_assertion: 'x', client_assertion_type: 'saml' },
      tenantId,
      400,
      'invalid_request',
      900144,
    ],
  ])('%s', async (_what, change, tenant, status, error, code) => {
    const answer = await ask(change, tenant)
    expect(answer.status).toBe(status)
    expect(answer.json).toMatchObject({ error, error_codes: [code] })
    expect(answer.json.error_description).toMatch(new RegExp(`^AADSTS${code}: `))
    expect(answer.json.access_token).toBeUndefined()
    expect(answer.text).not.toContain(owner.clientSecret)
  })

  test('and gives a token otherwise, also at a host of its own', async () => {
    for (const host of ['login.microsoftonline.com', 'localhost:1234', '127.0.0.1']) {
      const answer = await ask({}, tenantId, host)
      expect(answer.json).toMatchObject({ token_type: 'Bearer', expires_in: 3600 })
      const configuration = await call(emulator, { host, path: `/${tenantId}/v2.0/.well-known/openid-configuration` })
      expect(configuration.json.token_endpoint).toBe(`https://${host}/${tenantId}/oauth2/v2.0/token`)
    }
  })

  test('the SDK shows the reason', async () => {
    const credential = credentialOf(emulator, { ...owner, clientSecret: 'wrong' })
    const error = await failure(clientOf(emulator, 'premium.vault.azure.net', credential).getKey('k'))
    expect(error.message).toMatch(/AADSTS7000215: Invalid client secret provided/)
  })
})
