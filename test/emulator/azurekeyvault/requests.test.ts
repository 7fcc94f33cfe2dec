import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apiVersions, type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { call, owner, sharedRsaKeyPairs, tokenOf, vaultCaller } from './harness.ts'

let emulator: KeyVaultEmulator
let vault: Awaited<ReturnType<typeof vaultCaller>>

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [{ name: 'premium', kind: 'premium' }],
    principals: [owner],
    rsaKeyPairs: sharedRsaKeyPairs,
  })
  vault = await vaultCaller(emulator, 'premium.vault.azure.net')
})
afterAll(() => emulator.close())

describe('api-version', () => {
  const get = async (query: string) => {
    const token = await tokenOf(emulator)
    return call(emulator, { host: 'premium.vault.azure.net', path: `/keys${query}`, token })
  }

  test.each([...apiVersions])('%s is accepted, also with an encoded name', async (version) => {
    expect((await get(`?api-version=${version}`)).status).toBe(200)
    expect((await get(`?api%2Dversion=${version}`)).status).toBe(200)
  })

  test.each([
    '7.1',
    '7.0',
    '2016-10-01',
    '2025-07-02',
    '2026-01-01-preview',
    '7.60',
  ])('%s is refused', async (version) => {
    const answer = await get(`?api-version=${version}`)
    expect([answer.status, answer.json.error]).toEqual([
      400,
      {
        code: 'BadParameter',
        message: `The specified version (${version}) is not recognized. Consider using the latest supported version (2025-07-01).`,
      },
    ])
  })

  test.each(['', '?api-version=', '?version=7.6'])('without one (%s)', async (query) => {
    const answer = await get(query)
    expect([answer.status, answer.json.error]).toEqual([
      400,
      { code: 'BadParameter', message: 'api-version must be specified' },
    ])
  })
})

describe('requests', () => {
  test('headers of an answer', async () => {
    const { headers } = await vault('GET', '/keys')
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'x-ms-keyvault-region': 'westeurope',
      'x-ms-keyvault-service-version': 'emulator',
      'cache-control': 'no-cache',
    })
    expect(headers['x-ms-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test.each([
    '',
    '{',
    'null',
    '[]',
    '"text"',
    '7',
    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
  ])('a body that is no JSON object: %s', async (body) => {
    const answer = await vault('POST', '/keys/k/create', body)
    expect([answer.status, answer.json.error?.code]).toEqual([400, 'BadParameter'])
    expect(answer.json.error?.message).toMatch(/^The request body must be a JSON object/)
  })

  test('a body over 1 MiB', async () => {
    const answer = await vault('POST', '/keys/k/create', ' '.repeat(1024 * 1024 + 1))
    expect([answer.status, answer.json.error?.code]).toEqual([413, 'RequestEntityTooLarge'])
    expect((await vault('POST', '/keys/k/create', ' '.repeat(1024 * 1024))).status).toBe(400)
  })

  test.each([
    ['GET', '/', 404],
    ['GET', '/secrets', 404],
    ['GET', '/keys/a/b/c/d', 404],
    ['POST', '/keys', 405],
    ['PUT', '/keys/a/b', 405],
    ['DELETE', '/keys/a/b', 405],
    ['GET', '/keys/a/create/x', 404],
    ['POST', '/keys/a/rotate', 405],
    ['POST', '/keys/a/backup', 405],
    ['POST', '/keys/restore', 405],
    ['GET', '/keys/a/rotationpolicy', 405],
    ['POST', '/keys/a/b/release', 405],
    ['GET', '/keys/%ZZ', 400],
  ])('%s %s is %i', async (method, path, status) => {
    const answer = await vault(method, path, method === 'POST' ? {} : undefined)
    expect(answer.status).toBe(status)
    expect(answer.json.error?.message).toBeTruthy()
  })

  test('a vault that does not exist', async () => {
    const answer = await call(emulator, { host: 'nobody.vault.azure.net', path: '/keys?api-version=7.6' })
    expect([answer.status, answer.json.error]).toEqual([
      404,
      {
        code: 'NotFound',
        message: "The emulator has no vault with the host name 'nobody.vault.azure.net', and nothing else at /keys.",
      },
    ])
  })
})
