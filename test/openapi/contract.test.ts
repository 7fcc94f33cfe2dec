import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { breach, type Exchange } from '../http/contract.ts'
import { type Gateway, gateway } from '../http/gateway.ts'

/** The contract that every answer in test/http is held to must be able to fail. */
let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
  await vault.send('POST', 'keymgmt/key/k', { type: 'ecdsa-p256' })
})
afterAll(() => vault.close())

async function exchange(method: string, target: string, change: (body: Record<string, unknown>) => unknown = () => {}) {
  const reply = await vault.send(method, target)
  const url = new URL(`http://gateway/v1/${target}`)
  const body = reply.text === '' ? undefined : JSON.parse(reply.text)
  if (body) change(body)
  return {
    method,
    path: url.pathname,
    query: url.searchParams,
    headers: new Headers(),
    status: reply.status,
    type: reply.headers.get('content-type'),
    text: body ? JSON.stringify(body) : '',
  } satisfies Exchange
}

describe('the contract', () => {
  it.each([
    ['GET', 'keymgmt/key/k'],
    ['HEAD', 'keymgmt/key/k'],
    ['LIST', 'keymgmt/key'],
    ['GET', 'keymgmt/key?list=true'],
    ['GET', 'keymgmt/key/?list=1&limit=1'],
    ['PUT', 'keymgmt/key/k/rotate'],
    ['GET', 'keymgmt/key/none'],
    ['GET', 'nothing/at/all'],
    ['GET', 'sys/mounts'],
    ['GET', 'sys/mounts/keymgmt'],
    ['GET', 'keymgmt/key/k?help=1'],
    ['GET', 'sys/health?activecode=503'],
  ])('holds for %s %s', async (method, target) => {
    expect(breach(await exchange(method, target))).toBeUndefined()
  })

  it.each<[string, string, (body: Record<string, unknown>) => unknown, RegExp]>([
    [
      'a member of data that is not declared',
      'keymgmt/key/k',
      (body) => Object.assign(body.data as object, { secret: 1 }),
      /additional properties/,
    ],
    [
      'a member of data that is missing',
      'keymgmt/key/k',
      (body) => delete (body.data as Record<string, unknown>).type,
      /required property 'type'/,
    ],
    [
      'a member of another type',
      'keymgmt/key/k',
      (body) => Object.assign(body.data as object, { latest_version: '1' }),
      /latest_version must be integer/,
    ],
    [
      'a member of the envelope that is not declared',
      'keymgmt/key/k',
      (body) => Object.assign(body, { x: 1 }),
      /additional properties/,
    ],
    [
      'a member of the envelope that is missing',
      'keymgmt/key/k',
      (body) => delete body.request_id,
      /required property 'request_id'/,
    ],
    [
      'a repeated member of another shape',
      'sys/mounts',
      (body) => Object.assign(body, { 'keymgmt/': 1 }),
      /must be object/,
    ],
    [
      'an error in another shape',
      'keymgmt/none',
      (body) => Object.assign(body, { errors: 'text' }),
      /errors must be array/,
    ],
    [
      'help in another shape',
      'keymgmt/key/k?help=1',
      (body) => Object.assign(body, { help: 1 }),
      /help must be string/,
    ],
  ])('is broken by %s', async (_, target, change, reason) => {
    expect(breach(await exchange('GET', target, change))).toMatch(reason)
  })

  it('is broken by a status, a type or a body that is not declared', async () => {
    const read = await exchange('GET', 'keymgmt/key/k')
    expect(breach({ ...read, status: 204 })).toMatch(/key-management-read-key does not declare 204/)
    expect(breach({ ...read, status: 404 })).toMatch(/required property 'errors'/)
    expect(breach({ ...read, type: 'text/html' })).toMatch(/the content type is text\/html/)
    const rotated = await exchange('PUT', 'keymgmt/key/k/rotate')
    expect(breach({ ...rotated, text: '{}' })).toMatch(/must have no body/)
    expect(breach({ ...rotated, method: 'PATCH', status: 200 })).toMatch(/is not in the document/)
  })
})
