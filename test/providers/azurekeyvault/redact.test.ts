import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { redact } from '../../../src/providers/azurekeyvault/redact.ts'

describe('redact', () => {
  it('knows a secret also as it goes into a form', () => {
    expect(redact('client_secret=a%2Fb%20c%2B&x=a/b c+', ['a/b c+'])).toBe('client_secret=[redacted]&x=[redacted]')
  })

  it.each([
    ['plain words stay', 'plain words stay'],
    ['two\r\nlines\tand more', 'two lines and more'],
    ['Bearer abc.def-ghi rest', 'Bearer [redacted] rest'],
    ['token eyJhbGciOi.eyJzdWIi.c2ln!', 'token [redacted]!'],
    ['see https://a.example/b?sig=x&y=1 now', 'see https://a.example/b now'],
    ['see https://a.example/b#frag now', 'see https://a.example/b now'],
    [`key ${'A'.repeat(60)} end`, 'key [redacted] end'],
    [`id ${'a'.repeat(32)} end`, `id ${'a'.repeat(32)} end`],
    ['-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nrest', '[redacted] rest'],
    ['-----BEGIN PRIVATE KEY-----\nMIIE', '[redacted]'],
    ['guid 5f0e5a9e-3a0c-4d3e-8a51-6e2f6b1f0c11', 'guid 5f0e5a9e-3a0c-4d3e-8a51-6e2f6b1f0c11'],
  ])('%j becomes %j', (text, clean) => expect(redact(text, [])).toBe(clean))

  it('never lets a known secret through, in plain or as in a form', () => {
    const secret = fc
      .string({ minLength: 8, maxLength: 40 })
      .filter((text) => /\S{4}/.test(text.trim()) && text.trim() === text)
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (text, before, after) => {
        const clean = redact(`${before}${text}|${encodeURIComponent(text)}${after}`, [text])
        const rest = clean.replaceAll('[redacted]', '')
        expect(rest.includes(text) && !before.includes(text) && !after.includes(text)).toBe(false)
      }),
    )
  })

  it('keeps messages short', () => {
    expect(redact('word '.repeat(1000), []).length).toBe(400)
  })
})
