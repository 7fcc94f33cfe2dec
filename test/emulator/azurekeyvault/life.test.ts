import { createHash, generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import type { KeyClient, KeyVaultKey } from '@azure/keyvault-keys'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import {
  clientOf,
  credentialOf,
  cryptographyOf,
  failure,
  owner,
  pkcs8,
  publicKeyOf,
  sharedRsaKeyPairs,
  transferBlob,
  wrapFor,
} from './harness.ts'

/** Whole lives of keys with the genuine SDK, at the real host names, with challenge verification on. */

let emulator: KeyVaultEmulator

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'premium', kind: 'premium' },
      { name: 'pool', kind: 'managedhsm' },
    ],
    principals: [owner],
    rsaKeyPairs: sharedRsaKeyPairs,
  })
})
afterAll(() => emulator.close())

const createKek = (client: KeyClient) => client.createRsaKey('kek', { hsm: true, keySize: 2048, keyOps: ['import'] })

const blobFor = (kek: KeyVaultKey, plaintext: Buffer) =>
  transferBlob(kek.id ?? '', wrapFor(publicKeyOf(kek.key ?? {}), plaintext))

async function deleteAndPurge(client: KeyClient, name: string): Promise<void> {
  const poller = await client.beginDeleteKey(name, { intervalInMs: 1 })
  const deleted = await poller.pollUntilDone()
  expect(deleted.properties.recoveryId).toBe(`${client.vaultUrl}/deletedkeys/${name}`)
  expect(await failure(client.getKey(name))).toMatchObject({ status: 404, code: 'KeyNotFound' })
  await client.purgeDeletedKey(name)
  expect(await failure(client.getDeletedKey(name))).toMatchObject({ status: 404, code: 'KeyNotFound' })
}

