import { createPrivateKey, createPublicKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { type CheapType, generateCheapKey, isRsa } from '../../../src/core/keys/generate.ts'
import { keyTypeNames } from '../../../src/core/keys/types.ts'

test.each([
  ['ecdsa-p256', 'prime256v1'],
  ['ecdsa-p384', 'secp384r1'],
  ['ecdsa-p521', 'secp521r1'],
] as const)('%s is PKCS#8 of its curve, and its public key is what OpenSSL derives', async (type, namedCurve) => {
  // Several: from the second P-256 key on, the public key is put together here.
  for (let i = 0; i < 20; i++) {
    const { material, publicKey } = await generateCheapKey(type)
    const privateKey = createPrivateKey({ key: material, format: 'der', type: 'pkcs8' })
    expect(privateKey.asymmetricKeyType).toBe('ec')
    expect(privateKey.asymmetricKeyDetails?.namedCurve).toBe(namedCurve)
    expect(publicKey).toBe(createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }))
    expect(publicKey?.endsWith('-----END PUBLIC KEY-----\n')).toBe(true)
  }
})

test('the PKCS#8 of an EC key does not belong to another of its public keys', async () => {
  const [a, b] = [await generateCheapKey('ecdsa-p256'), await generateCheapKey('ecdsa-p256')]
  expect(a.material.equals(b.material)).toBe(false)
  expect(a.publicKey).not.toBe(b.publicKey)
})

test('aes256-gcm96 is 32 random bytes without a public key', async () => {
  const [a, b] = [await generateCheapKey('aes256-gcm96'), await generateCheapKey('aes256-gcm96')]
  expect(a.publicKey).toBeNull()
  expect(a.material).toHaveLength(32)
  expect(a.material.equals(b.material)).toBe(false)
})

test.each([
  'ecdsa-p256',
  'ecdsa-p384',
  'ecdsa-p521',
  'aes256-gcm96',
] satisfies CheapType[])('material of %s shares its memory with nothing, so that zeroing it is enough', async (type) => {
  const { material } = await generateCheapKey(type)
  expect(material.buffer.byteLength).toBe(material.byteLength)
})

test('only RSA types go to worker threads', () => {
  expect(keyTypeNames.filter(isRsa)).toEqual(['rsa-2048', 'rsa-3072', 'rsa-4096'])
})
