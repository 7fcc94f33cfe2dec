import { createPublicKey } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
})
afterAll(() => vault.close())

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('key/:name', () => {
  it('is read as Vault gives it', async () => {
    expect(outcome(await vault.send('PUT', 'keymgmt/key/orders', { type: 'rsa-2048' }))).toEqual([204])
    const reply = await vault.send('GET', 'keymgmt/key/orders')
    expect(reply.status).toBe(200)
    expect(reply.headers.get('content-type')).toBe('application/json')
    const body = JSON.parse(reply.text)
    expect(body).toEqual({
      request_id: expect.stringMatching(uuid),
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data: {
        deletion_allowed: false,
        latest_version: 1,
        min_enabled_version: 1,
        name: 'orders',
        type: 'rsa-2048',
        versions: { 1: { creation_time: expect.stringMatching(time), public_key: expect.any(String) } },
      },
      wrap_info: null,
      warnings: null,
      auth: null,
      mount_type: 'keymgmt',
    })
    const pem: string = body.data.versions[1].public_key
    expect(pem).toMatch(/^-----BEGIN PUBLIC KEY-----\n[\s\S]+\n-----END PUBLIC KEY-----\n$/)
    expect(createPublicKey(pem).asymmetricKeyDetails?.modulusLength).toBe(2048)
  })

  it('gives each answer a request id of its own, also one that was kept', async () => {
    const replies = await Promise.all([1, 2, 3].map(() => vault.send('GET', 'keymgmt/key/orders')))
    expect(new Set(replies.map(({ text }) => JSON.parse(text).request_id)).size).toBe(3)
  })

  it('has no public key where the key is symmetric', async () => {
    await vault.send('POST', 'keymgmt/key/aes', { type: 'aes256-gcm96' })
    const { versions, type } = dataOf(await vault.send('GET', 'keymgmt/key/aes'))
    expect(type).toBe('aes256-gcm96')
    expect(versions).toEqual({ 1: { creation_time: expect.stringMatching(time) } })
  })

  it('makes every type, and rsa-2048 where none is named', async () => {
    for (const type of ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521']) {
      expect(outcome(await vault.send('POST', `keymgmt/key/of-${type}`, { type }))).toEqual([204])
      expect(dataOf(await vault.send('GET', `keymgmt/key/of-${type}`)).type).toBe(type)
    }
    expect(outcome(await vault.send('POST', 'keymgmt/key/of-default'))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/of-default')).type).toBe('rsa-2048')
  })

  it('shows replica_regions only when they were given', async () => {
    const body = { type: 'aes256-gcm96', replica_regions: 'us-east-1, eu-west-1' }
    expect(outcome(await vault.send('PUT', 'keymgmt/key/regions', body))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/regions')).replica_regions).toEqual(['us-east-1', 'eu-west-1'])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/aes'))).not.toHaveProperty('replica_regions')
  })

  it('leaves out versions below min_enabled_version, and shows them again', async () => {
    await vault.send('PUT', 'keymgmt/key/versions', { type: 'ecdsa-p256' })
    await vault.send('PUT', 'keymgmt/key/versions/rotate', {})
    await vault.send('PUT', 'keymgmt/key/versions/rotate', 'null')
    const shown = async () => Object.keys(dataOf(await vault.send('GET', 'keymgmt/key/versions')).versions as object)
    expect(await shown()).toEqual(['1', '2', '3'])
    expect(outcome(await vault.send('PUT', 'keymgmt/key/versions', { min_enabled_version: 3 }))).toEqual([204])
    expect(await shown()).toEqual(['3'])
    expect(outcome(await vault.send('PUT', 'keymgmt/key/versions', { min_enabled_version: 0 }))).toEqual([204])
    expect(await shown()).toEqual(['1', '2', '3'])
  })

  it('makes two versions of two rotations at the same time', async () => {
    await vault.send('PUT', 'keymgmt/key/twice', { type: 'ecdsa-p256' })
    const replies = await Promise.all([1, 2].map(() => vault.send('POST', 'keymgmt/key/twice/rotate')))
    expect(replies.map(({ status }) => status)).toEqual([204, 204])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/twice')).latest_version).toBe(3)
  })

  it('is deleted once that is allowed, and its name is free again', async () => {
    await vault.send('PUT', 'keymgmt/key/gone', { type: 'ecdsa-p256' })
    expect(outcome(await vault.send('DELETE', 'keymgmt/key/gone'))).toEqual([
      400,
      'deletion is not allowed for key "gone": set deletion_allowed to true first',
    ])
    expect(outcome(await vault.send('PUT', 'keymgmt/key/gone', { deletion_allowed: true }))).toEqual([204])
    expect(outcome(await vault.send('DELETE', 'keymgmt/key/gone'))).toEqual([204])
    expect(outcome(await vault.send('GET', 'keymgmt/key/gone'))).toEqual([404])
    expect(outcome(await vault.send('DELETE', 'keymgmt/key/gone'))).toEqual([204])
    expect(outcome(await vault.send('PUT', 'keymgmt/key/gone', { type: 'aes256-gcm96' }))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/gone'))).toMatchObject({
      type: 'aes256-gcm96',
      latest_version: 1,
    })
  })

  it('applies what the creating write says beside the type', async () => {
    await vault.send('PUT', 'keymgmt/key/at-once', {
      type: 'ecdsa-p256',
      deletion_allowed: 'true',
      min_enabled_version: '0',
    })
    expect(dataOf(await vault.send('GET', 'keymgmt/key/at-once'))).toMatchObject({ deletion_allowed: true })
  })

  it.each([
    [
      { type: 'invalid-key-type' },
      'unsupported key type "invalid-key-type": allowed are rsa-2048, rsa-3072, rsa-4096, ecdsa-p256, ecdsa-p384, ecdsa-p521 or aes256-gcm96',
    ],
    [{ type: 'RSA-2048' }, /^unsupported key type "RSA-2048": allowed are /],
    [{ type: '' }, /^unsupported key type ""/],
    [{ type: {} }, 'Field validation failed: error converting input for field "type": a string is expected'],
    [
      { type: 'ecdsa-p256', min_enabled_version: 2 },
      'min_enabled_version 2 is not possible: allowed are 0 (all versions) to 1 (the latest version)',
    ],
    [
      { type: 'ecdsa-p256', replica_regions: ['us-east-1'] },
      'replica_regions is only for keys of type aes256-gcm96, not ecdsa-p256',
    ],
  ])('is not made with %j', async (body, message) => {
    const [status, error] = outcome(await vault.send('PUT', 'keymgmt/key/never', body))
    expect(status).toBe(400)
    if (typeof message === 'string') expect(error).toBe(message)
    else expect(error).toMatch(message)
    expect(outcome(await vault.send('GET', 'keymgmt/key/never'))).toEqual([404])
  })

  it.each([
    [{ type: 'rsa-4096' }, 'type cannot be changed: key "orders" is of type rsa-2048'],
    [
      { min_enabled_version: 2 },
      'min_enabled_version 2 is not possible: allowed are 0 (all versions) to 1 (the latest version)',
    ],
    [
      { min_enabled_version: -1 },
      'min_enabled_version -1 is not possible: allowed are 0 (all versions) to 1 (the latest version)',
    ],
    [
      { replica_regions: ['us-east-1'] },
      'replica_regions can only be given when a key is created, and key "orders" exists',
    ],
  ])('is not changed by %j', async (body, message) => {
    const before = dataOf(await vault.send('GET', 'keymgmt/key/orders'))
    expect(outcome(await vault.send('PUT', 'keymgmt/key/orders', body))).toEqual([400, message])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/orders'))).toEqual(before)
  })

  it('takes a write that changes nothing', async () => {
    for (const body of [
      undefined,
      '',
      'null',
      '{}',
      { type: 'rsa-2048' },
      { type: null },
      { name: 'x', backend: 'y' },
    ]) {
      expect(outcome(await vault.send('PUT', 'keymgmt/key/orders', body))).toEqual([204])
    }
  })
})

