import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
})
afterAll(() => vault.close())
beforeEach(() => vault.send('PUT', 'sys/namespaces/team', { custom_metadata: { a: '1', b: '2' } }))

const mergePatch = { 'content-type': 'application/merge-patch+json' }
const patch = (body: unknown, headers: Record<string, string> = mergePatch, path = 'sys/namespaces/team') =>
  vault.send('PATCH', path, body, headers)
const metadata = async () => dataOf(await vault.send('GET', 'sys/namespaces/team')).custom_metadata

describe('PATCH of a namespace', () => {
  it.each([
    [{ custom_metadata: { b: '3', c: '4' } }, { a: '1', b: '3', c: '4' }],
    [{ custom_metadata: { a: null } }, { b: '2' }],
    [{ custom_metadata: { a: null, none: null, b: '' } }, { b: '' }],
    [{ custom_metadata: {} }, { a: '1', b: '2' }],
    [{ custom_metadata: null }, {}],
    [{}, { a: '1', b: '2' }],
    [null, { a: '1', b: '2' }],
  ])('%j merges', async (body, expected) => {
    const reply = await patch(body)
    expect([reply.status, dataOf(reply).custom_metadata, dataOf(reply).path]).toEqual([200, expected, 'team/'])
    expect(await metadata()).toEqual(expected)
  })

  it.each([
    { a: 1 },
    { a: ['x'] },
    { a: { b: 'c' } },
    'a=b',
    ['a=b'],
    5,
  ])('%j is refused, and changes nothing', async (value) => {
    expect(outcome(await patch({ custom_metadata: value }))).toEqual([
      400,
      'Field validation failed: error converting input for field "custom_metadata": an object of strings (or null, to take one away) is expected',
    ])
    expect(await metadata()).toEqual({ a: '1', b: '2' })
  })

  it('is held to the limits of what it results in', async () => {
    const many = Object.fromEntries(Array.from({ length: 63 }, (_, index) => [`k${index}`, '']))
    expect(outcome(await patch({ custom_metadata: many }))).toEqual([400, 'custom_metadata can have 64 entries'])
    expect((await patch({ custom_metadata: { ...many, a: null } })).status).toBe(200)
    await patch({ custom_metadata: null })
  })

  it('loses nothing when many come at once', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => patch({ custom_metadata: { [`k${index}`]: 'x' } })))
    expect(Object.keys((await metadata()) as object)).toHaveLength(22)
    await patch({ custom_metadata: null })
  })

  it('of one that is not there is refused', async () => {
    expect(outcome(await patch({}, mergePatch, 'sys/namespaces/none'))).toEqual([400, 'namespace not found'])
  })

  it('needs the right to patch', async () => {
    await vault.send('PUT', 'sys/policies/acl/writer', {
      policy: 'path "sys/namespaces/*" { capabilities = ["create", "update", "read"] }',
    })
    const { auth } = JSON.parse((await vault.send('POST', 'auth/token/create', { policies: ['writer'] })).text)
    const reply = await patch({}, { ...mergePatch, 'x-vault-token': auth.client_token })
    expect(reply.status).toBe(403)
  })
})

describe('the type of a patch', () => {
  it.each([
    ['application/json', 'provided application/json'],
    ['text/plain; charset=utf-8', 'provided text/plain'],
    ['application/json-patch+json', 'provided application/json-patch+json'],
    ['', 'provided none'],
  ])('%s is not taken', async (type, provided) => {
    expect(outcome(await patch('{}', { 'content-type': type }))).toEqual([
      415,
      `PATCH requires Content-Type of application/merge-patch+json, ${provided}`,
    ])
  })

  it('may have parameters and capitals', async () => {
    expect((await patch('{}', { 'content-type': 'Application/Merge-Patch+JSON; charset=utf-8' })).status).toBe(200)
  })

  it('does not matter where nothing can be patched', async () => {
    expect(outcome(await patch({}, mergePatch, 'keymgmt/key/k'))).toEqual([405, 'unsupported operation'])
    expect(outcome(await patch({}, { 'content-type': 'text/plain' }, 'keymgmt/kms/k'))).toEqual([
      405,
      'unsupported operation',
    ])
  })
})
