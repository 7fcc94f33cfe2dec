import { describe, expect, it } from 'vitest'
import { readAnswer, readRetryAfter } from '../../../src/providers/azurekeyvault/errors.ts'
import { transportTrouble } from '../../../src/providers/azurekeyvault/transport.ts'

describe('an error body', () => {
  it.each<[string | undefined | null, string | undefined, string | undefined]>([
    [
      '{"error":{"code":"Forbidden","message":"no","innererror":{"code":"ForbiddenByRbac"}}}',
      'Forbidden/ForbiddenByRbac',
      'no',
    ],
    ['{"error":{"code":"A","innererror":{"code":"B","innererror":{"code":"C"}}}}', 'A/C', undefined],
    ['{"error":{"code":"A","innererror":{"innererror":{"code":"C"}}}}', 'A/C', undefined],
    ['{"error":{"message":"only words"}}', undefined, 'only words'],
    ['{"error":{"code":1,"message":{}}}', undefined, undefined],
    ['{"error":"text"}', undefined, undefined],
    ['{"error":null}', undefined, undefined],
    ['null', undefined, undefined],
    ['[]', undefined, undefined],
    ['<html>', undefined, undefined],
    ['', undefined, undefined],
    [null, undefined, undefined],
    [undefined, undefined, undefined],
  ])('%j', (body, serviceCode, message) => {
    expect(readAnswer(400, body)).toEqual({ status: 400, serviceCode, message })
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  it.each<[Record<string, string>, number | undefined]>([
    [{}, undefined],
    [{ 'retry-after': '2' }, 2_000],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '-5' }, undefined],
    [{ 'retry-after-ms': '40', 'retry-after': '2' }, 40],
    [{ 'x-ms-retry-after-ms': '50' }, 50],
    [{ 'retry-after-ms': 'x', 'retry-after': '2' }, 2_000],
  ])('%j', (headers, ms) => {
    expect(readRetryAfter((name) => headers[name], now)).toEqual(ms)
  })
})

describe('a failed exchange', () => {
  const failed = (code: string | undefined, message = 'x') =>
    transportTrouble('a.example', Object.assign(new Error(message), { code }))

  it.each<[string | undefined, boolean, string]>([
    ['ENOTFOUND', false, 'the name a.example is not known to DNS: is it spelled right, and does it exist?'],
    ['EAI_AGAIN', false, 'the name a.example cannot be looked up now: DNS does not answer'],
    ['ECONNREFUSED', false, 'no connection to a.example (ECONNREFUSED)'],
    ['EHOSTUNREACH', false, 'no connection to a.example (EHOSTUNREACH)'],
    ['CERT_HAS_EXPIRED', false, 'the TLS certificate of a.example is not trusted (CERT_HAS_EXPIRED)'],
    ['SELF_SIGNED_CERT_IN_CHAIN', false, 'the TLS certificate of a.example is not trusted'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', false, 'the TLS certificate of a.example is not trusted'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', false, 'TLS with a.example failed (ERR_SSL_WRONG_VERSION_NUMBER)'],
    ['ECONNRESET', true, 'the connection to a.example was lost (ECONNRESET)'],
    ['ETIMEDOUT', true, 'the connection to a.example was lost (ETIMEDOUT)'],
    ['EPIPE', true, 'the connection to a.example was lost (EPIPE)'],
    [undefined, true, 'the connection to a.example was lost'],
  ])('%s', (code, reached, sentence) => {
    const trouble = failed(code)
    expect(trouble).toMatchObject({ code, reached })
    expect(trouble.sentence).toContain(sentence)
  })

  it('that ends before TLS was set up never reached the host', () => {
    const message = 'Client network socket disconnected before secure TLS connection was established'
    expect(failed('ECONNRESET', message).reached).toBe(false)
  })
})
