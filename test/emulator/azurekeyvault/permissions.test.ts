import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  allPermissions,
  type KeyVaultEmulator,
  type Permission,
  startKeyVaultEmulator,
} from '../../../src/emulator/azurekeyvault/index.ts'
import {
  call,
  clientOf,
  credentialOf,
  failure,
  owner,
  pkcs8,
  publicKeyOf,
  sharedRsaKeyPairs,
  tenantId,
  tokenOf,
  transferBlob,
  versionOf,
  wrapFor,
} from './harness.ts'

const limited = { tenantId, clientId: 'limited', clientSecret: 'limited-secret' }
const host = 'premium.vault.azure.net'

let emulator: KeyVaultEmulator
let token: string
let ownerToken: string

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'premium', kind: 'premium' },
      { name: 'roles', kind: 'premium', authorization: 'rbac' },
      { name: 'pool', kind: 'managedhsm' },
      { name: 'walled', kind: 'premium', firewall: true },
    ],
    principals: [owner, limited],
    rsaKeyPairs: sharedRsaKeyPairs,
  })
  token = await tokenOf(emulator, limited)
  ownerToken = await tokenOf(emulator)
})
afterAll(() => emulator.close())
afterEach(() => emulator.restrict('limited', null, null))

const ask = (method: string, path: string, body?: unknown, as = token) =>
  call(emulator, { method, host, token: as, body, path: `${path}?api-version=7.6` })

const all = new Set<Permission>(allPermissions)
const without = (permission: Permission) => [...all].filter((name) => name !== permission)

describe('each operation needs its own permission and no other', () => {
  const crypto = { alg: 'RS256', value: 'AAAA', digest: 'AAAA' }
  const cases: [Permission, string, string, unknown?][] = [
    ['create', 'POST', '/keys/k/create', { kty: 'EC' }],
    ['import', 'PUT', '/keys/k', {}],
    ['get', 'GET', '/keys/k'],
    ['get', 'GET', '/keys/k/'],
    ['get', 'GET', '/keys/k/0123'],
    ['get', 'GET', '/deletedkeys/k'],
    ['get', 'GET', '/keys/k//attestation'],
    ['list', 'GET', '/keys'],
    ['list', 'GET', '/keys/k/versions'],
    ['list', 'GET', '/deletedkeys'],
    ['update', 'PATCH', '/keys/k', {}],
    ['update', 'PATCH', '/keys/k/0123', {}],
    ['delete', 'DELETE', '/keys/none'],
    ['recover', 'POST', '/deletedkeys/k/recover'],
    ['purge', 'DELETE', '/deletedkeys/k'],
    ['encrypt', 'POST', '/keys/k//encrypt', crypto],
    ['decrypt', 'POST', '/keys/k//decrypt', crypto],
    ['sign', 'POST', '/keys/k//sign', crypto],
    ['verify', 'POST', '/keys/k//verify', crypto],
    ['wrapKey', 'POST', '/keys/k//wrapkey', crypto],
    ['unwrapKey', 'POST', '/keys/k//unwrapkey', crypto],
  ]

  test.each(cases)('%s: %s %s', async (permission, method, path, body) => {
    await ask('POST', '/keys/k/create', { kty: 'EC' }, ownerToken)
    emulator.restrict('limited', without(permission))
    const refused = await ask(method, path, body)
    expect(refused.status).toBe(403)
    expect(refused.json.error).toEqual({
      code: 'Forbidden',
      message: expect.stringMatching(
        new RegExp(
          `^The user, group or application 'appid=limited;oid=[0-9a-f-]{36};iss=https://sts.windows.net/${tenantId}/' does not ` +
            `have keys ${permission} permission on key vault 'premium;location=westeurope'\\.`,
        ),
      ),
      innererror: { code: 'AccessDenied' },
    })
    emulator.restrict('limited', [permission])
    const answer = await ask(method, path, body)
    expect(answer.json.error?.innererror?.code).not.toBe('AccessDenied')
  })
})

