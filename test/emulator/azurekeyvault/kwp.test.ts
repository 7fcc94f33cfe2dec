import { createCipheriv, createDecipheriv } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { unwrap, wrap } from '../../../src/emulator/azurekeyvault/kwp.ts'
import { readVectors } from './vectors.ts'

const hex = (text: string) => Buffer.from(text, 'hex')
const { testGroups, numberOfTests } = readVectors('aes_kwp_test.json')
const vectors = testGroups.flatMap(({ tests }) => tests)

describe('AES key wrap with padding, RFC 5649', () => {
  test('all 254 Wycheproof vectors are there', () => {
    expect([vectors.length, numberOfTests]).toEqual([254, 254])
    expect(vectors.filter(({ result }) => result === 'invalid')).toHaveLength(177)
  })

  test('every valid vector wraps and unwraps, every invalid one is refused', () => {
    for (const { tcId, key, msg, ct, result } of vectors) {
      const unwrapped = unwrap(hex(key), hex(ct))
      if (result === 'invalid') {
        expect(unwrapped, `vector ${tcId}`).toBeUndefined()
        continue
      }
      expect(unwrapped?.toString('hex'), `vector ${tcId}`).toBe(msg)
      expect(wrap(hex(key), hex(msg)).toString('hex'), `vector ${tcId}`).toBe(ct)
    }
  })

  test('the two vectors of RFC 5649, section 6', () => {
    const key = hex('5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8')
    for (const [plain, wrapped] of [
      ['c37b7e6492584340bed12207808941155068f738', '138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a'],
      ['466f7250617369', 'afbeb0f07dfbf5419200f2ccb50bb24f'],
    ] as const) {
      expect(wrap(key, hex(plain)).toString('hex')).toBe(wrapped)
      expect(unwrap(key, hex(wrapped))?.toString('hex')).toBe(plain)
    }
  })

  test('agrees with OpenSSL for every key size and any plaintext', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(16, 24, 32).chain((size) => fc.uint8Array({ minLength: size, maxLength: size })),
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        (keyBytes, plainBytes) => {
          const [key, plain] = [Buffer.from(keyBytes), Buffer.from(plainBytes)]
          const name = `id-aes${key.length * 8}-wrap-pad`
          const iv = hex('a65959a6')
          const cipher = createCipheriv(name, key, iv)
          const theirs = Buffer.concat([cipher.update(plain), cipher.final()])
          expect(wrap(key, plain).equals(theirs)).toBe(true)
          expect(unwrap(key, theirs)?.equals(plain)).toBe(true)
          const decipher = createDecipheriv(name, key, iv)
          expect(Buffer.concat([decipher.update(wrap(key, plain)), decipher.final()]).equals(plain)).toBe(true)
        },
      ),
    )
  })

  test('any changed bit is noticed', () => {
    const key = Buffer.alloc(32, 7)
    const wrapped = wrap(key, Buffer.from('thirteen bytes'))
    for (let bit = 0; bit < wrapped.length * 8; bit++) {
      const changed = Buffer.from(wrapped)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(unwrap(key, changed)).toBeUndefined()
    }
  })

  test.each([0, 1, 8, 15, 17, 23])('a wrapped text of %i bytes is refused', (length) => {
    expect(unwrap(Buffer.alloc(32), Buffer.alloc(length))).toBeUndefined()
  })

  test('what is no AES key, and nothing to wrap, are refused', () => {
    expect(() => unwrap(Buffer.alloc(31), Buffer.alloc(16))).toThrow('An AES key has 16, 24 or 32 bytes, not 31.')
    expect(() => wrap(Buffer.alloc(32), Buffer.alloc(0))).toThrow('There is nothing to wrap.')
  })
})
