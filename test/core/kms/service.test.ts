import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CloudError } from '../../../src/core/kms/provider.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

let gateway: TestCore
let names = 0
const cloud = new MemoryCloud()
const fresh = () => `kms-${++names}`

beforeAll(async () => {
  gateway = await testCore({ providers: [memoryProvider(new Map([['one', cloud]]))] })
})
afterAll(() => gateway.close())

const settings = { provider: 'memory', keyCollection: 'one', credentials: { secret: 'canary-secret' } }
const write = (name: string, input: Parameters<typeof gateway.core.kms.write>[2] = settings) =>
  gateway.core.kms.write(gateway.scope, name, input)
const read = (name: string) => gateway.core.kms.read(gateway.scope, name)
const invalid = (message: string) => expect.objectContaining({ code: 'invalid', message })

describe('a KMS', () => {
  it('is made, read without a credential, changed in part, listed and deleted', async () => {
    const name = fresh()
    const { core, scope } = gateway
    expect(await write(name)).toEqual({ created: true, warnings: [] })
    expect(await read(name)).toEqual({ name, provider: 'memory', keyCollection: 'one', shown: {} })
    expect(JSON.stringify(await read(name))).not.toContain('canary')
    expect(await write(name, { credentials: { secret: 'other' } })).toEqual({ created: false, warnings: [] })
    expect(await write(name, { provider: 'memory', keyCollection: 'one' })).toEqual({ created: false, warnings: [] })
    expect(await core.kms.list(scope)).toContain(name)
    await core.kms.delete(scope, name)
    await core.kms.delete(scope, name)
    await expect(read(name)).rejects.toMatchObject({ code: 'not_found', message: `KMS "${name}" not found` })
    expect(await core.kms.list(scope)).not.toContain(name)
  })

  it('that has keys is not deleted', async () => {
    const name = fresh()
    const { core, scope, waiting } = gateway
    await write(name)
    for (const key of [`${name}-a`, `${name}-b`]) {
      await core.keys.write(scope, key, { type: 'ecdsa-p256' }, waiting)
      await core.distribution.distribute(scope, name, key, { purpose: ['sign'] }, waiting)
    }
    await expect(core.kms.delete(scope, name)).rejects.toEqual(
      invalid(`KMS "${name}" still has 2 keys: remove them first (DELETE kms/${name}/key/:key)`),
    )
    await core.distribution.remove(scope, name, `${name}-a`, waiting)
    await expect(core.kms.delete(scope, name)).rejects.toThrow(`KMS "${name}" still has 1 key: remove them first`)
    expect(await core.distribution.keysOfKms(scope, name)).toEqual([`${name}-b`])
    await core.distribution.remove(scope, name, `${name}-b`, waiting)
    await core.kms.delete(scope, name)
  })
})

