import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { kidOf, owner, pkcs8, publicKeyOf, sharedRsaKeyPairs, transferBlob, vaultCaller, wrapFor } from './harness.ts'

let emulator: KeyVaultEmulator
let vault: Awaited<ReturnType<typeof vaultCaller>>
let hsm: typeof vault
let kek: { kid: string; publicKey: KeyObject }
let hsmKek: typeof kek
let rsa: KeyObject
const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey

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

const header = (change: Record<string, unknown>) => ({
  header: { kid: kek.kid, alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP', ...change },
})

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
  hsm = await vaultCaller(emulator, 'pool.managedhsm.azure.net')
  rsa = (await sharedRsaKeyPairs(2048)).privateKey
  kek = await createKek(vault, 'kek')
  hsmKek = await createKek(hsm, 'kek')
})
afterAll(() => emulator.close())

const importOf = (keyHsm: unknown, key: Record<string, unknown> = { kty: 'RSA-HSM' }) =>
  vault('PUT', '/keys/target', { key: { ...key, key_hsm: keyHsm }, attributes: {} })

describe('a transfer blob that is wrong: 400 BadParameter', () => {
  const good = () => wrapFor(kek.publicKey, pkcs8(rsa))
  const invalid = (problem: string) => `The key transfer blob (key_hsm) is not valid: ${problem}.`
  const unusable = (problem: string) => `The key exchange key of the key transfer blob cannot be used: ${problem}.`
  const failed = (problem: string) => `The ciphertext of the key transfer blob cannot be unwrapped: ${problem}.`
  const misfit = (problem: string) => `The key in the key transfer blob does not fit the request: ${problem}.`
  const notJson = invalid('it must be the whole content of a .byok file, a JSON text')
  const otherHost = 'https://other.vault.azure.net/keys/kek'

  type Case = [what: string, inner: string, message: string, keyHsm: () => unknown, key?: Record<string, unknown>]
  const cases: Case[] = [
    ['not a string', 'KeyTransferBlobInvalid', invalid('key_hsm must be a string in base64url'), () => 7],
    ['empty', 'KeyTransferBlobInvalid', invalid('key_hsm must be a string in base64url'), () => ''],
    [
      'padded base64url',
      'KeyTransferBlobInvalid',
      invalid('key_hsm is not base64url without padding'),
      () => `${Buffer.from('{"a":1}').toString('base64url')}==`,
    ],
    [
      'base64 of the other alphabet',
      'KeyTransferBlobInvalid',
      invalid('key_hsm is not base64url without padding'),
      () => Buffer.from([0xfb, 0xff, 0xfe]).toString('base64'),
    ],
    ['the ciphertext without its envelope', 'KeyTransferBlobInvalid', notJson, () => good().toString('base64url')],
    ['not UTF-8', 'KeyTransferBlobInvalid', notJson, () => Buffer.from([0x22, 0xff, 0x22]).toString('base64url')],
    [
      'a JSON array',
      'KeyTransferBlobInvalid',
      invalid('it must be a JSON object'),
      () => Buffer.from('[]').toString('base64url'),
    ],
    [
      'another schema_version',
      'KeyTransferBlobInvalid',
      invalid('schema_version must be "1.0.0"'),
      () => blob(good(), { schema_version: '1.0' }),
    ],
    [
      'no schema_version',
      'KeyTransferBlobInvalid',
      invalid('schema_version must be "1.0.0"'),
      () => blob(good(), { schema_version: undefined }),
    ],
    [
      'no header',
      'KeyTransferBlobInvalid',
      invalid('header must be a JSON object'),
      () => blob(good(), { header: null }),
    ],
    [
      'another alg',
      'KeyTransferBlobInvalid',
      invalid('alg must be "dir"'),
      () => blob(good(), header({ alg: 'RSA-OAEP' })),
    ],
    [
      'another enc',
      'KeyTransferBlobInvalid',
      invalid('enc must be "CKM_RSA_AES_KEY_WRAP"'),
      () => blob(good(), header({ enc: 'RSA_AES_KEY_WRAP_256' })),
    ],
    [
      'a kid that is no string',
      'KeyTransferBlobInvalid',
      invalid('kid must be a string'),
      () => blob(good(), header({ kid: 1 })),
    ],
    [
      'a padded ciphertext',
      'KeyTransferBlobInvalid',
      invalid('ciphertext is not base64url without padding'),
      () => blob(good(), { ciphertext: `${good().toString('base64url')}=` }),
    ],
    [
      'no ciphertext',
      'KeyTransferBlobInvalid',
      invalid('ciphertext must be a string in base64url'),
      () => blob(good(), { ciphertext: undefined }),
    ],
    [
      'a kid that is only a name',
      'KeyExchangeKeyInvalid',
      unusable('kid must be a full key identifier, https://<vault>/keys/<name>/<version>'),
      () => blob(good(), {}, 'kek'),
    ],
    [
      'a kid over http',
      'KeyExchangeKeyInvalid',
      unusable('kid must be a full key identifier, https://<vault>/keys/<name>/<version>'),
      () => blob(good(), {}, kek.kid.replace('https', 'http')),
    ],
    [
      'a kid without version',
      'KeyExchangeKeyInvalid',
      unusable('kid must end with the version of the key'),
      () => blob(good(), {}, kek.kid.replace(/\/[^/]+$/, '')),
    ],
    [
      'a kid in another vault, even of the same name and version',
      'KeyExchangeKeyInvalid',
      unusable('it is not in this vault (premium.vault.azure.net)'),
      () => blob(good(), {}, `${otherHost}/${kek.kid.split('/').at(-1)}`),
    ],
    [
      'an unknown name',
      'KeyExchangeKeyInvalid',
      unusable('there is no such key or version'),
      () => blob(good(), {}, kek.kid.replace('/kek/', '/keks/')),
    ],
    [
      'an unknown version',
      'KeyExchangeKeyInvalid',
      unusable('there is no such key or version'),
      () => blob(good(), {}, kek.kid.replace(/[^/]+$/, '0'.repeat(32))),
    ],
    [
      'a ciphertext with the AES key alone',
      'KeyUnwrapFailed',
      failed('it has 256 bytes, and the wrapped AES key alone has 256'),
      () => blob(good().subarray(0, 256)),
    ],
    [
      'OAEP with SHA-256',
      'KeyUnwrapFailed',
      failed('RSA-OAEP with SHA-1 fails with this key exchange key'),
      () => blob(wrapFor(kek.publicKey, pkcs8(rsa), { oaepHash: 'sha256' })),
    ],
    [
      'another RSA key',
      'KeyUnwrapFailed',
      failed('RSA-OAEP with SHA-1 fails with this key exchange key'),
      () => blob(wrapFor(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey, pkcs8(rsa))),
    ],
    [
      'an AES-128 key',
      'KeyUnwrapFailed',
      failed('the ephemeral key must be AES-256, 32 bytes, and has 16'),
      () => blob(wrapFor(kek.publicKey, pkcs8(rsa), { ephemeral: randomBytes(16) })),
    ],
    [
      'a changed last byte',
      'KeyUnwrapFailed',
      failed('AES key wrap with padding (RFC 5649) finds it not authentic'),
      () => {
        const bytes = good()
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
        return blob(bytes)
      },
    ],
    [
      'a missing last byte',
      'KeyUnwrapFailed',
      failed('AES key wrap with padding (RFC 5649) finds it not authentic'),
      () => blob(good().subarray(0, -1)),
    ],
    [
      'a plaintext that is no PKCS#8',
      'KeyMaterialInvalid',
      misfit('it must be PKCS#8 in DER'),
      () => blob(wrapFor(kek.publicKey, randomBytes(64))),
    ],
    [
      'PKCS#1 in place of PKCS#8',
      'KeyMaterialInvalid',
      misfit('it must be PKCS#8 in DER'),
      () => blob(wrapFor(kek.publicKey, rsa.export({ format: 'der', type: 'pkcs1' }))),
    ],
    [
      'PKCS#8 in PEM',
      'KeyMaterialInvalid',
      misfit('it must be PKCS#8 in DER'),
      () => blob(wrapFor(kek.publicKey, Buffer.from(rsa.export({ format: 'pem', type: 'pkcs8' })))),
    ],
    [
      'PKCS#8 with a byte after it',
      'KeyMaterialInvalid',
      misfit('it must be PKCS#8 in DER'),
      () => blob(wrapFor(kek.publicKey, Buffer.concat([pkcs8(rsa), Buffer.from([0])]))),
    ],
    [
      'an EC key for RSA-HSM',
      'KeyMaterialInvalid',
      misfit('the key is of type ec, and kty is RSA-HSM'),
      () => blob(wrapFor(kek.publicKey, pkcs8(ec))),
    ],
    [
      'an RSA key for EC-HSM',
      'KeyMaterialInvalid',
      misfit('the key is of type rsa, and kty is EC-HSM'),
      () => blob(good()),
      { kty: 'EC-HSM', crv: 'P-256' },
    ],
    [
      'another curve than crv says',
      'KeyMaterialInvalid',
      misfit('the key is on curve P-256, and crv is P-384'),
      () => blob(wrapFor(kek.publicKey, pkcs8(ec))),
      { kty: 'EC-HSM', crv: 'P-384' },
    ],
    [
      'RSA of 1,024 bits',
      'KeyMaterialInvalid',
      misfit('an RSA key has 2048, 3072 or 4096 bits, and this one 1024'),
      () => blob(wrapFor(kek.publicKey, pkcs8(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey))),
    ],
    [
      'an Ed25519 key',
      'KeyMaterialInvalid',
      misfit('the key is of type ed25519, and kty is EC-HSM'),
      () => blob(wrapFor(kek.publicKey, pkcs8(generateKeyPairSync('ed25519').privateKey))),
      { kty: 'EC-HSM', crv: 'P-256' },
    ],
    [
      'EC-HSM without crv',
      'CurveNotSupported',
      'Unsupported curve: undefined. Supported values are P-256, P-384, P-521, P-256K.',
      () => blob(wrapFor(kek.publicKey, pkcs8(ec))),
      { kty: 'EC-HSM' },
    ],
  ]

  test.each(cases)('%s', async (_what, inner, message, keyHsm, key) => {
    const before = emulator.requests.length
    const answer = await importOf(keyHsm(), key)
    expect(answer.json.error).toEqual({ code: 'BadParameter', message, innererror: { code: inner } })
    expect(answer.status).toBe(400)
    expect(emulator.requests.slice(before)).toHaveLength(1)
  })

  test('a symmetric key of another length', async () => {
    const key = { kty: 'oct-HSM', key_hsm: blob(wrapFor(hsmKek.publicKey, randomBytes(20)), {}, hsmKek.kid) }
    const { error } = (await hsm('PUT', '/keys/short', { key })).json
    expect(error?.message).toMatch(
      /a symmetric key has 16, 24 or 32 bytes, and this one 20\. \(Activity ID: [0-9a-f-]{36}\)$/,
    )
    expect(error?.innererror?.code).toBe('KeyMaterialInvalid')
  })

  test('nothing of a refused import is left', async () => {
    const name = '/keys/never-made'
    const key = { kty: 'RSA-HSM', key_hsm: 'AAAA' }
    expect((await vault('PUT', name, { key })).status).toBe(400)
    expect((await vault('GET', name)).status).toBe(404)
  })
})