test('create, delete, get, import and update are enough for the whole life of a key, and each is needed', async () => {
  const five: Permission[] = ['create', 'delete', 'get', 'import', 'update']
  const { privateKey } = await sharedRsaKeyPairs(2048)
  const life = async (name: string) => {
    const client = clientOf(emulator, host, credentialOf(emulator, limited))
    const kek = await client.createRsaKey(`kek-${name}`, { hsm: true, keySize: 2048, keyOps: ['import'] })
    const blob = transferBlob(kek.id ?? '', wrapFor(publicKeyOf(kek.key ?? {}), pkcs8(privateKey)))
    await client.importKey(name, { kty: 'RSA-HSM', t: blob })
    const { properties } = await client.getKey(name)
    await client.updateKeyProperties(name, properties.version ?? '', { enabled: false })
    await client.beginDeleteKey(name, { intervalInMs: 1 })
  }
  emulator.restrict('limited', five)
  await life('whole')
  for (const missing of five) {
    emulator.restrict(
      'limited',
      without(missing).filter((permission) => five.includes(permission)),
    )
    const error = await failure(life(`without-${missing}`))
    expect(error).toMatchObject({ status: 403, code: 'Forbidden', inner: 'AccessDenied' })
    expect(error.message).toContain(`does not have keys ${missing} permission`)
  }
})

test('a principal can be kept to some vaults', async () => {
  emulator.restrict('limited', null, ['Roles'])
  expect((await ask('GET', '/keys')).status).toBe(403)
  emulator.restrict('limited', ['list'], ['PREMIUM'])
  expect((await ask('GET', '/keys')).status).toBe(200)
  emulator.restrict('limited', [])
  expect((await ask('GET', '/keys')).status).toBe(403)
})

test('a vault with role assignments names the action and the resource', async () => {
  emulator.restrict('limited', [])
  const answer = await call(emulator, {
    method: 'PUT',
    host: 'roles.vault.azure.net',
    token,
    body: {},
    path: '/keys/orders?api-version=7.6',
  })
  expect(answer.status).toBe(403)
  expect(answer.json.error?.innererror?.code).toBe('ForbiddenByRbac')
  expect(answer.json.error?.message).toMatch(/^Caller is not authorized to perform action on resource\.\r\n/)
  expect(answer.json.error?.message).toContain("Action: 'Microsoft.KeyVault/vaults/keys/import/action'")
  expect(answer.json.error?.message).toContain("/vaults/roles/keys/orders'")
})

test('a Managed HSM names its own action, and the request', async () => {
  emulator.restrict('limited', [])
  const hsmToken = await tokenOf(emulator, limited, 'https://managedhsm.azure.net')
  const answer = await call(emulator, {
    host: 'pool.managedhsm.azure.net',
    token: hsmToken,
    path: '/keys/k?api-version=7.6',
  })
  expect([answer.status, answer.json.error?.innererror?.code]).toEqual([403, 'ForbiddenByRbac'])
  expect(answer.json.error?.message).toMatch(/managedHsm\/keys\/read\/action.*\(Activity ID: [0-9a-f-]{36}\)$/)
})

test('a closed firewall refuses everybody who is known', async () => {
  const answer = await call(emulator, { host: 'walled.vault.azure.net', token, path: '/keys?api-version=7.6' })
  expect([answer.status, answer.json.error?.innererror?.code]).toEqual([403, 'ForbiddenByFirewall'])
  expect(answer.json.error?.message).toMatch(/^Client address is not authorized and caller is not a trusted service\./)
  expect((await call(emulator, { host: 'walled.vault.azure.net', path: '/keys?api-version=7.6' })).status).toBe(401)
})

test('403 comes before 404 and before what is wrong with the name or the body', async () => {
  emulator.restrict('limited', [])
  for (const [method, path, body] of [
    ['GET', '/keys/none', undefined],
    ['GET', '/keys/a_b', undefined],
    ['PUT', '/keys/k', '{'],
  ] as const) {
    expect((await ask(method, path, body)).status).toBe(403)
  }
})

test('wrong restrictions are refused', () => {
  expect(() => emulator.restrict('nobody', [])).toThrow('There is no principal with client id nobody.')
  expect(() => emulator.restrict('limited', ['fly' as Permission])).toThrow(
    /^Not a permission: fly\. There are backup, /,
  )
})

test('the version in a path that is refused is not looked at', async () => {
  const made = await ask('POST', '/keys/k2/create', { kty: 'EC' }, ownerToken)
  emulator.restrict('limited', ['get'])
  expect((await ask('GET', `/keys/k2/${versionOf(made)}`)).status).toBe(200)
})
