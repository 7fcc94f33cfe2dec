import { describe, expect, test } from 'vitest'
import { clock, gateway, logged, login, mount, openAppRoleDoor, role, wrong } from './approle-door.ts'

openAppRoleDoor()

test('a login makes an orphan with the policies of the role, which works', async () => {
  const { roleId, secret } = await role()
  const { secretId } = await secret({ meta: { host: 'build-1', role_name: 'forged' } })
  const { token, row } = await login(roleId, secretId)
  expect(row).toMatchObject({
    namespaceId: 'root',
    parentId: null,
    policies: ['default', 'deploy'],
    path: 'auth/approle/login',
    meta: { host: 'build-1', role_name: 'ci' },
    displayName: 'approle',
    type: 'service',
    renewable: true,
    explicitMaxTtl: 0,
    creationTtl: 32 * 24 * 3600,
  })
  const caller = await gateway.core.authenticator.authenticate(token)
  expect(caller.token.id).toBe(row.id)
})

test('the same words for every wrong way in', async () => {
  const { roleId, secret } = await role()
  const { secretId } = await secret()
  const other = await role('other')
  const { secretId: others } = await other.secret()
  for (const [id, text] of [
    [roleId, ''],
    [roleId, 'x'],
    [roleId, `${secretId} `],
    [roleId, secretId.toUpperCase()],
    [roleId, others],
    [` ${roleId}`, secretId],
    [roleId.toUpperCase(), secretId],
    ['', secretId],
    ['no such role', secretId],
    [roleId, 'x'.repeat(5000)],
  ] as const) {
    await expect(login(id, text)).rejects.toMatchObject(wrong)
    // Right secrets begin the count of wrong ones again, so that none of these is a lockout.
    await login(roleId, secretId)
  }
})

describe('lockout', () => {
  test('five wrong secrets lock the role, for the right secret too, with the same answer; others are not locked', async () => {
    const { roleId, secret } = await role()
    const { secretId } = await secret({ numUses: 1 })
    const other = await role('other')
    const { secretId: others } = await other.secret()
    for (let i = 0; i < 5; i++) await expect(login(roleId, `guess ${i}`)).rejects.toMatchObject(wrong)
    await expect(login(roleId, secretId)).rejects.toMatchObject(wrong)
    await login(other.roleId, others)
    expect(logged).toHaveLength(1)
    expect(logged[0]).toMatch(/^an AppRole is locked out/)
    expect(logged[0]).not.toContain('guess')
    clock.now += 15 * 60_000 - 1
    await expect(login(roleId, secretId)).rejects.toMatchObject(wrong)
    clock.now += 1
    // The refused tries took no use.
    await login(roleId, secretId)
  })

  test('a hundred guesses at once get no more in than five', async () => {
    const { roleId, secret } = await role()
    const { secretId } = await secret()
    const guesses = Array.from({ length: 100 }, (_, i) => (i === 50 ? secretId : `guess ${i}`))
    const results = await Promise.allSettled(guesses.map((guess) => login(roleId, guess)))
    expect(results.filter((one) => one.status === 'fulfilled')).toHaveLength(0)
  })
})

test('without a secret id, the address is what binds', async () => {
  const { roleId } = await role('edge', { bindSecretId: false, secretIdBoundCidrs: ['10.0.0.0/8'] })
  await login(roleId, '', '10.0.0.1')
  await expect(login(roleId, '', '11.0.0.1')).rejects.toMatchObject(wrong)
  await expect(login(roleId, '')).rejects.toMatchObject(wrong)
})

