import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fingerprintOf, privateJwk, publicKeyOf, spkiOf, zeroJwk } from '../../../src/providers/azurekeyvault/jwk.ts'
import { rsaPair, testKey } from './harness.ts'

const bytes = (value: string | undefined) => Buffer.from(value ?? '', 'base64url')

describe('the public key of an answer', () => {
  const { privateKey } = rsaPair(2048)
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' })
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })

  it.each([0, 1, 3])('is the same with %i zero bytes before the modulus', (zeros) => {
    const key = publicKeyOf({ kty: 'RSA-HSM', n: Buffer.concat([Buffer.alloc(zeros), bytes(jwk.n)]), e: bytes(jwk.e) })
    expect(key && spkiOf(key)).toEqual(spki)
    expect(key && fingerprintOf(key)).toBe(`sha256:${createHash('sha256').update(spki).digest('hex')}`)
  })

  it.each([
    'P-256',
    'P-384',
    'P-521',
  ])('is found on %s, also where leading zeros were dropped or added', (namedCurve) => {
    for (let tries = 0; tries < 300; tries++) {
      const pair = generateKeyPairSync('ec', { namedCurve })
      const { crv, x, y } = pair.publicKey.export({ format: 'jwk' })
      const short = bytes(x)[0] === 0
      if (tries > 2 && !short && namedCurve !== 'P-521') continue
      const stripped = bytes(x)[0] === 0 ? bytes(x).subarray(1) : bytes(x)
      for (const coordinate of [bytes(x), stripped, Buffer.concat([Buffer.alloc(1), bytes(x)])]) {
        const key = publicKeyOf({ kty: 'EC-HSM', crv: crv ?? '', x: coordinate, y: bytes(y) })
        expect(key && spkiOf(key)).toEqual(pair.publicKey.export({ type: 'spki', format: 'der' }))
      }
      if (short) return
    }
  })

  it.each([
    ['nothing', undefined],
    ['no members', { kty: 'RSA' }],
    ['an even modulus of no length', { kty: 'RSA', n: new Uint8Array(0), e: bytes('AQAB') }],
    ['a curve that is none', { kty: 'EC', crv: 'P-999', x: new Uint8Array(32), y: new Uint8Array(32) }],
    ['a point that is not on the curve', { kty: 'EC', crv: 'P-256', x: Buffer.alloc(32, 1), y: Buffer.alloc(32, 1) }],
    ['a coordinate that is too long', { kty: 'EC', crv: 'P-256', x: Buffer.alloc(33, 1), y: Buffer.alloc(32, 1) }],
    ['a symmetric key', { kty: 'oct-HSM' }],
  ])('is undefined for %s', (_what, key) => expect(publicKeyOf(key)).toBeUndefined())
})

describe('the private key for a software import', () => {
  it.each([
    'rsa-2048',
    'ecdsa-p256',
    'ecdsa-p521',
  ] as const)('%s has all its members, and none of them after it was zeroed', (type) => {
    const { plaintext, privateKey } = testKey(type)
    const expected = privateKey?.export({ format: 'jwk' }) ?? {}
    const jwk = privateJwk(plaintext, ['sign'])
    expect(jwk).toMatchObject({ kty: expected.kty, keyOps: ['sign'] })
    const secret = type === 'rsa-2048' ? (['d', 'p', 'q', 'dp', 'dq', 'qi'] as const) : (['d'] as const)
    for (const name of secret) expect(jwk[name], name).toEqual(bytes(expected[name]))
    zeroJwk(jwk)
    for (const name of secret)
      expect(
        jwk[name]?.every((byte) => byte === 0),
        name,
      ).toBe(true)
  })
})
