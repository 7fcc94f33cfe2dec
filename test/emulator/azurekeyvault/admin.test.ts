import { X509Certificate } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { admin, call, owner, tenantId, tokenOf, vaultCaller } from './harness.ts'

let emulator: KeyVaultEmulator

beforeEach(async () => {
  emulator = await startKeyVaultEmulator({ principals: [owner], now: () => 1_800_000_000_000 })
})
afterEach(() => emulator.close())

describe('the admin API does what the library object does', () => {
  test('vaults', async () => {
    const made = await admin(emulator, 'POST', '/vaults', { name: 'Mine', kind: 'premium' })
    const info = {
      name: 'mine',
      kind: 'premium',
      host: 'mine.vault.azure.net',
      url: 'https://mine.vault.azure.net',
      tenantId,
    }
    expect([made.status, made.json]).toEqual([201, info])
    await emulator.addVault({ name: 'other', kind: 'managedhsm' })
    expect((await admin(emulator, 'GET', '/vaults')).json).toEqual(emulator.listVaults())
    const vault = await vaultCaller(emulator, 'mine.vault.azure.net')
    expect((await vault('POST', '/keys/k/create', { kty: 'EC-HSM' })).status).toBe(200)
    const twice = await admin(emulator, 'POST', '/vaults', { name: 'mine', kind: 'standard' })
    expect([twice.status, twice.json.error?.message]).toEqual([400, 'There is a vault mine.vault.azure.net already.'])
  })

  test('a vault under a suffix of its own, with a certificate for it', async () => {
    await emulator.addVault({ name: 'mine', kind: 'premium', suffix: 'keys.corp.example' })
    const token = await tokenOf(emulator, owner, 'https://keys.corp.example', 'login.corp.example').catch(
      (error) => error,
    )
    expect(String(token)).toContain('does not match certificate')
    const vault = await vaultCaller(emulator, 'mine.keys.corp.example')
    expect((await vault('GET', '/keys')).status).toBe(200)
  })

  test('principals and permissions', async () => {
    await admin(emulator, 'POST', '/vaults', { name: 'mine', kind: 'premium' })
    const spec = { tenantId, clientId: 'new', clientSecret: 'a-secret', permissions: ['get'], vaults: ['MINE'] }
    const made = await admin(emulator, 'POST', '/principals', spec)
    expect(made.status).toBe(201)
    expect(made.json).toMatchObject({ clientId: 'new', permissions: ['get'], vaults: ['mine'] })
    expect(made.text).not.toContain('a-secret')
    expect((await admin(emulator, 'GET', '/principals')).text).not.toContain('secret')
    const token = await tokenOf(emulator, { tenantId, clientId: 'new', clientSecret: 'a-secret' })
    const list = () => call(emulator, { host: 'mine.vault.azure.net', token, path: '/keys?api-version=7.6' })
    expect((await list()).status).toBe(403)
    const changed = await admin(emulator, 'PUT', '/principals/new/permissions', { permissions: ['list'] })
    expect([changed.status, changed.text]).toEqual([204, ''])
    expect((await list()).status).toBe(200)
    await admin(emulator, 'PUT', '/principals/new/permissions', { permissions: null, vaults: ['elsewhere'] })
    expect((await list()).status).toBe(403)
    await admin(emulator, 'PUT', '/principals/new/permissions', { permissions: null, vaults: null })
    expect((await list()).status).toBe(200)
    expect(emulator.listPrincipals().at(-1)).toMatchObject({ clientId: 'new', permissions: null, vaults: null })
  })

  test('a principal that is added again is replaced', async () => {
    emulator.addPrincipal({ ...owner, clientSecret: 'another' })
    await expect(tokenOf(emulator)).rejects.toThrow('AADSTS7000215')
    expect(emulator.listPrincipals()).toHaveLength(1)
  })

  test('faults', async () => {
    const made = await admin(emulator, 'POST', '/faults', {
      match: { operation: 'token' },
      action: { status: 500 },
      times: 1,
    })
    expect(made.status).toBe(201)
    await expect(tokenOf(emulator)).rejects.toThrow('InternalServerError')
    expect((await admin(emulator, 'GET', '/faults')).json).toMatchObject([{ id: made.json.id, hits: 1 }])
    expect((await admin(emulator, 'DELETE', '/faults')).status).toBe(204)
    expect(emulator.listFaults()).toEqual([])
  })

  test('the clock, which every answer carries', async () => {
    expect((await admin(emulator, 'GET', '/clock')).json).toEqual({ now: 1_800_000_000_000 })
    const moved = await admin(emulator, 'POST', '/clock', { advanceMs: 90_000 })
    expect([moved.status, moved.json]).toEqual([201, { now: 1_800_000_090_000 }])
    expect(moved.headers.date).toBe(new Date(1_800_000_090_000).toUTCString())
    expect(emulator.now()).toBe(1_800_000_090_000)
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e17]) {
      expect(() => emulator.advanceClock(ms)).toThrow(/^The clock moves forward by ms/)
    }
  })

  test('the log of requests, without secrets, without its own', async () => {
    await emulator.addVault({ name: 'mine', kind: 'premium' })
    const vault = await vaultCaller(emulator, 'mine.vault.azure.net')
    await vault('GET', '/keys/none?secret=1')
    const entries = [
      {
        method: 'POST',
        host: 'login.microsoftonline.com',
        path: `/${tenantId}/oauth2/v2.0/token`,
        operation: 'token',
        clientId: owner.clientId,
        status: 200,
      },
      {
        method: 'GET',
        host: 'mine.vault.azure.net',
        path: '/keys/none',
        operation: 'get',
        vault: 'mine',
        clientId: owner.clientId,
        status: 404,
      },
    ]
    const answer = await admin(emulator, 'GET', '/requests')
    expect(answer.json).toEqual(entries)
    expect(emulator.requests).toMatchObject(entries)
    expect(answer.text).not.toContain('secret')
    expect((await admin(emulator, 'DELETE', '/requests')).status).toBe(204)
    expect(emulator.requests).toEqual([])
  })

  test('everything at once', async () => {
    const answer = await admin(emulator, 'GET', '')
    expect(Object.keys(answer.json)).toEqual(['vaults', 'principals', 'faults', 'now'])
  })
})

