import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ErrorCode, KeyferryError } from '../../src/core/errors.ts'
import { respondError } from '../../src/http/errors.ts'
import { type Gateway, gateway } from './gateway.ts'

const failed = { requestId: 'the-id', method: 'GET', path: 'keymgmt/key/k', operation: 'write' as const }

describe('respondError', () => {
  const cases: [ErrorCode, number, string][] = [
    ['invalid', 400, 'why'],
    ['refused', 400, 'why'],
    ['conflict', 400, 'why'],
    ['already_exists', 400, 'why'],
    ['not_found', 400, 'why'],
    ['unauthenticated', 403, 'permission denied'],
    ['denied', 403, '1 error occurred:\n\t* permission denied\n\n'],
    ['unsupported_path', 404, 'why'],
    ['no_route', 404, 'why'],
    ['unsupported_operation', 405, 'why'],
    ['unsupported_type', 415, 'why'],
    ['still_running', 409, 'why'],
    ['key_reused', 422, 'why'],
    ['too_large', 413, 'why'],
    ['too_many', 429, 'why'],
    ['unavailable', 503, 'why'],
    ['corrupt', 500, 'internal error (request id the-id)'],
  ]

  it.each(cases)('answers %s with %i', (code, status, message) => {
    const answer = respondError(new KeyferryError(code, 'why'), failed, () => {})
    expect(answer).toEqual({ status, body: JSON.stringify({ errors: [message] }) })
  })

  it('answers what is missing to a read or list with an empty 404', () => {
    for (const operation of ['read', 'list'] as const) {
      const answer = respondError(new KeyferryError('not_found', 'why'), { ...failed, operation }, () => {})
      expect(answer).toEqual({ status: 404, body: '{"errors":[]}' })
    }
  })

  it('tells the operator, and nobody else, what was not thrown on purpose', () => {
    const logged: unknown[] = []
    const cause = new Error('the inner reason')
    for (const error of [
      new TypeError('the reason', { cause }),
      new KeyferryError('corrupt', 'the reason', { cause }),
    ]) {
      const answer = respondError(error, failed, (...line) => void logged.push(line))
      expect(answer).toEqual({ status: 500, body: '{"errors":["internal error (request id the-id)"]}' })
    }
    const details = { ...failed, error: expect.stringMatching(/the reason[\s\S]*caused by: [\s\S]*the inner reason/) }
    expect(logged).toEqual([
      ['error', 'request failed', details],
      ['error', 'request failed', details],
    ])
  })
})

describe('a fault inside', () => {
  let vault: Gateway
  beforeAll(async () => {
    vault = await gateway()
  })
  afterAll(() => vault.close())

  it('is a 500 without details, and the next request is served', async () => {
    vault.core.keys.read = async () => {
      throw new Error('SQLITE_SECRET at /var/lib')
    }
    const reply = await vault.send('GET', 'keymgmt/key/k')
    const [, id] = reply.text.match(/^\{"errors":\["internal error \(request id ([0-9a-f-]{36})\)"\]\}$/) ?? []
    expect([reply.status, id === undefined]).toEqual([500, false])
    expect(vault.logged.at(-1)).toMatchObject({ level: 'error', details: { requestId: id, path: 'keymgmt/key/k' } })
    expect((await vault.send('GET', 'sys/health')).status).toBe(200)
  })
})
