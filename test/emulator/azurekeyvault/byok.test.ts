import { createDecipheriv, createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { kidOf, owner, pkcs8, publicKeyOf, sharedRsaKeyPairs, transferBlob, vaultCaller, wrapFor } from './harness.ts'

let emulator: KeyVaultEmulator
let vault: Awaited<ReturnType<typeof vaultCaller>>
let other: typeof vault
let hsm: typeof vault
let kek: { kid: string; publicKey: KeyObject }
let hsmKek: typeof kek
let rsa: KeyObject

async function createKek(
  caller: typeof vault,
  name: string,
  changes: Record<string, unknown> = {},
): Promise<typeof kek> {
  const answer = await caller('POST', `/keys/${name}/create`, {
    kty: 'RSA-HSM',
    key_size: 2048,
    key_ops: ['import'],
    ...changes,
  })
  expect(answer.status).toBe(200)
  const bytes = (name: string) => Buffer.from(String(answer.json.key?.[name]), 'base64url')
  return { kid: kidOf(answer), publicKey: publicKeyOf({ n: bytes('n'), e: bytes('e') }) }
}

const blob = (ciphertext: Buffer, change: Record<string, unknown> = {}, kid = kek.kid) =>
  Buffer.from(transferBlob(kid, ciphertext, change)).toString('base64url')

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'premium', kind: 'premium' },
      { name: 'other', kind: 'premium' },
      { name: 'standard', kind: 'standard' },
      { name: 'pool', kind: 'managedhsm' },
    ],
    principals: [owner],
    rsaKeyPairs: sharedRsaKeyPairs,
  })
  vault = await vaultCaller(emulator, 'premium.vault.azure.net')
  other = await vaultCaller(emulator, 'other.vault.azure.net')
  hsm = await vaultCaller(emulator, 'pool.managedhsm.azure.net')
  rsa = (await sharedRsaKeyPairs(2048)).privateKey
  kek = await createKek(vault, 'kek')
  hsmKek = await createKek(hsm, 'kek')
})
afterAll(() => emulator.close())

const importOf = (keyHsm: unknown, key: Record<string, unknown> = { kty: 'RSA-HSM' }) =>
  vault('PUT', '/keys/target', { key: { ...key, key_hsm: keyHsm }, attributes: {} })

const curves = [
  ['P-256', 'prime256v1'],
  ['P-384', 'secp384r1'],
  ['P-521', 'secp521r1'],
  ['P-256K', 'secp256k1'],
] as const

describe('a transfer blob that is right', () => {
  test.each([2048, 3072, 4096])('RSA of %i bits', async (bits) => {
    const { privateKey } = await sharedRsaKeyPairs(bits)
    const answer = await importOf(blob(wrapFor(kek.publicKey, pkcs8(privateKey))))
    expect(answer.status).toBe(200)
    expect(answer.json.key).toMatchObject({
      kty: 'RSA-HSM',
      n: privateKey.export({ format: 'jwk' }).n,
      key_ops: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
    })
    expect(answer.json.attributes).toMatchObject({ enabled: true, exportable: false, hsmPlatform: '2' })
  })

  test.each([2048, 3072, 4096])('under a KEK of %i bits', async (bits) => {
    const sized = await createKek(vault, `kek${bits}`, { key_size: bits })
    const answer = await importOf(blob(wrapFor(sized.publicKey, pkcs8(rsa)), {}, sized.kid))
    expect(answer.status).toBe(200)
  })

  test.each(curves)('EC on %s', async (crv, namedCurve) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve })
    const answer = await vault('PUT', `/keys/ec-${crv}`, {
      key: { kty: 'EC-HSM', crv, key_ops: ['sign'], key_hsm: blob(wrapFor(kek.publicKey, pkcs8(privateKey))) },
    })
    expect(answer.status).toBe(200)
    const { x, y } = privateKey.export({ format: 'jwk' })
    expect(answer.json.key).toMatchObject({ kty: 'EC-HSM', crv, x, y, key_ops: ['sign'] })
  })

  test.each([16, 24, 32])('a symmetric key of %i bytes, in a Managed HSM only', async (length) => {
    const secret = randomBytes(length)
    const wrapped = wrapFor(hsmKek.publicKey, secret)
    const key = { kty: 'oct-HSM', key_ops: ['encrypt', 'decrypt'], key_hsm: blob(wrapped, {}, hsmKek.kid) }
    const answer = await hsm('PUT', '/keys/aes', { key })
    expect(answer.status).toBe(200)
    expect(answer.json.key).toEqual({ kid: expect.any(String), kty: 'oct-HSM', key_ops: ['encrypt', 'decrypt'] })
    expect(answer.text).not.toContain(secret.toString('base64url'))
    const encrypted = await hsm('POST', '/keys/aes//encrypt', { alg: `A${length * 8}GCM`, value: 'aGVsbG8' })
    const bytes = (name: string) => Buffer.from(String(encrypted.json[name]), 'base64url')
    const decipher = createDecipheriv(
      `aes-${length * 8}-gcm` as 'aes-256-gcm',
      createSecretKey(secret),
      bytes('iv'),
    ).setAuthTag(bytes('tag'))
    expect(Buffer.concat([decipher.update(bytes('value')), decipher.final()]).toString()).toBe('hello')
    expect((await vault('PUT', '/keys/aes', { key })).json.error).toEqual({
      code: 'BadParameter',
      message: 'Invalid kty value: oct-HSM',
      innererror: { code: 'KeyTypeNotSupported' },
    })
  })

  test('kid without regard to case, JSON with white space, any generator; RSA without HSM for testing', async () => {
    const upper = kek.kid.replace('premium.vault.azure.net/keys/kek', 'PREMIUM.vault.azure.net/keys/KEK')
    const spaced = JSON.stringify(
      JSON.parse(
        Buffer.from(blob(wrapFor(kek.publicKey, pkcs8(rsa)), { generator: 7 }, upper), 'base64url').toString(),
      ),
      null,
      2,
    )
    const answer = await importOf(Buffer.from(spaced).toString('base64url'), { kty: 'RSA' })
    expect(answer.status).toBe(200)
    expect(answer.json.key).toMatchObject({ kty: 'RSA' })
    expect(answer.json.attributes).toMatchObject({ hsmPlatform: '0' })
  })

  test('each import under a name is a new version, and the newest is the current one', async () => {
    const put = (key: KeyObject) =>
      vault('PUT', '/keys/Versions', { key: { kty: 'RSA-HSM', key_hsm: blob(wrapFor(kek.publicKey, pkcs8(key))) } })
    const first = await put(rsa)
    const second = await put((await sharedRsaKeyPairs(3072)).privateKey)
    const ids = [first, second].map(kidOf)
    expect(new Set(ids).size).toBe(2)
    expect((await vault('GET', '/keys/versions')).json.key).toMatchObject({ kid: ids[1] })
    expect((await vault('GET', `/keys/VERSIONS/${ids[0]?.split('/').at(-1)}`)).json.key).toMatchObject({ kid: ids[0] })
  })
})