describe('namespaces', () => {
  async function tenant(path: string) {
    const { core } = gateway
    const root = await core.namespace('')
    if (!root) throw new Error('no root')
    const namespace = await core.namespaces.create(root, path, undefined)
    const door = await core.doors.mounts.enable(namespace.id, 'approle', { type: 'approle' })
    await core.doors.approle.write(door, 'ci', { token: { policies: ['deploy'] } })
    const { row } = await core.doors.approle.get(door, 'ci')
    const { secretId } = await core.doors.secretIds.create(door, 'ci', {})
    return { namespace, door, roleId: row.roleId ?? '', secretId }
  }

  test('a role id of another namespace, or another mount, is as good as none', async () => {
    const { core } = gateway
    const [a, b] = [await tenant('a'), await tenant('b')]
    const credentials = { roleId: a.roleId, secretId: a.secretId }
    await core.doors.approleLogin.login(a.door, credentials)
    await core.doors.oauth.clientCredentials(a.namespace.id, credentials, undefined)
    for (const at of [b.door, mount]) {
      await expect(core.doors.approleLogin.login(at, credentials)).rejects.toMatchObject(wrong)
    }
    for (const id of [b.namespace.id, 'root']) {
      await expect(core.doors.oauth.clientCredentials(id, credentials, undefined)).rejects.toMatchObject(wrong)
    }
    const second = await core.doors.mounts.enable(a.namespace.id, 'second', { type: 'approle' })
    await expect(core.doors.approleLogin.login(second, credentials)).rejects.toMatchObject(wrong)
  })

  test('guesses in another namespace do not lock the role of this one', async () => {
    const { core } = gateway
    const [a, b] = [await tenant('a'), await tenant('b')]
    for (let i = 0; i < 10; i++) {
      await expect(core.doors.approleLogin.login(b.door, { roleId: a.roleId, secretId: 'x' })).rejects.toMatchObject(
        wrong,
      )
    }
    await core.doors.approleLogin.login(a.door, { roleId: a.roleId, secretId: a.secretId })
  })

  test('a role id is unique over all', async () => {
    const [a, b] = [await tenant('a'), await tenant('b')]
    const taken = gateway.core.doors.approle.setRoleId(b.door, 'ci', a.roleId)
    await expect(taken).rejects.toMatchObject({ code: 'conflict', message: 'the role id is taken: choose another' })
    await gateway.core.doors.approle.setRoleId(b.door, 'ci', 'my-own')
    await gateway.core.doors.approleLogin.login(b.door, { roleId: 'my-own', secretId: b.secretId })
    await expect(
      gateway.core.doors.approleLogin.login(b.door, { roleId: b.roleId, secretId: b.secretId }),
    ).rejects.toMatchObject(wrong)
  })
})

test('disabling the mount ends its tokens with their children, and its roles', async () => {
  const { core } = gateway
  const { roleId, secret } = await role('ci', { token: { policies: ['deploy'] } })
  const { secretId } = await secret()
  const { token } = await login(roleId, secretId)
  const caller = await core.authenticator.authenticate(token)
  const child = await core.tokens.create(caller, { id: 'root' }, {}, { sudo: false, path: 'auth/token/create' })
  await core.authenticator.authenticate(child.token)
  await core.doors.mounts.disable('root', 'approle/')
  for (const text of [token, child.token]) {
    await expect(core.authenticator.authenticate(text)).rejects.toMatchObject({ code: 'unauthenticated' })
  }
  await expect(login(roleId, secretId)).rejects.toMatchObject(wrong)
  expect(await gateway.store.roles.byRoleId(roleId)).toBeUndefined()
  await core.doors.mounts.enable('root', 'approle', { type: 'approle' })
  await core.authenticator.authenticate(gateway.rootToken)
})

test('a login under way while its mount is disabled leaves no token', async () => {
  const { roleId, secret } = await role()
  const { secretId } = await secret()
  const results = await Promise.allSettled([
    ...Array.from({ length: 8 }, () => login(roleId, secretId)),
    gateway.core.doors.mounts.disable('root', 'approle'),
    ...Array.from({ length: 8 }, () => login(roleId, secretId)),
  ])
  for (const result of results) {
    if (result.status !== 'fulfilled' || !result.value) continue
    await expect(gateway.core.authenticator.authenticate(result.value.token)).rejects.toMatchObject({
      code: 'unauthenticated',
    })
  }
})
