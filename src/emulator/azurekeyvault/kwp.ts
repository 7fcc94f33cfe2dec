import { createCipheriv, createDecipheriv } from 'node:crypto'

/**
 * AES Key Wrap with Padding (RFC 5649), written from the RFC over single AES blocks, so that what it accepts is decided here and
 * not by the library that the wrapping side uses.
 */

/** The high half of the alternative initial value (RFC 5649, section 3); the low half is the length of the plaintext. */
const alternativeIvPrefix = 0xa65959a6

const semiblock = 8

function ecb(key: Buffer, decrypt: boolean) {
  const name = { 16: 'aes-128-ecb', 24: 'aes-192-ecb', 32: 'aes-256-ecb' }[key.length]
  if (name === undefined) throw new RangeError(`An AES key has 16, 24 or 32 bytes, not ${key.length}.`)
  const cipher = decrypt ? createDecipheriv(name, key, null) : createCipheriv(name, key, null)
  cipher.setAutoPadding(false)
  return (block: Buffer) => cipher.update(block)
}

/** XORs the step counter `t` into the last four bytes of `a`, which is enough: t stays below 2^32 for any input of ours. */
function xorCounter(a: Buffer, t: number): void {
  a.writeUInt32BE((a.readUInt32BE(4) ^ t) >>> 0, 4)
}

/**
 * Wraps `plaintext` (1 byte to 2^32-1) under an AES key of 16, 24 or 32 bytes.
 *
 * @returns `plaintext` padded to a multiple of 8, plus 8 bytes
 */
export function wrap(key: Buffer, plaintext: Buffer): Buffer {
  if (plaintext.length === 0) throw new RangeError('There is nothing to wrap.')
  const encrypt = ecb(key, false)
  const n = Math.ceil(plaintext.length / semiblock)
  const a = Buffer.alloc(semiblock)
  a.writeUInt32BE(alternativeIvPrefix, 0)
  a.writeUInt32BE(plaintext.length, 4)
  const r = Buffer.concat([plaintext], n * semiblock)
  if (n === 1) return encrypt(Buffer.concat([a, r]))
  for (let j = 0; j < 6; j++) {
    for (let i = 0; i < n; i++) {
      const part = r.subarray(i * semiblock, (i + 1) * semiblock)
      const block = encrypt(Buffer.concat([a, part]))
      block.copy(a, 0, 0, semiblock)
      block.copy(part, 0, semiblock)
      xorCounter(a, n * j + i + 1)
    }
  }
  return Buffer.concat([a, r])
}

/**
 * Unwraps what {@link wrap} made. Every check of RFC 5649, section 3 is made before any of the plaintext is given out, and they
 * fail alike.
 *
 * @returns the plaintext, or `undefined` when the wrapped text is not authentic (wrong length, prefix, length field or padding)
 */
export function unwrap(key: Buffer, wrapped: Buffer): Buffer | undefined {
  const decrypt = ecb(key, true)
  if (wrapped.length < 2 * semiblock || wrapped.length % semiblock !== 0) return undefined
  const n = wrapped.length / semiblock - 1
  const a = Buffer.from(wrapped.subarray(0, semiblock))
  const r = Buffer.from(wrapped.subarray(semiblock))
  if (n === 1) {
    const block = decrypt(wrapped)
    block.copy(a, 0, 0, semiblock)
    block.copy(r, 0, semiblock)
  } else {
    for (let j = 5; j >= 0; j--) {
      for (let i = n - 1; i >= 0; i--) {
        xorCounter(a, n * j + i + 1)
        const part = r.subarray(i * semiblock, (i + 1) * semiblock)
        const block = decrypt(Buffer.concat([a, part]))
        block.copy(a, 0, 0, semiblock)
        block.copy(part, 0, semiblock)
      }
    }
  }
  const length = a.readUInt32BE(4)
  const padding = n * semiblock - length
  let wrong = a.readUInt32BE(0) ^ alternativeIvPrefix
  if (padding < 0 || padding >= semiblock) wrong |= 1
  // All of the last semiblock is read whatever the length says, so that time tells nothing of where a wrong byte is.
  for (let i = 0; i < semiblock; i++) {
    const byte = r[n * semiblock - 1 - i] ?? 0
    wrong |= i < padding ? byte : 0
  }
  if (wrong === 0) return r.subarray(0, length)
  r.fill(0)
  return undefined
}