describe('a key that is no KEK', () => {
  const refusal = async (kid: string, publicKey: KeyObject) =>
    (await importOf(blob(wrapFor(publicKey, pkcs8(rsa)), {}, kid))).json.error?.message.replace(
      /^The key exchange key of the key transfer blob cannot be used: /,
      '',
    )

  test('RSA-HSM with other operations', async () => {
    const { kid, publicKey } = await createKek(vault, 'wrapper', { key_ops: ['unwrapKey', 'wrapKey'] })
    expect(await refusal(kid, publicKey)).toBe('its only key operation must be "import".')
  })

  test('EC', async () => {
    const answer = await vault('POST', '/keys/curve/create', { kty: 'EC-HSM' })
    expect(await refusal(kidOf(answer), kek.publicKey)).toBe('it must be of type RSA-HSM, and is EC-HSM.')
  })

  test('of the very same material in another vault', async () => {
    const foreign = await createKek(other, 'kek')
    expect(foreign.publicKey.equals(kek.publicKey)).toBe(true)
    expect(await refusal(foreign.kid, foreign.publicKey)).toBe('it is not in this vault (premium.vault.azure.net).')
  })

  test('disabled, not yet valid, expired, deleted', async () => {
    const day = Math.floor(emulator.now() / 1000)
    const states: [string, Record<string, unknown>, string][] = [
      ['disabled', { enabled: false }, 'it is disabled.'],
      ['early', { nbf: day + 86_400 }, 'it is not valid yet.'],
      ['late', { exp: day - 86_400 }, 'it has expired.'],
    ]
    for (const [name, attributes, message] of states) {
      const { kid, publicKey } = await createKek(vault, name, { attributes })
      expect(await refusal(kid, publicKey)).toBe(message)
    }
    const gone = await createKek(vault, 'gone')
    await vault('DELETE', '/keys/gone')
    expect(await refusal(gone.kid, gone.publicKey)).toBe('there is no such key or version.')
  })

  test('an old version of a KEK still works, by its version', async () => {
    const old = await createKek(vault, 'turned')
    await createKek(vault, 'turned', { key_size: 3072 })
    const answer = await importOf(blob(wrapFor(old.publicKey, pkcs8(rsa)), {}, old.kid))
    expect(answer.status).toBe(200)
  })

  test('its operations are fixed, and no other key becomes one', async () => {
    const fixed = await vault('PATCH', '/keys/kek', { key_ops: ['encrypt'] })
    expect(fixed.json.error).toEqual({
      code: 'BadParameter',
      message: 'The key operations of a key exchange key are fixed: "import".',
      innererror: { code: 'KeyOperationsInvalid' },
    })
    await createKek(vault, 'plain', { key_ops: ['decrypt'] })
    const promoted = await vault('PATCH', '/keys/plain', { key_ops: ['import'] })
    expect(promoted.json.error?.message).toMatch(/^Unsupported key operation\(s\): "import"\./)
    expect((await vault('PATCH', '/keys/kek', { key_ops: ['import'], tags: { a: 'b' } })).status).toBe(200)
  })

  test('a standard vault takes no blob, and makes no KEK', async () => {
    const standard = await vaultCaller(emulator, 'standard.vault.azure.net')
    const error = {
      code: 'BadParameter',
      message: 'Hardware key operation not allowed on standard vault',
      innererror: { code: 'KeyTypeNotSupported' },
    }
    const requests: [string, string, unknown][] = [
      ['POST', '/keys/kek/create', { kty: 'RSA-HSM', key_ops: ['import'] }],
      ['PUT', '/keys/target', { key: { kty: 'RSA-HSM', key_hsm: blob(wrapFor(kek.publicKey, pkcs8(rsa))) } }],
      ['PUT', '/keys/target', { key: { kty: 'RSA', key_hsm: blob(wrapFor(kek.publicKey, pkcs8(rsa))) } }],
      ['PUT', '/keys/target', { Hsm: true, key: rsa.export({ format: 'jwk' }) }],
    ]
    for (const [method, path, body] of requests) {
      const answer = await standard(method, path, body)
      expect([answer.status, answer.json.error]).toEqual([400, error])
    }
  })
})
