import { describe, expect, it } from 'vitest'
import { formatRootKey, newRootKey, parseRootKey } from '../../../src/core/seal/root-key.ts'

const encoded = Buffer.alloc(32, 7).toString('base64')

describe('the text form of a root key', () => {
  it('is one line that reads back, with an id that the key decides and that says nothing of it', () => {
    const root = newRootKey()
    const text = formatRootKey(root)
    expect(text).toMatch(/^keyferry-root-key:[A-Za-z0-9+/]{43}=\n$/)
    expect(parseRootKey(text, 'a file')).toEqual(root)
    expect(root.id).toMatch(/^[0-9a-f]{32}$/)
    expect(root.key.toString('hex')).not.toContain(root.id)
    expect(newRootKey().id).not.toBe(root.id)
    expect(parseRootKey(`keyferry-root-key:${encoded}`, 'a file').id).toBe('eb844e73f287247eac8a85b9a79c4383')
  })

  it('may have space around it', () => {
    for (const around of ['', '\n', '\r\n', '  ', '\t\n'])
      expect(parseRootKey(`${around}keyferry-root-key:${encoded}${around}`, 'a file').key).toEqual(Buffer.alloc(32, 7))
  })

  it.each([
    ['nothing', ''],
    ['another text', 'secret canary'],
    ['no prefix', encoded],
    ['half a prefix', `keyferry-root:${encoded}`],
    ['31 bytes', `keyferry-root-key:${Buffer.alloc(31, 7).toString('base64')}`],
    ['33 bytes', `keyferry-root-key:${Buffer.alloc(33, 7).toString('base64')}`],
    ['hex', `keyferry-root-key:${Buffer.alloc(32, 7).toString('hex')}`],
    ['base64url', `keyferry-root-key:${Buffer.alloc(32, 0xfb).toString('base64url')}`],
    ['no padding', `keyferry-root-key:${encoded.slice(0, -1)}`],
    ['bits beyond the end', `keyferry-root-key:${encoded.slice(0, -2)}d=`],
    ['a space inside', `keyferry-root-key: ${encoded}`],
    ['two lines', `keyferry-root-key:${encoded}\nkeyferry-root-key:${encoded}`],
    ['something after it', `keyferry-root-key:${encoded} canary`],
    ['a NUL', `keyferry-root-key:${encoded}\u0000`],
  ])('is refused with %s, and not repeated', (_, text) => {
    expect(() => parseRootKey(text, 'the file root.key')).toThrow(
      expect.objectContaining({
        code: 'invalid',
        message: 'the file root.key holds no root key: one line "keyferry-root-key:" and 32 bytes in base64 are wanted',
      }),
    )
  })
})
