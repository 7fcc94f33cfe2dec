import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Binding, open, seal, sealedUnder } from '../../../src/core/seal/box.ts'

const keyId = randomBytes(16).toString('hex')
const key = randomBytes(32)
const binding: Binding = { namespaceId: 'team', objectId: 'key-1', version: 3, kind: 'key-material' }
const plaintext = Buffer.from('what nobody may read')
const box = seal(keyId, key, binding, plaintext)
const corrupt = expect.objectContaining({
  code: 'corrupt',
  message: 'a sealed value in the database does not open: it was changed, or belongs to something else',
})

describe('a sealed box', () => {
  it('opens to what was sealed, of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
        const sealed = seal(keyId, key, binding, Buffer.from(bytes))
        expect(sealed.length).toBe(1 + 16 + 12 + bytes.length + 16)
        expect(sealedUnder(sealed)).toBe(keyId)
        expect(Buffer.from(bytes).equals(open(keyId, key, binding, sealed))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('is another one each time, and shows nothing of what is in it', () => {
    const nonces = new Set(
      Array.from({ length: 500 }, () => seal(keyId, key, binding, plaintext).toString('hex', 17, 29)),
    )
    expect(nonces.size).toBe(500)
    expect(box.includes(plaintext)).toBe(false)
    expect(box.includes(plaintext.subarray(0, 6))).toBe(false)
  })

  it('does not open when any bit of it is flipped', () => {
    for (let index = 0; index < box.length * 8; index++) {
      const flipped = Buffer.from(box)
      flipped[index >> 3] = (flipped[index >> 3] ?? 0) ^ (1 << (index & 7))
      expect(() => open(keyId, key, binding, flipped), `bit ${index}`).toThrow(corrupt)
    }
  })

  it('does not open when it is cut short, made longer, or is no box', () => {
    for (let length = 0; length < box.length; length++)
      expect(() => open(keyId, key, binding, box.subarray(0, length)), `${length} bytes`).toThrow(corrupt)
    for (const more of [Buffer.concat([box, Buffer.alloc(1)]), Buffer.concat([Buffer.alloc(1), box]), Buffer.alloc(0)])
      expect(() => open(keyId, key, binding, more)).toThrow(corrupt)
    for (const none of [Buffer.alloc(0), Buffer.from([2]), Buffer.alloc(100), plaintext])
      expect(() => sealedUnder(none)).toThrow(corrupt)
  })

  it.each<[string, Partial<Binding>]>([
    ['namespace', { namespaceId: 'other' }],
    ['object', { objectId: 'key-2' }],
    ['version', { version: 4 }],
    ['kind', { kind: 'kms-settings' }],
    ['namespace and object that read the same together', { namespaceId: 'tea', objectId: 'mkey-1' }],
    ['parts with quotes and commas', { namespaceId: 'team","key-1', objectId: '' }],
  ])('does not open as that of another %s', (_, other) => {
    expect(() => open(keyId, key, { ...binding, ...other }, box)).toThrow(corrupt)
  })

  it('has no two bindings that are the same', () => {
    const bindings = fc.record({ namespaceId: fc.string(), objectId: fc.string(), version: fc.nat() })
    fc.assert(
      fc.property(bindings, bindings, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other))
        const sealed = seal(keyId, key, { ...one, kind: 'key-material' }, plaintext)
        expect(() => open(keyId, key, { ...other, kind: 'key-material' }, sealed)).toThrow(corrupt)
      }),
      { numRuns: 300 },
    )
  })

  it('does not open under another key, nor under its own with another id', () => {
    expect(() => open(keyId, randomBytes(32), binding, box)).toThrow(corrupt)
    const otherId = randomBytes(16).toString('hex')
    expect(() => open(otherId, key, binding, box)).toThrow(corrupt)
    const renamed = Buffer.from(box)
    renamed.write(otherId, 1, 'hex')
    expect(() => open(otherId, key, binding, renamed)).toThrow(corrupt)
  })

  it('does not open in the place of another row, whichever two are swapped', () => {
    const rows = [1, 2, 3].map((version) => ({
      version,
      box: seal(keyId, key, { ...binding, version }, Buffer.from(`version ${version}`)),
    }))
    for (const { version } of rows) {
      for (const other of rows) {
        const attempt = () => open(keyId, key, { ...binding, version }, other.box).toString()
        if (other.version === version) expect(attempt()).toBe(`version ${version}`)
        else expect(attempt).toThrow(corrupt)
      }
    }
  })
})
