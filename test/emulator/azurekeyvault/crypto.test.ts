import {
  constants,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signDigest, verifyDigest } from '../../../src/emulator/azurekeyvault/ecdsa.ts'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { owner, sharedRsaKeyPairs, vaultCaller } from './harness.ts'

let emulator: KeyVaultEmulator
let vault: Awaited<ReturnType<typeof vaultCaller>>
let hsm: typeof vault
let rsa: { privateKey: KeyObject; publicKey: KeyObject }
const now = { value: Date.UTC(2026, 5, 1) }

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'premium', kind: 'premium' },
      { name: 'pool', kind: 'managedhsm' },
    ],
    principals: [owner],
    rsaKeyPairs: sharedRsaKeyPairs,
    now: () => now.value,
  })
  vault = await vaultCaller(emulator, 'premium.vault.azure.net')
  hsm = await vaultCaller(emulator, 'pool.managedhsm.azure.net')
  const { privateKey } = await sharedRsaKeyPairs(2048)
  rsa = { privateKey, publicKey: createPublicKey(privateKey) }
  await vault('POST', '/keys/rsa/create', { kty: 'RSA' })
  for (const crv of ['P-256', 'P-384', 'P-521', 'P-256K'])
    await vault('POST', `/keys/${crv}/create`, { kty: 'EC', crv })
  for (const bits of [128, 192, 256]) await hsm('POST', `/keys/aes${bits}/create`, { kty: 'oct-HSM', key_size: bits })
})
afterAll(() => emulator.close())

const encoded = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
const decoded = (value: unknown) => Buffer.from(String(value), 'base64url')
const use = (key: string, operation: string, body: unknown, caller = vault) =>
  caller('POST', `/keys/${key}//${operation}`, body)

async function publicKeyOf(key: string): Promise<KeyObject> {
  const jwk = (await vault('GET', `/keys/${key}`)).json.key ?? {}
  return createPublicKey({
    key: { ...jwk, crv: jwk.crv === 'P-256K' ? 'secp256k1' : String(jwk.crv), kty: String(jwk.kty) },
    format: 'jwk',
  })
}

describe('RSA', () => {
  test.each([
    ['RSA1_5', { padding: constants.RSA_PKCS1_PADDING }],
    ['RSA-OAEP', { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }],
    ['RSA-OAEP-256', { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }],
  ])('%s agrees with node:crypto both ways, for encryption and wrapping', async (alg, padding) => {
    for (const [forward, back] of [
      ['encrypt', 'decrypt'],
      ['wrapkey', 'unwrapkey'],
    ] as const) {
      const value = randomBytes(32)
      const there = await use('rsa', forward, { alg, value: encoded(value) })
      expect(privateDecrypt({ key: rsa.privateKey, ...padding }, decoded(there.json.value)).equals(value)).toBe(true)
      const here = publicEncrypt({ key: rsa.publicKey, ...padding }, value)
      const opened = await use('rsa', back, { alg, value: encoded(here) })
      expect(decoded(opened.json.value).equals(value)).toBe(true)
      expect(opened.json.kid).toBe((await vault('GET', '/keys/rsa')).json.key?.kid)
    }
  })

  test.each([
    ['RS256', 'sha256', false],
    ['RS384', 'sha384', false],
    ['RS512', 'sha512', false],
    ['PS256', 'sha256', true],
    ['PS384', 'sha384', true],
    ['PS512', 'sha512', true],
  ])('%s agrees with node:crypto both ways', async (alg, hash, pss) => {
    const options = pss
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : { padding: constants.RSA_PKCS1_PADDING }
    const message = randomBytes(50)
    const digest = encoded(createHash(hash).update(message).digest())
    const there = await use('rsa', 'sign', { alg, value: digest })
    expect(verify(hash, message, { key: rsa.publicKey, ...options }, decoded(there.json.value))).toBe(true)
    const here = sign(hash, message, { key: rsa.privateKey, ...options })
    const verified = await use('rsa', 'verify', { alg, digest, value: encoded(here) })
    expect(verified.json).toEqual({ value: true })
    for (const [i, change] of [0, 1, here.length - 1].entries()) {
      const changed = Buffer.from(here)
      changed.writeUInt8(changed.readUInt8(change) ^ (1 + i), change)
      expect((await use('rsa', 'verify', { alg, digest, value: encoded(changed) })).json).toEqual({ value: false })
    }
    const other = encoded(createHash(hash).update('other').digest())
    expect((await use('rsa', 'verify', { alg, digest: other, value: encoded(here) })).json).toEqual({ value: false })
    for (const value of ['', encoded(here.subarray(1)), encoded(Buffer.alloc(256, 255))]) {
      expect((await use('rsa', 'verify', { alg, digest, value })).json).toEqual({ value: false })
    }
  })
})