describe('who may', () => {
  test.each(['', 'wrong', 'Bearer'])('not with the token "%s"', async (token) => {
    for (const [method, path] of [
      ['GET', '/vaults'],
      ['POST', '/vaults'],
      ['DELETE', '/faults'],
      ['GET', '/nothing'],
    ] as const) {
      const answer = await call(emulator, { method, path: `/_emulator${path}`, token })
      expect([answer.status, answer.json.error?.code]).toEqual([401, 'Unauthorized'])
    }
  })

  test('the CA is for everybody, on any host', async () => {
    for (const host of ['localhost', 'any.vault.azure.net']) {
      const answer = await call(emulator, { host, path: '/_emulator/ca.pem' })
      expect(answer.text).toBe(emulator.caCertificate)
      expect(new X509Certificate(answer.text).ca).toBe(true)
    }
  })

  test('a token of its own can be given', async () => {
    const own = await startKeyVaultEmulator({ adminToken: 'my-own' })
    expect((await call(own, { path: '/_emulator/vaults', token: 'my-own' })).json).toEqual([])
    await own.close()
  })
})

describe('what is wrong is refused with a sentence', () => {
  test.each([
    ['POST', '/vaults', {}, 400, /^Not a vault: name: .*; kind: /],
    ['POST', '/vaults', { name: 'a', kind: 'premium' }, 400, /^Not a vault: name: must be 3 to 24 letters/],
    ['POST', '/vaults', { name: 'a--b', kind: 'premium' }, 400, /^Not a vault: name: /],
    ['POST', '/vaults', { name: 'abc', kind: 'golden' }, 400, /^Not a vault: kind: /],
    [
      'POST',
      '/vaults',
      { name: 'abc', kind: 'premium', suffix: 'a b' },
      400,
      /^Not a vault: suffix: must be a DNS name/,
    ],
    [
      'POST',
      '/vaults',
      { name: 'abc', kind: 'premium', colour: 1 },
      400,
      /^Not a vault: value: Unrecognized key: "colour"/,
    ],
    ['POST', '/vaults', { name: 'abc', kind: 'premium', softDeleteRetentionDays: 6 }, 400, /softDeleteRetentionDays/],
    ['POST', '/principals', { clientId: 'a' }, 400, /^Not a principal: tenantId: /],
    ['POST', '/principals', { clientId: 'a', tenantId: 'a/b' }, 400, /tenantId: must be a tenant id/],
    ['POST', '/principals', { clientId: 'a', tenantId, permissions: ['fly'] }, 400, /permissions\.0/],
    ['POST', '/principals', { clientId: 'a', tenantId, certificates: ['x'] }, 400, /must be a certificate in PEM/],
    [
      'PUT',
      '/principals/nobody/permissions',
      { permissions: [] },
      400,
      /^There is no principal with client id nobody\./,
    ],
    ['PUT', '/principals/nobody/permissions', {}, 400, /^Not a restriction: permissions: /],
    ['POST', '/clock', { advanceMs: -1 }, 400, /^The clock moves forward/],
    ['POST', '/clock', { advanceMs: 'x' }, 400, /^Not a clock change: advanceMs: /],
    ['POST', '/clock', '{', 400, /not valid JSON/],
    ['PATCH', '/vaults', {}, 405, /^The method PATCH is not allowed/],
    ['GET', '/nothing', undefined, 404, /^The admin API has nothing at \/_emulator\/nothing\./],
    ['GET', '/vaults/a/b', undefined, 404, /^The admin API has nothing/],
    ['GET', '/toString', undefined, 404, /^The admin API has nothing/],
  ])('%s %s %o', async (method, path, body, status, message) => {
    const answer = await admin(emulator, method, path, body)
    expect(answer.status).toBe(status)
    expect(answer.json.error?.message).toMatch(message)
  })
})
