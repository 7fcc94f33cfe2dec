import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestCore, testCore } from '../../../support/gateway.ts'

let gateway: TestCore
beforeAll(async () => {
  gateway = await testCore()
})
afterAll(() => gateway.close())

test('token/ is always there, and cannot be made, changed or removed', async () => {
  const { mounts } = gateway.core.doors
  expect(await mounts.list('root')).toMatchObject([
    { path: 'token/', type: 'token', description: 'token based credentials' },
  ])
  expect(await mounts.list('root')).toEqual(await mounts.list('root'))
  await expect(mounts.disable('root', 'token')).rejects.toMatchObject({
    message: 'token credential backend cannot be disabled',
  })
  await expect(mounts.enable('root', 'token', { type: 'approle' })).rejects.toMatchObject({
    message: 'path is already in use at token/',
  })
  await expect(mounts.enable('root', 'x', { type: 'token' })).rejects.toMatchObject({ code: 'invalid' })
  await expect(mounts.tune('root', 'token', {})).rejects.toMatchObject({ code: 'invalid' })
  expect(await mounts.resolve('root', 'token/create')).toBeUndefined()
})

test('mounts are made, found, changed and removed', async () => {
  const { mounts } = gateway.core.doors
  const made = await mounts.enable('root', '/ci/build/', { type: 'jwt', description: 'builds' })
  expect(made).toMatchObject({
    path: 'ci/build/',
    type: 'jwt',
    accessor: expect.stringMatching(/^auth_jwt_[0-9a-f]{8}$/),
  })
  expect((await mounts.resolve('root', 'ci/build/login'))?.id).toBe(made.id)
  for (const path of ['ci/login', 'ci/build', 'ci/builder/login', 'token/x']) {
    expect(await mounts.resolve('root', path), path).toBeUndefined()
  }
  await mounts.tune('root', 'ci/build', { tune: { default_lease_ttl: 60 } })
  await mounts.tune('root', 'ci/build', { description: 'all builds', tune: { token_type: 'batch' } })
  expect(await mounts.at('root', 'ci/build/')).toMatchObject({
    description: 'all builds',
    tune: { default_lease_ttl: 60, token_type: 'batch' },
  })
  await mounts.disable('root', 'ci/build')
  await mounts.disable('root', 'ci/build')
  await expect(mounts.at('root', 'ci/build')).rejects.toMatchObject({ code: 'not_found' })
})

test('other types are refused in a sentence that names what there is', async () => {
  for (const type of ['userpass', 'ldap', 'kubernetes', '', 'AppRole', 'github\n']) {
    await expect(gateway.core.doors.mounts.enable('root', 'x', { type })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(
        /^unsupported auth type ".*": there are "approle" \(role id and secret id\), "jwt" and "oidc" \(JWTs of an issuer\), and "token", which is always enabled$/,
      ),
    })
  }
})

test('bad and taken paths are refused', async () => {
  const { mounts } = gateway.core.doors
  await mounts.enable('root', 'a/b', { type: 'approle' })
  for (const path of ['a/b', 'a', 'a/b/c']) {
    await expect(mounts.enable('root', path, { type: 'jwt' }), path).rejects.toMatchObject({
      message: expect.stringMatching(/^path is already in use at a/),
    })
  }
  for (const path of [
    '',
    '/',
    '..',
    'a//b',
    'x y',
    'x*',
    '+',
    'é',
    'x/../y',
    'token/x',
    'x'.repeat(65),
    'x/'.repeat(9),
  ]) {
    await expect(mounts.enable('root', path, { type: 'jwt' }), path).rejects.toMatchObject({ code: 'invalid' })
  }
  await expect(mounts.tune('root', 'a/b', { tune: { token_type: 'none' } })).rejects.toMatchObject({ code: 'invalid' })
  await expect(mounts.enable('nowhere', 'x', { type: 'jwt' })).rejects.toMatchObject({ code: 'not_found' })
})

test("a namespace's mounts are its own, and go with it", async () => {
  const { core } = gateway
  const root = await core.namespace('')
  if (!root) throw new Error('no root')
  const tenant = await core.namespaces.create(root, 'tenant', undefined)
  await core.doors.mounts.enable('root', 'shared', { type: 'approle' })
  const own = await core.doors.mounts.enable(tenant.id, 'shared', { type: 'approle' })
  expect((await core.doors.mounts.resolve(tenant.id, 'shared/login'))?.id).toBe(own.id)
  await core.doors.mounts.disable(tenant.id, 'a/b')
  expect((await core.doors.mounts.at('root', 'a/b')).type).toBe('approle')
  await core.namespaces.delete(tenant, false)
  expect(await gateway.store.authMounts.list(tenant.id)).toEqual([])
})
