import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkName } from '../../src/core/names.ts'
import { type TestCore, testCore } from '../support/gateway.ts'

let gateway: TestCore

beforeAll(async () => {
  gateway = await testCore()
})
afterAll(() => gateway.close())

const create = (path: string, type = 'keymgmt') => gateway.core.mounts.create('root', path, { type })
const paths = async () => (await gateway.core.mounts.list('root')).map((mount) => mount.path)
const rule = 'allowed are up to 8 parts of 1 to 64 letters, digits, "_", "-" and "."'

describe('a mount', () => {
  it('is made with or without slashes around it, found, tuned and removed', async () => {
    const { core } = gateway
    const mount = await create('/team/keys/')
    expect(mount).toMatchObject({
      namespaceId: 'root',
      path: 'team/keys/',
      type: 'keymgmt',
      description: '',
      config: {},
    })
    expect(mount.accessor).toMatch(/^keymgmt_[0-9a-f]{8}$/)
    for (const path of ['team/keys', '/team/keys', 'team/keys/', '//team/keys//'])
      expect((await core.mounts.at('root', path)).id).toBe(mount.id)
    await core.mounts.tune('root', 'team/keys', { description: 'ours', config: { a: 1 } })
    await core.mounts.tune('root', 'team/keys', { config: { b: 2 } })
    await core.mounts.tune('root', 'team/keys', {})
    expect(await core.mounts.at('root', 'team/keys')).toMatchObject({ description: 'ours', config: { a: 1, b: 2 } })
    expect(await core.mounts.remove('root', 'team/keys')).toEqual([])
    expect(await core.mounts.remove('root', 'team/keys')).toEqual([])
    await expect(core.mounts.at('root', 'team/keys')).rejects.toMatchObject({
      code: 'not_found',
      message: 'No secret engine mount at team/keys/',
    })
  })

  it('serves what is under it and nothing beside it', async () => {
    const { core } = gateway
    const mount = await create('deep/er')
    const resolve = async (path: string) => (await core.mounts.resolve('root', path))?.id
    expect(await resolve('deep/er/key/a')).toBe(mount.id)
    for (const path of ['deep/er', 'deep/erx/key/a', 'deep/', 'deeper/key', 'xdeep/er/key', '', 'Deep/er/key/a'])
      expect(await resolve(path)).toBeUndefined()
    await core.mounts.remove('root', 'deep/er')
  })

  it('is of its namespace alone', async () => {
    const { core } = gateway
    await create('mine')
    expect(await core.mounts.list('somewhere')).toEqual([])
    expect(await core.mounts.resolve('somewhere', 'mine/key/a')).toBeUndefined()
    expect(await core.mounts.remove('somewhere', 'mine')).toEqual([])
    await expect(core.mounts.tune('somewhere', 'mine', { description: 'theirs' })).rejects.toMatchObject({
      code: 'not_found',
    })
    expect(await paths()).toContain('mine/')
    await core.mounts.remove('root', 'mine')
  })

  it('is a world of its own: a key or KMS in one is not in another', async () => {
    const { core, scope, waiting } = gateway
    const mount = await create('world')
    const there = { ...scope, mountId: mount.id, mountPath: mount.path }
    await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
    await expect(core.keys.read(there, 'orders')).rejects.toMatchObject({ code: 'not_found' })
    expect(await core.keys.write(there, 'orders', { type: 'ecdsa-p384' }, waiting)).toEqual({
      created: true,
      warnings: [],
    })
    await core.mounts.remove('root', 'world')
    expect((await core.keys.read(scope, 'orders')).type).toBe('ecdsa-p256')
    await expect(core.keys.read(there, 'orders')).rejects.toMatchObject({ code: 'not_found' })
    await expect(core.keys.write(there, 'late', { type: 'ecdsa-p256' }, waiting)).rejects.toMatchObject({
      code: 'not_found',
    })
    expect(await core.keys.list(there)).toEqual([])
  })
})

describe('bad input', () => {
  it.each([
    ['', ''],
    ['/', '/'],
    ['..', '..'],
    ['a/../b', 'a/../b'],
    ['a//b', 'a//b'],
    ['a..b', 'a..b'],
    ['.a', '.a'],
    ['a b', 'a b'],
    ['a%2fb', 'a%2fb'],
    ['a\u0000', 'a?'],
    ['a\nb', 'a?b'],
    ['*', '*'],
    ['+', '+'],
    ['ключ', 'ключ'],
    ['x'.repeat(65), `${'x'.repeat(61)}...`],
    ['a/b/c/d/e/f/g/h/i', 'a/b/c/d/e/f/g/h/i'],
  ])('the path %j', async (path, shown) => {
    const before = await paths()
    await expect(create(path)).rejects.toEqual(
      expect.objectContaining({ code: 'invalid', message: `invalid mount path "${shown}": ${rule}` }),
    )
    expect(await paths()).toEqual(before)
  })

  it.each([
    'sys',
    'sys/x',
    'auth',
    'auth/token',
    'identity',
    'cubbyhole',
    'oauth/',
  ])('the reserved path %j', async (path) => {
    await expect(create(path)).rejects.toThrow(/^cannot mount under ".*": it is reserved$/)
  })

  it('a path that is in use, in front of one that is, or below it', async () => {
    await create('used/here')
    for (const path of ['used/here', 'used', 'used/here/below', 'keymgmt']) {
      await expect(create(path)).rejects.toEqual(
        expect.objectContaining({
          code: 'invalid',
          message: expect.stringMatching(`^path is already in use at ${path}/$`),
        }),
      )
    }
    await create('used/there')
    expect(await paths()).toEqual(expect.arrayContaining(['used/here/', 'used/there/']))
    const made = await Promise.allSettled(Array.from({ length: 8 }, () => create('once')))
    expect(made.filter((one) => one.status === 'fulfilled')).toHaveLength(1)
  })

  it.each(['', 'kv', 'KEYMGMT', '__proto__'])('the type %j', async (type) => {
    await expect(create('typed', type)).rejects.toEqual(
      expect.objectContaining({ code: 'invalid', message: `unsupported mount type "${type}": allowed is keymgmt` }),
    )
  })
})

describe('a name', () => {
  it.each(['a', '_', '0', 'A.b-c_d', 'a'.repeat(100), '__proto__', 'con', 'null'])('%j is one', (name) => {
    expect(checkName('thing', name)).toBe(name)
  })

  it.each([
    '',
    '.',
    '..',
    '-',
    'a.',
    '.a',
    'a-',
    'a..b',
    'a/b',
    'a\\b',
    'a b',
    'a%20b',
    'a\u0000b',
    'a\r\nb',
    'é',
    'ａ',
    'a'.repeat(101),
  ])('%j is none', (name) => {
    expect(() => checkName('thing', name)).toThrow(
      expect.objectContaining({
        code: 'invalid',
        message: expect.stringMatching(/^invalid thing name ".*": allowed are 1 to 100/),
      }),
    )
  })

  it('that is none is shown short and without control characters', () => {
    expect(() => checkName('thing', `\u001b[31m${'x'.repeat(1000)}`)).toThrow(
      `invalid thing name "?[31m${'x'.repeat(56)}...": `,
    )
  })
})
