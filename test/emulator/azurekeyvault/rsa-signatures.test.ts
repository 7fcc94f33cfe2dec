import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { signPss, verifyPkcs1, verifyPss } from '../../../src/emulator/azurekeyvault/rsa-signatures.ts'
import { sharedRsaKeyPairs } from './harness.ts'

let keys: { privateKey: KeyObject; publicKey: KeyObject }
const digest = createHash('sha256').update('message').digest()

beforeAll(async () => {
  const { privateKey } = await sharedRsaKeyPairs(2048)
  keys = { privateKey, publicKey: createPublicKey(privateKey) }
})

function mgf1(seed: Buffer, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) =>
    createHash('sha256')
      .update(seed)
      .update(Buffer.from([0, 0, 0, i]))
      .digest(),
  )
  return Buffer.concat(blocks).subarray(0, length)
}

/** An EMSA-PSS encoding (RFC 8017, section 9.1.1) for 2,048 bits with one part spoilt, signed as it is. */
function spoiltPss({ zero = 0, separator = 1, trailer = 0xbc, topBit = 0 }): Buffer {
  // With the top bit set the number may be over the modulus, and another salt is tried.
  for (;;) {
    const salt = randomBytes(32)
    const h = createHash('sha256').update(Buffer.alloc(8)).update(digest).update(salt).digest()
    const block = Buffer.concat([Buffer.alloc(190, 0), Buffer.from([separator]), salt])
    block.writeUInt8(zero, 100)
    const mask = mgf1(h, block.length)
    const masked = Buffer.from(block.map((byte, i) => byte ^ (mask[i] ?? 0)))
    masked.writeUInt8((masked.readUInt8(0) & 0x7f) | topBit, 0)
    const encoded = Buffer.concat([masked, h, Buffer.from([trailer])])
    try {
      return privateEncrypt({ key: keys.privateKey, padding: constants.RSA_NO_PADDING }, encoded)
    } catch (error) {
      if (topBit === 0) throw error
    }
  }
}

describe('RSASSA-PSS', () => {
  test('an encoding made by hand is right, and wrong when any part of it is', () => {
    expect(verifyPss(keys.publicKey, 'sha256', digest, spoiltPss({}))).toBe(true)
    for (const part of [{ zero: 1 }, { separator: 0 }, { separator: 2 }, { trailer: 0xbd }, { topBit: 0x80 }]) {
      expect(verifyPss(keys.publicKey, 'sha256', digest, spoiltPss(part)), JSON.stringify(part)).toBe(false)
    }
  })

  test('keys whose length in bits is no multiple of 8', () => {
    for (const modulusLength of [2041, 2047, 2049]) {
      const pair = generateKeyPairSync('rsa', { modulusLength })
      const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
      const ours = signPss(pair.privateKey, 'sha256', digest)
      expect(verify('sha256', Buffer.from('message'), { key: pair.publicKey, ...options }, ours)).toBe(true)
      const theirs = sign('sha256', Buffer.from('message'), { key: pair.privateKey, ...options })
      expect(verifyPss(pair.publicKey, 'sha256', digest, theirs)).toBe(true)
    }
  })
})

test('RSASSA-PKCS1-v1_5 with the DigestInfo of another hash, or none', () => {
  const other = sign('sha512', Buffer.from('message'), keys.privateKey)
  const bare = privateEncrypt({ key: keys.privateKey, padding: constants.RSA_PKCS1_PADDING }, digest)
  const good = sign('sha256', Buffer.from('message'), keys.privateKey)
  expect([good, other, bare].map((value) => verifyPkcs1(keys.publicKey, 'sha256', digest, value))).toEqual([
    true,
    false,
    false,
  ])
})