describe('the life of a key', () => {
  test('RSA: KEK, import by BYOK, get, encrypt here and decrypt there, disable, delete, purge', async () => {
    const client = clientOf(emulator, 'premium.vault.azure.net')
    const kek = await createKek(client)
    expect(kek.id).toMatch(/^https:\/\/premium\.vault\.azure\.net\/keys\/kek\/[0-9a-f]{32}$/)
    expect([kek.keyType, kek.keyOperations]).toEqual(['RSA-HSM', ['import']])

    const { privateKey } = await sharedRsaKeyPairs(3072)
    const imported = await client.importKey(
      'orders',
      { kty: 'RSA-HSM', keyOps: ['encrypt', 'decrypt'], t: blobFor(kek, pkcs8(privateKey)) },
      { hardwareProtected: true, enabled: true, tags: { 'import-id': 'one' } },
    )
    const here = privateKey.export({ format: 'jwk' })
    const publicKey = publicKeyOf(imported.key ?? {})
    expect(publicKey.export({ format: 'jwk' })).toMatchObject({ n: here.n, e: here.e })

    const got = await client.getKey('orders')
    expect(got.id).toBe(imported.id)
    expect(got.properties).toMatchObject({
      enabled: true,
      exportable: false,
      hsmPlatform: '2',
      recoverableDays: 90,
      recoveryLevel: 'Recoverable+Purgeable',
      tags: { 'import-id': 'one' },
    })

    const crypto = cryptographyOf(emulator, got)
    for (const algorithm of ['RSA1_5', 'RSA-OAEP', 'RSA-OAEP-256'] as const) {
      const { result } = await crypto.encrypt({ algorithm, plaintext: Buffer.from('hello') })
      const back = await crypto.decrypt({ algorithm, ciphertext: result })
      expect(Buffer.from(back.result).toString()).toBe('hello')
    }
    // The SDK encrypts by itself where it can, which is not with RSA-OAEP-256.
    const operations = emulator.requests.map(({ operation }) => operation)
    expect(operations.filter((name) => name === 'encrypt')).toHaveLength(1)
    expect(operations.filter((name) => name === 'decrypt')).toHaveLength(3)

    const version = got.properties.version ?? ''
    await client.updateKeyProperties('orders', version, { enabled: false })
    expect((await client.getKey('orders')).properties.enabled).toBe(false)
    await client.updateKeyProperties('orders', version, { enabled: true })
    await deleteAndPurge(client, 'orders')
  })

  test.each([
    ['P-256', 'ES256', 'sha256', 'prime256v1'],
    ['P-384', 'ES384', 'sha384', 'secp384r1'],
    ['P-521', 'ES512', 'sha512', 'secp521r1'],
    ['P-256K', 'ES256K', 'sha256', 'secp256k1'],
  ] as const)('EC on %s: import by BYOK, sign there and verify here and there', async (curve, algorithm, hash, namedCurve) => {
    const client = clientOf(emulator, 'premium.vault.azure.net')
    const kek = await createKek(client)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve })
    const name = `ec-${curve}`
    const imported = await client.importKey(name, {
      kty: 'EC-HSM',
      crv: curve,
      keyOps: ['sign', 'verify'],
      t: blobFor(kek, pkcs8(privateKey)),
    })
    const message = randomBytes(40)
    const digest = createHash(hash).update(message).digest()
    const remote = cryptographyOf(emulator, imported.id ?? '')
    const { result } = await remote.sign(algorithm, digest)
    const publicKey = publicKeyOf(imported.key ?? {})
    expect(verify(hash, message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, result)).toBe(true)
    expect((await remote.verify(algorithm, digest, result)).result).toBe(true)
    const wrong = createHash(hash).update('another message').digest()
    expect((await remote.verify(algorithm, wrong, result)).result).toBe(false)
    await deleteAndPurge(client, name)
  })

  test('AES in a Managed HSM: import by BYOK, encrypt, decrypt, wrap, unwrap there', async () => {
    const client = clientOf(emulator, 'pool.managedhsm.azure.net')
    const kek = await createKek(client)
    const imported = await client.importKey('aes', {
      kty: 'oct-HSM',
      keyOps: ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'],
      t: blobFor(kek, randomBytes(32)),
    })
    const crypto = cryptographyOf(emulator, imported.id ?? '')
    const additionalAuthenticatedData = Buffer.from('context')
    const encrypted = await crypto.encrypt({
      algorithm: 'A256GCM',
      plaintext: Buffer.from('hello'),
      additionalAuthenticatedData,
    })
    const { result: ciphertext, iv, authenticationTag } = encrypted
    if (iv === undefined || authenticationTag === undefined) throw new Error('A256GCM gives an iv and a tag.')
    const parameters = { algorithm: 'A256GCM' as const, ciphertext, iv, authenticationTag, additionalAuthenticatedData }
    expect(Buffer.from((await crypto.decrypt(parameters)).result).toString()).toBe('hello')
    expect(
      await failure(crypto.decrypt({ ...parameters, additionalAuthenticatedData: Buffer.from('other') })),
    ).toMatchObject({ status: 400, code: 'BadParameter' })
    const key = randomBytes(32)
    const wrapped = await crypto.wrapKey('A256KW', key)
    expect(wrapped.result).toHaveLength(40)
    expect(Buffer.from((await crypto.unwrapKey('A256KW', wrapped.result)).result).equals(key)).toBe(true)
    await deleteAndPurge(client, 'aes')
  })

  test('software: JWK import into the vault', async () => {
    const client = clientOf(emulator, 'premium.vault.azure.net')
    const { privateKey } = await sharedRsaKeyPairs(2048)
    const jwk = Object.fromEntries(
      Object.entries(privateKey.export({ format: 'jwk' })).map(([name, value]) => [
        name,
        name === 'kty' ? value : Buffer.from(String(value), 'base64url'),
      ]),
    )
    const imported = await client.importKey('software', { ...jwk, keyOps: ['sign'] })
    expect([imported.keyType, imported.properties.hsmPlatform]).toEqual(['RSA', '0'])
    await deleteAndPurge(client, 'software')
  })
})

describe('lists', () => {
  test('pages of any size give each key once, without public keys', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `page-${String(i).padStart(2, '0')}`)
    const pages = await startKeyVaultEmulator({ vaults: [{ name: 'pages', kind: 'standard' }], principals: [owner] })
    const client = clientOf(pages, 'pages.vault.azure.net', credentialOf(pages))
    for (const name of names) await client.createEcKey(name)
    for (let i = 0; i < 30; i++) await client.createEcKey('page-07')
    for (const maxPageSize of [1, 7, 25]) {
      const seen: string[] = []
      for await (const page of client.listPropertiesOfKeys().byPage({ maxPageSize })) {
        expect(page.length).toBeLessThanOrEqual(maxPageSize)
        seen.push(...page.map(({ name }) => name))
      }
      expect(seen).toEqual(names)
    }
    const versions: string[] = []
    for await (const { version } of client.listPropertiesOfKeyVersions('page-07')) versions.push(version ?? '')
    expect(versions).toHaveLength(31)
    expect(new Set(versions).size).toBe(31)
    for (const name of names.slice(0, 30)) await client.beginDeleteKey(name, { intervalInMs: 1 })
    const deleted: string[] = []
    for await (const { name, properties } of client.listDeletedKeys()) {
      deleted.push(name)
      expect(properties.recoveryId).toBe(`https://pages.vault.azure.net/deletedkeys/${name}`)
    }
    expect(deleted).toEqual(names.slice(0, 30))
    await pages.close()
  })
})