describe('EC', () => {
  test.each([
    ['P-256', 'ES256', 'sha256'],
    ['P-384', 'ES384', 'sha384'],
    ['P-521', 'ES512', 'sha512'],
    ['P-256K', 'ES256K', 'sha256'],
  ])('%s with %s', async (key, alg, hash) => {
    const publicKey = await publicKeyOf(key)
    const message = randomBytes(33)
    const digest = encoded(createHash(hash).update(message).digest())
    const { json } = await use(key, 'sign', { alg, value: digest })
    const signature = decoded(json.value)
    expect(verify(hash, message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true)
    expect((await use(key, 'verify', { alg, digest, value: json.value })).json).toEqual({ value: true })
    const changed = Buffer.from(signature)
    changed.writeUInt8(changed.readUInt8(5) ^ 1, 5)
    const half = signature.length / 2
    const zero = Buffer.concat([Buffer.alloc(half), signature.subarray(half)])
    for (const wrong of [changed, zero, Buffer.alloc(signature.length, 255), signature.subarray(1), Buffer.alloc(0)]) {
      expect((await use(key, 'verify', { alg, digest, value: encoded(wrong) })).json).toEqual({ value: false })
    }
  })

  test.each([
    ['P-256', 'prime256v1', 'sha256'],
    ['P-384', 'secp384r1', 'sha384'],
    ['P-521', 'secp521r1', 'sha512'],
    ['P-256K', 'secp256k1', 'sha256'],
  ])('on %s it agrees with OpenSSL for many keys and digests', (crv, namedCurve, hash) => {
    for (let i = 0; i < 10; i++) {
      const pair = generateKeyPairSync('ec', { namedCurve })
      const message = randomBytes(i)
      const digest = createHash(hash).update(message).digest()
      const options = { dsaEncoding: 'ieee-p1363' } as const
      const theirs = sign(hash, message, { key: pair.privateKey, ...options })
      expect(verifyDigest(crv, pair.publicKey, digest, theirs)).toBe(true)
      expect(verifyDigest(crv, pair.publicKey, createHash(hash).update('other').digest(), theirs)).toBe(false)
      const ours = signDigest(crv, pair.privateKey, digest)
      expect(verify(hash, message, { key: pair.publicKey, ...options }, ours)).toBe(true)
    }
  })
})

test('ECDSA with the keys 1, 2 and n - 1, whose points meet the base point when they are added', () => {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  for (const d of [1n, 2n, n - 1n]) {
    const scalar = Buffer.from(d.toString(16).padStart(64, '0'), 'hex')
    const ecdh = createECDH('prime256v1')
    ecdh.setPrivateKey(scalar)
    const point = ecdh.getPublicKey()
    const jwk = {
      kty: 'EC',
      crv: 'P-256',
      d: encoded(scalar),
      x: encoded(point.subarray(1, 33)),
      y: encoded(point.subarray(33)),
    }
    const privateKey = createPrivateKey({ key: jwk, format: 'jwk' })
    const publicKey = createPublicKey(privateKey)
    for (let i = 0; i < 20; i++) {
      const message = randomBytes(8)
      const digest = createHash('sha256').update(message).digest()
      const signature = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      expect(verifyDigest('P-256', publicKey, digest, signature)).toBe(true)
      expect(verifyDigest('P-256', publicKey, randomBytes(32), signature)).toBe(false)
    }
  }
})

describe('AES', () => {
  test.each([128, 192, 256])('%i bits: GCM, CBC, CBCPAD and KW there and back', async (bits) => {
    const key = `aes${bits}`
    const iv = encoded(randomBytes(16))
    for (const [alg, value, parameters] of [
      [`A${bits}GCM`, randomBytes(20), { aad: 'AAAA' }],
      [`A${bits}GCM`, Buffer.alloc(0), {}],
      [`A${bits}CBC`, randomBytes(32), { iv }],
      [`A${bits}CBCPAD`, randomBytes(20), { iv }],
    ] as const) {
      const { json } = await use(key, 'encrypt', { alg, value: encoded(value), ...parameters }, hsm)
      expect(json.error).toBeUndefined()
      const back = await use(key, 'decrypt', { alg, ...json, ...parameters }, hsm)
      expect(decoded(back.json.value).equals(value)).toBe(true)
    }
    const wrapped = await use(key, 'wrapkey', { alg: `A${bits}KW`, value: encoded(randomBytes(24)) }, hsm)
    const unwrapped = await use(key, 'unwrapkey', { alg: `A${bits}KW`, value: wrapped.json.value }, hsm)
    expect(decoded(unwrapped.json.value)).toHaveLength(24)
  })

  test('what does not decrypt', async () => {
    const { json } = await use('aes256', 'encrypt', { alg: 'A256GCM', value: 'AAAA' }, hsm)
    for (const change of [
      { value: 'BBBB' },
      { tag: encoded(Buffer.alloc(16)) },
      { tag: 'AAAA' },
      { tag: undefined },
      { iv: undefined },
      { iv: 'AAAA' },
      { aad: 'AAAA' },
    ]) {
      const answer = await use('aes256', 'decrypt', { alg: 'A256GCM', ...json, ...change }, hsm)
      expect([answer.status, answer.json.error?.code]).toEqual([400, 'BadParameter'])
      expect(answer.json.value).toBeUndefined()
    }
    for (const value of [encoded(Buffer.alloc(24)), 'AAAA', '']) {
      const answer = await use('aes256', 'unwrapkey', { alg: 'A256KW', value }, hsm)
      expect([answer.status, answer.json.value]).toEqual([400, undefined])
    }
  })
})

test('a private key never leaves', async () => {
  const { d } = rsa.privateKey.export({ format: 'jwk' })
  expect(
    createPrivateKey({ key: rsa.privateKey.export({ format: 'jwk' }), format: 'jwk' }).equals(rsa.privateKey),
  ).toBe(true)
  for (const path of ['/keys', '/keys/rsa', '/keys/rsa/versions']) {
    expect((await vault('GET', path)).text).not.toContain(d)
  }
})
