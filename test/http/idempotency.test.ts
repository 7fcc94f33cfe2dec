import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CloudError } from '../../src/core/kms/provider.ts'
import { changedBefore } from '../../src/http/middleware/idempotency.ts'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'
import { reused, stillRuns } from './idempotency-refusals.ts'

const hour = 3600_000
const begin = Date.UTC(2030, 0, 1)
let now = begin
let vault: Gateway
let unique = 0
beforeAll(async () => {
  vault = await gateway({}, { context: { now: () => now } })
  await vault.send('POST', 'keymgmt/key/k', { type: 'aes256-gcm96' })
})
afterAll(() => vault.close())
afterEach(() => {
  now = begin
})

const fresh = () => `key-${++unique}`
const rotate = (key: string, body?: unknown, headers: Record<string, string> = {}) =>
  vault.send('POST', 'keymgmt/key/k/rotate', body, { 'idempotency-key': key, ...headers })
const versions = async (name = 'k') => dataOf(await vault.send('GET', `keymgmt/key/${name}`)).latest_version

describe('the same request again', () => {
  it('does the work once and is answered alike, for 24 hours', async () => {
    const key = fresh()
    const before = Number(await versions())
    const first = await rotate(key)
    for (const later of [0, hour, 24 * hour - 1]) {
      now = begin + later
      const again = await rotate(key)
      expect([again.status, again.text]).toEqual([first.status, first.text])
    }
    expect(await versions()).toBe(before + 1)
    now = begin + 24 * hour
    await rotate(key)
    expect(await versions()).toBe(before + 2)
  })

  it('is another one under another key, and each time without one', async () => {
    const before = Number(await versions())
    await rotate(fresh())
    await rotate(fresh())
    await vault.send('POST', 'keymgmt/key/k/rotate')
    await vault.send('POST', 'keymgmt/key/k/rotate')
    expect(await versions()).toBe(before + 4)
  })

  it('gets the warnings of the first time, and its request id', async () => {
    await vault.send('POST', 'keymgmt/kms/w', { provider: 'memory', key_collection: 'vault' })
    await vault.send('POST', 'keymgmt/key/w', { type: 'rsa-2048' })
    await vault.send('POST', 'keymgmt/kms/w/key/w', { purpose: 'sign' })
    const refuse = { call: 'import' as const, error: () => new CloudError('refused', 'no more versions'), times: 1 }
    vault.cloud.faults.push(refuse)
    const key = fresh()
    const send = () => vault.send('POST', 'keymgmt/key/w/rotate', undefined, { 'idempotency-key': key })
    const first = await send()
    expect(JSON.parse(first.text).warnings).toEqual([
      expect.stringMatching(/\(rotate\) was refused .*no more versions/),
    ])
    const again = await send()
    expect([again.status, again.text]).toEqual([200, first.text])
    expect(await versions('w')).toBe(2)
  })

  it('gets the refusal of the first time, where that had begun to change something', async () => {
    await vault.send('POST', 'keymgmt/kms/v', { provider: 'memory', key_collection: 'other' })
    await vault.send('POST', 'keymgmt/key/v', { type: 'rsa-2048' })
    const key = fresh()
    const send = () => vault.send('POST', 'keymgmt/kms/v/key/v', { purpose: 'sign' }, { 'idempotency-key': key })
    vault.other.faults.push({ call: 'import', error: () => new CloudError('refused', 'the cloud says no'), times: 1 })
    const first = await send()
    expect(outcome(first)).toEqual([400, expect.stringMatching(/the cloud says no/)])
    expect(outcome(await send())).toEqual(outcome(first))
  })

  it('is kept apart by caller, method, path and mount', async () => {
    const key = fresh()
    const before = Number(await versions())
    await rotate(key)
    await vault.send('PUT', 'keymgmt/key/k/rotate', undefined, { 'idempotency-key': key })
    const { auth } = JSON.parse((await vault.send('POST', 'auth/token/create', { policies: ['root'] })).text)
    await rotate(key, undefined, { 'x-vault-token': auth.client_token })
    expect(await versions()).toBe(before + 3)
    await vault.send('POST', 'keymgmt/key/other', { type: 'aes256-gcm96' })
    await vault.send('POST', 'keymgmt/key/other/rotate', undefined, { 'idempotency-key': key })
    expect(await versions('other')).toBe(2)

    for (const _ of [1, 2]) {
      await vault.send('POST', 'sys/mounts/m', { type: 'keymgmt' })
      await vault.send('POST', 'm/key/k', { type: 'aes256-gcm96' }, { 'idempotency-key': key })
      expect((await vault.send('GET', 'm/key/k')).status).toBe(200)
      await vault.send('DELETE', 'sys/mounts/m')
    }
  })

  it('is looked for only after authorization', async () => {
    const key = fresh()
    await rotate(key)
    expect(outcome(await rotate(key, undefined, { 'x-vault-token': 'none' }))).toEqual([403, 'permission denied'])
  })

  it('with another body is refused', async () => {
    const key = fresh()
    const send = (body: unknown) => vault.send('POST', 'keymgmt/key/k', body, { 'idempotency-key': key })
    expect(outcome(await send({ deletion_allowed: true }))).toEqual([204])
    expect(outcome(await send({ deletion_allowed: false }))).toEqual([422, reused])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/k')).deletion_allowed).toBe(true)
    expect(outcome(await send({ deletion_allowed: true }))).toEqual([204])
  })

  it('is refused while the first still runs, whichever body it has', async () => {
    const key = fresh()
    const before = Number(await versions())
    const { promise, resolve } = Promise.withResolvers<void>()
    const original = vault.core.keys.rotate.bind(vault.core.keys)
    vault.core.keys.rotate = async (...args) => {
      await promise
      return await original(...args)
    }
    const first = rotate(key)
    await new Promise((later) => setImmediate(later))
    expect(outcome(await rotate(key))).toEqual([409, stillRuns])
    expect(outcome(await rotate(key, { a: 1 }))).toEqual([422, reused])
    resolve()
    expect((await first).status).toBe(204)
    vault.core.keys.rotate = original
    expect((await rotate(key)).status).toBe(204)
    expect(await versions()).toBe(before + 1)
  })

  it('whose change was undone is free', async () => {
    const key = fresh()
    await vault.send('POST', 'keymgmt/key/u', { type: 'aes256-gcm96' })
    const send = () => vault.send('POST', 'keymgmt/key/u', { min_enabled_version: 2 }, { 'idempotency-key': key })
    expect(outcome(await send())).toEqual([400, expect.stringMatching(/^min_enabled_version 2 is not possible/)])
    await vault.send('POST', 'keymgmt/key/u/rotate')
    expect(outcome(await send())).toEqual([204])
  })

  it('that ended in a fault of our own after its change is told of the change', async () => {
    const key = fresh()
    const before = Number(await versions())
    const original = vault.core.keys.rotate.bind(vault.core.keys)
    vault.core.keys.rotate = async (...args) => {
      await original(...args)
      throw new Error('a fault')
    }
    expect((await rotate(key)).status).toBe(500)
    vault.core.keys.rotate = original
    const again = JSON.parse((await rotate(key)).text)
    expect([again.data, again.warnings]).toEqual([null, [changedBefore]])
    expect(await versions()).toBe(before + 1)
  })

  it('that changed nothing and was refused is free', async () => {
    const key = fresh()
    const send = () => vault.send('POST', 'keymgmt/key/later/rotate', undefined, { 'idempotency-key': key })
    expect(outcome(await send())).toEqual([400, 'key "later" not found'])
    await vault.send('POST', 'keymgmt/key/later', { type: 'aes256-gcm96' })
    expect(outcome(await send())).toEqual([204])
    expect(await versions('later')).toBe(2)
  })

  it('that succeeded without a change is kept', async () => {
    const key = fresh()
    const remove = () => vault.send('DELETE', 'keymgmt/key/d', undefined, { 'idempotency-key': key })
    expect(outcome(await remove())).toEqual([204])
    await vault.send('POST', 'keymgmt/key/d', { type: 'aes256-gcm96', deletion_allowed: true })
    expect(outcome(await remove())).toEqual([204])
    expect((await vault.send('GET', 'keymgmt/key/d')).status).toBe(200)
  })

  it('is not looked at where answers are secrets', async () => {
    const send = () => vault.send('POST', 'auth/token/create', {}, { 'idempotency-key': 'the same' })
    const tokens = [await send(), await send()].map((reply) => JSON.parse(reply.text).auth.client_token)
    expect(tokens[0]).not.toBe(tokens[1])
  })
})

describe('the key', () => {
  it.each([
    'a',
    'x'.repeat(255),
    '8e03978e-40d5-43dd-bc93-6894a57f9324',
    'two words',
  ])('%s may be quoted or not', async (key) => {
    const before = Number(await versions())
    await rotate(key)
    await rotate(`"${key}"`)
    expect(await versions()).toBe(before + 1)
  })

  it.each([
    '',
    '""',
    ' ',
    'x'.repeat(256),
    'caf\u00e9',
    'a\tb',
  ])('"%s" is refused, before anything is done', async (key) => {
    const before = await versions()
    expect(outcome(await rotate(key))).toEqual([400, 'Idempotency-Key must be 1 to 255 printable ASCII characters'])
    expect(await versions()).toBe(before)
  })
})