describe('what is missing', () => {
  it('is an empty 404 to a read', async () => {
    const reply = await vault.send('GET', 'keymgmt/key/missing')
    expect([reply.status, reply.text]).toEqual([404, '{"errors":[]}'])
  })

  it('is a 400 to a write, since the Go clients take a 404 for success', async () => {
    expect(outcome(await vault.send('PUT', 'keymgmt/key/missing/rotate', {}))).toEqual([400, 'key "missing" not found'])
  })

  it('is an empty 404 to a list of the KMSs of a key', async () => {
    expect(outcome(await vault.send('LIST', 'keymgmt/key/missing/kms'))).toEqual([404])
    expect(outcome(await vault.send('LIST', 'keymgmt/key/orders/kms'))).toEqual([404])
  })
})

describe('lists of keys', () => {
  let fresh: Gateway
  const names = Array.from({ length: 12 }, (_, index) => `k${String(index).padStart(2, '0')}`)
  beforeAll(async () => {
    fresh = await gateway()
  })
  afterAll(() => fresh.close())
  const listed = async (path: string, method = 'GET') => dataOf(await fresh.send(method, path)).keys

  it('is an empty 404 when there are none', async () => {
    const reply = await fresh.send('LIST', 'keymgmt/key')
    expect([reply.status, reply.text]).toEqual([404, '{"errors":[]}'])
  })

  it('comes as LIST or GET, with any of the words of ParseBool, with or without a final slash', async () => {
    for (const name of names) await fresh.send('PUT', `keymgmt/key/${name}`, { type: 'aes256-gcm96' })
    expect(await listed('keymgmt/key', 'LIST')).toEqual(names)
    expect(await listed('keymgmt/key/', 'LIST')).toEqual(names)
    for (const word of ['1', 't', 'T', 'true', 'TRUE', 'True']) {
      expect(await listed(`keymgmt/key?list=${word}`)).toEqual(names)
      expect(await listed(`keymgmt/key/?list=${word}`)).toEqual(names)
    }
  })

  it('is no list when the word says so, and a 400 when it says nothing', async () => {
    for (const word of ['0', 'f', 'F', 'false', 'FALSE', 'False']) {
      expect(outcome(await fresh.send('GET', `keymgmt/key?list=${word}`))).toEqual([405, 'unsupported operation'])
      expect((await fresh.send('GET', `keymgmt/key/k00?list=${word}`)).status).toBe(200)
    }
    for (const word of ['yes', '2', 'tRUE', 'garbage']) {
      expect(outcome(await fresh.send('GET', `keymgmt/key?list=${word}`))).toEqual([
        400,
        `query parameter "list" must be true or false, not "${word}"`,
      ])
    }
  })

  it('comes in pages', async () => {
    expect(await listed('keymgmt/key?limit=5', 'LIST')).toEqual(names.slice(0, 5))
    expect(await listed('keymgmt/key?list=true&after=k04&limit=5')).toEqual(names.slice(5, 10))
    expect(await listed('keymgmt/key?list=true&after=k04x')).toEqual(names.slice(5))
    for (const all of ['0', '-1', '']) expect(await listed(`keymgmt/key?list=true&limit=${all}`)).toEqual(names)
    expect(outcome(await fresh.send('LIST', 'keymgmt/key?after=k11'))).toEqual([404])
    expect(outcome(await fresh.send('LIST', 'keymgmt/key?limit=many'))).toEqual([
      400,
      'query parameter "limit" must be a whole number, not "many"',
    ])
  })

  it('is right again after every change', async () => {
    expect(await listed('keymgmt/key', 'LIST')).toEqual(names)
    await fresh.send('PUT', 'keymgmt/key/k99', { type: 'aes256-gcm96', deletion_allowed: true })
    expect(await listed('keymgmt/key', 'LIST')).toEqual([...names, 'k99'])
    await fresh.send('DELETE', 'keymgmt/key/k99')
    expect(await listed('keymgmt/key', 'LIST')).toEqual(names)
  })
})