describe('bad input', () => {
  it.each(['', '..', 'a/b', 'a b', '-', 'a\u0000', 'x'.repeat(101)])('the name %j', async (name) => {
    await expect(write(name)).rejects.toThrow(/^invalid KMS name ".*": allowed are 1 to 100 letters/)
    await expect(read(name)).rejects.toMatchObject({ code: 'invalid' })
  })

  it.each<[string, object, string]>([
    ['no provider', { keyCollection: 'one' }, 'missing provider: allowed is memory'],
    ['an unknown provider', { ...settings, provider: 'awskms' }, 'unsupported provider "awskms": allowed is memory'],
    [
      'a provider of Object',
      { ...settings, provider: '__proto__' },
      'unsupported provider "__proto__": allowed is memory',
    ],
    ['no collection', { provider: 'memory' }, 'missing key_collection: it names where the provider keeps the keys'],
    ['what the provider refuses', { ...settings, keyCollection: 'nowhere' }, 'unknown key_collection "nowhere"'],
  ])('%s', async (_, input, message) => {
    const name = fresh()
    await expect(write(name, input)).rejects.toEqual(invalid(message))
    await expect(read(name)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('what cannot be changed', async () => {
    const name = fresh()
    await write(name)
    await expect(write(name, { provider: 'other' })).rejects.toEqual(
      invalid(`provider cannot be changed: KMS "${name}" is of provider memory`),
    )
    await expect(write(name, { keyCollection: 'two', credentials: {} })).rejects.toEqual(
      invalid(`key_collection cannot be changed: KMS "${name}" has one`),
    )
  })

  it('a purpose or protection that the matrix does not have', async () => {
    const name = fresh()
    const { core, scope, waiting } = gateway
    await write(name)
    await core.keys.write(scope, `${name}-ec`, { type: 'ecdsa-p256' }, waiting)
    await core.keys.write(scope, `${name}-p521`, { type: 'ecdsa-p521' }, waiting)
    const calls = cloud.calls.length
    const distribute = (key: string, input: object) =>
      core.distribution.distribute(scope, name, `${name}-${key}`, { purpose: ['sign'], ...input }, waiting)
    const bad: [string, object, string][] = [
      ['ec', { purpose: [] }, 'missing purpose: name at least one of encrypt, decrypt, sign, verify, wrap or unwrap'],
      [
        'ec',
        { purpose: ['Sign'] },
        'unsupported purpose "Sign": allowed are encrypt, decrypt, sign, verify, wrap or unwrap',
      ],
      [
        'ec',
        { purpose: ['encrypt'] },
        'purpose "encrypt" is not possible for a key of type ecdsa-p256 with protection hsm in memory: allowed are sign or verify',
      ],
      ['ec', { protection: 'HSM' }, 'unsupported protection "HSM": allowed are hsm or software'],
      [
        'ec',
        { protection: 'software' },
        'a key of type ecdsa-p256 cannot have protection software in memory: allowed is hsm',
      ],
      [
        'p521',
        {},
        'a key of type ecdsa-p521 cannot be distributed to memory: allowed types are rsa-2048 or ecdsa-p256',
      ],
      ['ec', { name: 'No' }, 'a remote name has lower-case letters, digits and "-"'],
    ]
    for (const [key, input, message] of bad) await expect(distribute(key, input)).rejects.toEqual(invalid(message))
    await expect(distribute('none', {})).rejects.toMatchObject({
      code: 'not_found',
      message: `key "${name}-none" not found`,
    })
    await expect(
      core.distribution.distribute(scope, 'nowhere', `${name}-ec`, { purpose: ['sign'] }, waiting),
    ).rejects.toMatchObject({ code: 'not_found', message: 'KMS "nowhere" not found' })
    expect(cloud.calls).toHaveLength(calls)
  })
})

describe('at the same time', () => {
  it('16 creations of one name make one KMS, and the last credentials count', async () => {
    const name = fresh()
    const { core, scope, waiting } = gateway
    const made = await Promise.all(Array.from({ length: 16 }, () => write(name)))
    expect(made.filter((one) => one.created)).toHaveLength(1)
    await core.keys.write(scope, name, { type: 'ecdsa-p256' }, waiting)
    cloud.revoked.add('revoked')
    await write(name, { credentials: { secret: 'revoked' } })
    await expect(core.distribution.distribute(scope, name, name, { purpose: ['sign'] }, waiting)).rejects.toEqual(
      expect.objectContaining({ code: 'refused', message: 'these credentials were revoked' }),
    )
    await Promise.all([
      write(name, { credentials: { secret: 'revoked' } }),
      write(name, { credentials: { secret: 'good' } }),
    ])
    expect(await core.distribution.distribute(scope, name, name, { purpose: ['sign'] }, waiting)).toEqual([])
  })

  it('a deletion that comes first is followed by a creation, not by an error', async () => {
    for (let round = 0; round < 20; round++) {
      const name = fresh()
      await write(name)
      const [, second] = await Promise.all([gateway.core.kms.delete(gateway.scope, name), write(name)])
      expect(second.created).toBe(true)
      expect((await read(name)).name).toBe(name)
    }
  })

  it('a KMS is never deleted under a key that is on its way to it', async () => {
    const { core, scope, waiting } = gateway
    await core.keys.write(scope, 'wanderer', { type: 'ecdsa-p256' }, waiting)
    for (let round = 0; round < 20; round++) {
      const name = fresh()
      await write(name)
      const [distributed, deleted] = await Promise.allSettled([
        core.distribution.distribute(scope, name, 'wanderer', { purpose: ['sign'] }, waiting),
        core.kms.delete(scope, name),
      ])
      expect([distributed?.status, deleted?.status].sort()).toEqual(['fulfilled', 'rejected'])
      if (distributed?.status === 'fulfilled') await core.distribution.remove(scope, name, 'wanderer', waiting)
    }
    expect(await core.distribution.kmsOfKey(scope, 'wanderer')).toEqual([])
  })

  it('a refusal names its reason and nothing of the credentials', async () => {
    const name = fresh()
    const { core, scope, waiting } = gateway
    await write(name, { ...settings, credentials: { secret: 'canary-revoked' } })
    cloud.revoked.add('canary-revoked')
    const error = await core.distribution
      .distribute(scope, name, 'wanderer', { purpose: ['sign'] }, waiting)
      .catch((reason: unknown) => reason)
    expect(`${error}`).toBe('KeyferryError: these credentials were revoked')
    expect(error).not.toBeInstanceOf(CloudError)
  })
})
