import { createPublicKey } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { creatableTypes } from '../../../src/core/keys/service.ts'
import { keyTypeNames } from '../../../src/core/keys/types.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'

let gateway: TestCore
let names = 0
const fresh = () => `key-${++names}`
const type = 'ecdsa-p256'

beforeAll(async () => {
  gateway = await testCore()
})
afterAll(() => gateway.close())

const write = (name: string, input = {}) => gateway.core.keys.write(gateway.scope, name, input, gateway.waiting)
const read = (name: string) => gateway.core.keys.read(gateway.scope, name)
const rotate = (name: string) => gateway.core.keys.rotate(gateway.scope, name, gateway.waiting)
const remove = (name: string) => gateway.core.keys.delete(gateway.scope, name)
const invalid = (message: string) => expect.objectContaining({ code: 'invalid', message })

describe('a key', () => {
  it.each(keyTypeNames)('of type %s is made, read and rotated', async (type) => {
    const name = fresh()
    expect(await write(name, { type })).toEqual({ created: true, warnings: [] })
    expect(await rotate(name)).toEqual({ version: 2, warnings: [] })
    const key = await read(name)
    expect(key).toMatchObject({
      name,
      type,
      latestVersion: 2,
      minEnabledVersion: 1,
      deletionAllowed: false,
      replicaRegions: null,
    })
    const [one, two] = key.versions.map((version) => version.publicKey)
    if (type === 'aes256-gcm96') {
      expect([one, two]).toEqual([null, null])
      return
    }
    expect(one).not.toBe(two)
    const spec = createPublicKey(one ?? '')
    expect(
      `${spec.asymmetricKeyType}-${spec.asymmetricKeyDetails?.modulusLength ?? spec.asymmetricKeyDetails?.namedCurve}`,
    ).toBe(
      {
        'rsa-2048': 'rsa-2048',
        'rsa-3072': 'rsa-3072',
        'rsa-4096': 'rsa-4096',
        'ecdsa-p256': 'ec-prime256v1',
        'ecdsa-p384': 'ec-secp384r1',
        'ecdsa-p521': 'ec-secp521r1',
      }[type],
    )
  })

  it('is of type rsa-2048 unless another is asked for', async () => {
    const name = fresh()
    await write(name)
    expect((await read(name)).type).toBe('rsa-2048')
    expect(creatableTypes).toEqual(keyTypeNames)
  })

  it('shows no version below min_enabled_version, and all with 0', async () => {
    const name = fresh()
    await write(name, { type })
    await rotate(name)
    await rotate(name)
    const versions = async () => (await read(name)).versions.map((one) => one.version)
    await write(name, { minEnabledVersion: 3 })
    expect(await versions()).toEqual([3])
    await write(name, { minEnabledVersion: 0 })
    expect(await versions()).toEqual([1, 2, 3])
  })

  it('is listed by name, in pages', async () => {
    const { core, scope } = gateway
    for (const name of ['zz-b', 'zz-a', 'zz-c', 'zz-B']) await write(name, { type })
    const all = await core.keys.list(scope)
    expect(all.slice(-4)).toEqual(['zz-B', 'zz-a', 'zz-b', 'zz-c'])
    expect(await core.keys.list(scope, { after: 'zz-B', limit: 2 })).toEqual(['zz-a', 'zz-b'])
    expect(await core.keys.list(scope, { after: 'zz-c' })).toEqual([])
    expect(all).toEqual([...all].sort())
  })

  it('is deleted only when that is allowed, and deleting what is not there is no error', async () => {
    const name = fresh()
    await write(name, { type })
    await expect(remove(name)).rejects.toEqual(
      invalid(`deletion is not allowed for key "${name}": set deletion_allowed to true first`),
    )
    await write(name, { deletionAllowed: true })
    await remove(name)
    await remove(name)
    await expect(read(name)).rejects.toMatchObject({ code: 'not_found', message: `key "${name}" not found` })
    await expect(rotate(name)).rejects.toMatchObject({ code: 'not_found', message: `key "${name}" not found` })
  })
})

const rule =
  'allowed are 1 to 100 letters, digits, "_", "-" and ".", beginning and ending with a letter, digit or "_", without ".."'

