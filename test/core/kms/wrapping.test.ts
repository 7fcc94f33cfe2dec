import { execFileSync } from 'node:child_process'
import {
  constants,
  createDecipheriv,
  createPublicKey,
  generateKeyPairSync,
  privateDecrypt,
  randomBytes,
} from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { wrapAesKwp, wrapRsaAes } from '../../../src/core/kms/wrapping.ts'

interface Vectors {
  testGroups: { keySize: number; tests: { tcId: number; key: string; msg: string; ct: string; result: string }[] }[]
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/aes_kwp_test.json', import.meta.url), 'utf8')) as Vectors
const tests256 = vectors.testGroups.filter(({ keySize }) => keySize === 256).flatMap(({ tests }) => tests)
const valid = tests256.filter(({ result }) => result === 'valid')

describe('AES key wrap with padding (RFC 5649)', () => {
  it('has vectors to be tested with', () => expect(valid.length).toBeGreaterThan(20))

  it.each(valid)('Wycheproof aes_kwp $tcId', ({ key, msg, ct }) => {
    expect(wrapAesKwp(Buffer.from(key, 'hex'), Buffer.from(msg, 'hex')).toString('hex')).toBe(ct)
  })

  it('gives nothing that Wycheproof calls invalid', () => {
    for (const { key, msg, ct, result } of tests256) {
      if (result !== 'invalid' || msg === '') continue
      expect(wrapAesKwp(Buffer.from(key, 'hex'), Buffer.from(msg, 'hex')).toString('hex')).not.toBe(ct)
    }
  })

  it('has 8 bytes more than the plaintext rounded up to 8, and opens to it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 1, maxLength: 3000 }),
        (key, text) => {
          const wrapped = wrapAesKwp(Buffer.from(key), Buffer.from(text))
          expect(wrapped.length).toBe(8 + Math.ceil(text.length / 8) * 8)
          const decipher = createDecipheriv('id-aes256-wrap-pad', key, Buffer.from('a65959a6', 'hex'))
          expect(Buffer.concat([decipher.update(wrapped), decipher.final()])).toEqual(Buffer.from(text))
        },
      ),
      { numRuns: 50 },
    )
  })

  it.each([16, 24, 31, 33])('refuses a key of %i bytes', (length) => {
    expect(() => wrapAesKwp(randomBytes(length), Buffer.from('x'))).toThrow(/key length/i)
  })
})

describe('CKM_RSA_AES_KEY_WRAP', () => {
  const kek = generateKeyPairSync('rsa', { modulusLength: 2048 })

  it.each([
    'sha1',
    'sha256',
  ] as const)('wraps a fresh AES-256 key by RSA-OAEP with %s, MGF1 with the same, no label', (oaepHash) => {
    const target = randomBytes(121)
    const first = wrapRsaAes(kek.publicKey, oaepHash, target)
    const second = wrapRsaAes(kek.publicKey, oaepHash, target)
    expect(first.length).toBe(256 + 8 + 128)
    const ephemerals = [first, second].map((blob) => {
      const key = privateDecrypt(
        { key: kek.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash },
        blob.subarray(0, 256),
      )
      const decipher = createDecipheriv('id-aes256-wrap-pad', key, Buffer.from('a65959a6', 'hex'))
      expect(Buffer.concat([decipher.update(blob.subarray(256)), decipher.final()])).toEqual(target)
      return key
    })
    expect(ephemerals[0]?.length).toBe(32)
    expect(ephemerals[0]).not.toEqual(ephemerals[1])
    const other = oaepHash === 'sha1' ? 'sha256' : 'sha1'
    expect(() =>
      privateDecrypt(
        { key: kek.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: other },
        first.subarray(0, 256),
      ),
    ).toThrow()
  })

  it('leaves the target to its owner', () => {
    const target = randomBytes(32)
    const before = Buffer.from(target)
    wrapRsaAes(kek.publicKey, 'sha1', target)
    expect(target).toEqual(before)
  })

  it('refuses what is no RSA key', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(() => wrapRsaAes(publicKey, 'sha1', randomBytes(32))).toThrow()
  })
})

describe('as the OpenSSL command line opens it', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyferry-test-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const pkcs8 = { type: 'pkcs8', format: 'der' } as const

  const targets: [string, () => Buffer][] = [
    ['rsa-2048', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(pkcs8)],
    ['ecdsa-p256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pkcs8)],
    ['ecdsa-p384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export(pkcs8)],
    ['ecdsa-p521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey.export(pkcs8)],
    ['aes256-gcm96', () => randomBytes(32)],
  ]

  it.each([
    [2048, 'sha1'],
    [3072, 'sha1'],
    [4096, 'sha1'],
    [2048, 'sha256'],
  ] as const)('under a key of %i bits, OAEP with %s', (bits, oaepHash) => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits })
    writeFileSync(join(folder, 'kek.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    for (const [type, make] of targets) {
      const target = make()
      const blob = wrapRsaAes(createPublicKey(privateKey), oaepHash, target)
      writeFileSync(join(folder, 'c1'), blob.subarray(0, bits / 8))
      writeFileSync(join(folder, 'c2'), blob.subarray(bits / 8))
      const hash = ['-pkeyopt', `rsa_oaep_md:${oaepHash}`, '-pkeyopt', `rsa_mgf1_md:${oaepHash}`]
      openssl(
        'pkeyutl',
        '-decrypt',
        '-inkey',
        'kek.pem',
        '-in',
        'c1',
        '-out',
        'aes',
        '-pkeyopt',
        'rsa_padding_mode:oaep',
        ...hash,
      )
      const aes = readFileSync(join(folder, 'aes')).toString('hex')
      openssl('enc', '-d', '-id-aes256-wrap-pad', '-K', aes, '-iv', 'A65959A6', '-in', 'c2', '-out', 'target')
      expect(readFileSync(join(folder, 'target')), type).toEqual(target)
      if (type !== 'aes256-gcm96') {
        expect(openssl('pkey', '-inform', 'DER', '-in', 'target', '-check', '-noout').toString()).toContain(
          'Key is valid',
        )
      }
    }
  })
})