describe('bad input', () => {
  it.each([
    ['', ''],
    ['.', '.'],
    ['..', '..'],
    ['a..b', 'a..b'],
    ['-a', '-a'],
    ['a-', 'a-'],
    ['a/b', 'a/b'],
    ['a%2fb', 'a%2fb'],
    ['a b', 'a b'],
    ['a\u0000b', 'a?b'],
    ['a\nb', 'a?b'],
    ['ключ', 'ключ'],
    ['a\u202eb', 'a\u202eb'],
    ['a'.repeat(101), `${'a'.repeat(61)}...`],
    ['a'.repeat(1000), `${'a'.repeat(61)}...`],
    ['__proto__/x', '__proto__/x'],
  ])('the name %j', async (name, shown) => {
    await expect(write(name, { type })).rejects.toEqual(invalid(`invalid key name "${shown}": ${rule}`))
    await expect(read(name)).rejects.toMatchObject({ code: 'invalid' })
    await expect(rotate(name)).rejects.toMatchObject({ code: 'invalid' })
    await expect(remove(name)).resolves.toBeUndefined()
  })

  it.each([
    '__proto__',
    'constructor',
    'a'.repeat(100),
    'A.b-c_d',
    '0',
    '_',
  ])('the odd name %j is fine', async (name) => {
    expect(await write(name, { type })).toEqual({ created: true, warnings: [] })
    expect((await read(name)).name).toBe(name)
  })

  it.each(['', 'rsa', 'RSA-2048', 'rsa-1024', '__proto__', 'toString', 'x'.repeat(200)])('the type %j', async (bad) => {
    const name = fresh()
    const shown = bad.length > 64 ? `${bad.slice(0, 61)}...` : bad
    await expect(write(name, { type: bad })).rejects.toEqual(
      invalid(`unsupported key type "${shown}": allowed are ${keyTypeNames.slice(0, -1).join(', ')} or aes256-gcm96`),
    )
    await expect(read(name)).rejects.toMatchObject({ code: 'not_found' })
  })

  it.each([-1, 2, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('min_enabled_version %s', async (bad) => {
    const name = fresh()
    const message = `min_enabled_version ${bad} is not possible: allowed are 0 (all versions) to 1 (the latest version)`
    await expect(write(name, { type, minEnabledVersion: bad })).rejects.toEqual(invalid(message))
    await write(name, { type })
    await expect(write(name, { minEnabledVersion: bad, deletionAllowed: true })).rejects.toEqual(invalid(message))
    expect(await read(name)).toMatchObject({ minEnabledVersion: 1, deletionAllowed: false })
  })

  it('what cannot be changed', async () => {
    const name = fresh()
    await write(name, { type })
    await expect(write(name, { type: 'rsa-2048' })).rejects.toEqual(
      invalid(`type cannot be changed: key "${name}" is of type ecdsa-p256`),
    )
    await expect(write(name, { replicaRegions: ['eu'] })).rejects.toEqual(
      invalid(`replica_regions can only be given when a key is created, and key "${name}" exists`),
    )
    await expect(write(fresh(), { type, replicaRegions: ['eu'] })).rejects.toEqual(
      invalid('replica_regions is only for keys of type aes256-gcm96, not ecdsa-p256'),
    )
    const regional = fresh()
    await write(regional, { type: 'aes256-gcm96', replicaRegions: ['eu', 'us'] })
    expect((await read(regional)).replicaRegions).toEqual(['eu', 'us'])
    await expect(write(regional, { replicaRegions: ['us'] })).rejects.toMatchObject({ code: 'invalid' })
    expect(await write(regional, { replicaRegions: ['eu', 'us'], type: 'aes256-gcm96' })).toEqual({
      created: false,
      warnings: [],
    })
  })
})

describe('at the same time', () => {
  it('32 rotations make 32 versions, each once and without a gap', async () => {
    const name = fresh()
    await write(name, { type })
    const made = await Promise.all(Array.from({ length: 32 }, () => rotate(name)))
    const expected = Array.from({ length: 32 }, (_, index) => index + 2)
    expect(made.map((one) => one.version).sort((a, b) => a - b)).toEqual(expected)
    const { latestVersion, versions } = await read(name)
    expect(latestVersion).toBe(33)
    expect(versions.map((one) => one.version)).toEqual([1, ...expected])
    expect(new Set(versions.map((one) => one.publicKey)).size).toBe(33)
  })

  it('16 creations of one name make one key', async () => {
    const name = fresh()
    const made = await Promise.all(Array.from({ length: 16 }, () => write(name, { type })))
    expect(made.filter((one) => one.created)).toHaveLength(1)
    expect((await read(name)).latestVersion).toBe(1)
    const [first, ...others] = await Promise.allSettled([
      ...Array.from({ length: 4 }, () => write(`${name}-x`, { type })),
      write(`${name}-x`, { type: 'ecdsa-p384' }),
    ])
    expect(first?.status).toBe('fulfilled')
    expect(others.filter((one) => one.status === 'rejected')).toHaveLength(1)
  })

  it('a write, a rotation and a deletion come one after the other, whichever is first', async () => {
    for (let round = 0; round < 50; round++) {
      const name = fresh()
      await write(name, { type, deletionAllowed: true })
      const [updated, deleted, rotated] = await Promise.allSettled([
        write(name, { type, deletionAllowed: round % 2 === 0 }),
        remove(name),
        rotate(name),
      ])
      // The write is never told that the key is not there: then it makes it.
      expect(updated?.status).toBe('fulfilled')
      const key = await read(name).catch(() => undefined)
      if (deleted?.status === 'rejected') expect(key).toBeDefined()
      if (rotated?.status === 'rejected') expect(rotated.reason).toMatchObject({ code: 'not_found' })
      if (key)
        expect(key.versions.map((one) => one.version)).toEqual(
          Array.from({ length: key.latestVersion }, (_, i) => i + 1),
        )
    }
  })

  it('a deletion that comes first is followed by a creation, not by an error', async () => {
    for (let round = 0; round < 20; round++) {
      const name = fresh()
      await write(name, { type, deletionAllowed: true })
      const [, second] = await Promise.all([remove(name), write(name, { type, minEnabledVersion: 0 })])
      expect(second).toEqual({ created: true, warnings: [] })
      expect((await read(name)).latestVersion).toBe(1)
    }
  })
})
