import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TokenSettingsInput } from '../../../../src/core/access/doors/token-settings.ts'
import type { AuthMountRow } from '../../../../src/core/store.ts'
import { type TestCore, testCore } from '../../../support/gateway.ts'

const wrong = { code: 'invalid', message: 'invalid role or secret ID' }
const clock = { now: Date.parse('2030-01-01T00:00:00Z') }
const logged: string[] = []

let gateway: TestCore
let mount: AuthMountRow

beforeEach(async () => {
  logged.length = 0
  gateway = await testCore({
    context: {
      now: () => clock.now,
      log: (_level, message, details) => logged.push(`${message} ${JSON.stringify(details)}`),
    },
  })
  mount = await gateway.core.doors.mounts.enable('root', 'approle', { type: 'approle' })
})
afterEach(() => gateway.close())

async function role(name = 'ci', input: Parameters<typeof gateway.core.doors.approle.write>[2] = {}) {
  const { approle, secretIds } = gateway.core.doors
  await approle.write(mount, name, { ...input, token: { policies: ['deploy'], ...input.token } })
  const { row } = await approle.get(mount, name)
  return { roleId: row.roleId ?? '', row, secret: async (more = {}) => await secretIds.create(mount, name, more) }
}

const login = (roleId: string, secretId: string, remoteAddress?: string) =>
  gateway.core.doors.approleLogin.login(mount, { roleId, secretId, ...(remoteAddress ? { remoteAddress } : {}) })

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

test('of the secret only a hash is kept', async () => {
  const { row, secret } = await role()
  const { secretId, row: kept } = await secret()
  expect(Buffer.from(secretId, 'base64url')).toHaveLength(32)
  expect(JSON.stringify(kept)).not.toContain(secretId)
  expect(kept.digest).toMatch(/^[0-9a-f]{64}$/)
  expect(await gateway.store.secretIds.accessors(row.id)).toEqual([kept.accessor])
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

test('a secret id of one use is good for exactly one of 32 logins at once', async () => {
  const { roleId, secret } = await role()
  const { secretId } = await secret({ numUses: 1 })
  const results = await Promise.allSettled(Array.from({ length: 32 }, () => login(roleId, secretId)))
  expect(results.filter((one) => one.status === 'fulfilled')).toHaveLength(1)
  await expect(login(roleId, secretId)).rejects.toMatchObject(wrong)
  const three = await secret({ numUses: 3 })
  const more = await Promise.allSettled(Array.from({ length: 32 }, () => login(roleId, three.secretId)))
  expect(more.filter((one) => one.status === 'fulfilled').length).toBeLessThanOrEqual(3)
})

test('three uses are three logins', async () => {
  const { roleId, secret } = await role()
  const { secretId, row } = await secret({ numUses: 3 })
  for (const left of [2, 1]) {
    await login(roleId, secretId)
    expect((await gateway.core.doors.secretIds.find(mount, 'ci', { accessor: row.accessor }))?.row.numUses).toBe(left)
  }
  await login(roleId, secretId)
  expect(await gateway.core.doors.secretIds.find(mount, 'ci', { accessor: row.accessor })).toBeUndefined()
  await expect(login(roleId, secretId)).rejects.toMatchObject(wrong)
})

test('a secret id ends with its ttl, and is then swept', async () => {
  const { roleId, secret } = await role()
  const { secretId } = await secret({ ttl: 60 })
  const counted = await secret({ ttl: 60, numUses: 5 })
  clock.now += 59_999
  await login(roleId, secretId)
  clock.now += 1
  await expect(login(roleId, secretId)).rejects.toMatchObject(wrong)
  await expect(login(roleId, counted.secretId)).rejects.toMatchObject(wrong)
  expect(await gateway.core.doors.secretIds.find(mount, 'ci', { secretId })).toBeUndefined()
  expect(await gateway.core.doors.secretIds.expire(100)).toBe(2)
  expect(await gateway.core.doors.secretIds.accessors(mount, 'ci')).toEqual([])
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

test('secret ids and tokens are bound to addresses', async () => {
  const { roleId, secret } = await role('ci', {
    secretIdBoundCidrs: ['10.0.0.0/8'],
    token: { boundCidrs: ['10.0.0.0/8', '::1/128'] },
  })
  const { secretId } = await secret({ cidrs: ['10.1.0.0/16'], tokenCidrs: ['10.1.2.0/24'], numUses: 1 })
  for (const address of [undefined, '10.2.0.1', '192.0.2.1', '::1', 'garbage']) {
    await expect(login(roleId, secretId, address)).rejects.toMatchObject(wrong)
  }
  const { token, row } = await login(roleId, secretId, '::ffff:10.1.2.3')
  expect(row.boundCidrs).toEqual(['10.1.2.0/24'])
  await expect(gateway.core.authenticator.authenticate(token, '10.1.3.1')).rejects.toMatchObject({
    code: 'unauthenticated',
  })
  await gateway.core.authenticator.authenticate(token, '10.1.2.9')
})

test('a secret id never goes beyond its role', async () => {
  const { secret } = await role('ci', {
    secretIdNumUses: 5,
    secretIdTtl: 3600,
    secretIdBoundCidrs: ['10.0.0.0/8'],
    token: { boundCidrs: ['10.1.0.0/16'] },
  })
  for (const [input, message] of [
    [{ numUses: 6 }, "num_uses cannot be higher than the role's secret_id_num_uses of 5"],
    [{ numUses: 0 }, "num_uses cannot be higher than the role's secret_id_num_uses of 5"],
    [{ ttl: 3601 }, "ttl cannot be higher than the role's secret_id_ttl of 3600"],
    [{ ttl: 0 }, "ttl cannot be higher than the role's secret_id_ttl of 3600"],
    [{ numUses: -1 }, 'num_uses: allowed are 0 (no limit) to 1000000000'],
    [{ cidrs: ['0.0.0.0/0'] }, "cidr_list must be within the role's secret_id_bound_cidrs"],
    [{ cidrs: ['11.0.0.1'] }, "cidr_list must be within the role's secret_id_bound_cidrs"],
    [{ cidrs: ['10.0.0.0/7'] }, "cidr_list must be within the role's secret_id_bound_cidrs"],
    [{ cidrs: ['::/0'] }, "cidr_list must be within the role's secret_id_bound_cidrs"],
    [{ tokenCidrs: ['10.0.0.0/8'] }, "token_bound_cidrs must be within the role's token_bound_cidrs"],
    [{ cidrs: ['x'] }, 'cidr_list: "x" is not an address or a CIDR block such as 10.0.0.0/8'],
    [{ secretId: 'too short' }, 'secret_id: allowed are 16 to 4096 characters, best random ones'],
  ] as const) {
    await expect(secret({ ...input }), JSON.stringify(input)).rejects.toMatchObject({ code: 'invalid', message })
  }
  expect((await secret()).row).toMatchObject({ numUses: 5, ttl: 3600 })
  expect((await secret({ numUses: 2, ttl: 60, cidrs: ['10.9.0.0/16'] })).row).toMatchObject({ numUses: 2, ttl: 60 })
})

test('a secret id of ones own is taken once', async () => {
  const { roleId, secret } = await role()
  const own = 'a secret of my own choice'
  await secret({ secretId: own })
  await expect(secret({ secretId: own })).rejects.toMatchObject({ code: 'already_exists' })
  await login(roleId, own)
  // The same secret in another role is another secret id.
  await (await role('other')).secret({ secretId: own })
})

test('tokens are as the role says', async () => {
  const cases: [TokenSettingsInput, Record<string, unknown>][] = [
    [
      { ttl: 60, maxTtl: 600 },
      { creationTtl: 60, explicitMaxTtl: 600, renewable: true },
    ],
    [{ maxTtl: 600 }, { creationTtl: 600, explicitMaxTtl: 600 }],
    [{ period: 300 }, { creationTtl: 300, period: 300, explicitMaxTtl: 0 }],
    [
      { explicitMaxTtl: 100, ttl: 3600 },
      { creationTtl: 100, explicitMaxTtl: 100 },
    ],
    [{ numUses: 7 }, { numUses: 7 }],
    [{ noDefaultPolicy: true }, { policies: ['deploy'] }],
    [
      { type: 'batch', ttl: 60 },
      { type: 'batch', creationTtl: 60, accessor: '' },
    ],
    [
      { type: 'batch', ttl: 60, maxTtl: 30 * 24 * 3600 },
      { type: 'batch', creationTtl: 60 },
    ],
    [{ type: 'default-batch', ttl: 60 }, { type: 'batch' }],
    [{ policies: [' Deploy', 'READ-only', 'deploy', ''] }, { policies: ['default', 'deploy', 'read-only'] }],
  ]
  for (const [token, row] of cases) {
    const name = `role-${JSON.stringify(token).replace(/[^a-zA-Z0-9]/g, '')}`
    const { roleId, secret } = await role(name, { token })
    const { secretId } = await secret()
    expect((await login(roleId, secretId)).row, JSON.stringify(token)).toMatchObject(row)
  }
})

test('a renewal never goes beyond token_max_ttl, counted from the login', async () => {
  const { roleId, secret } = await role('ci', { token: { ttl: 60, maxTtl: 100 } })
  const { row } = await login(roleId, (await secret()).secretId)
  clock.now += 50_000
  const { row: renewed } = await gateway.core.tokens.renew(row, 0)
  expect(renewed.expiresAt).toBe(row.createdAt + 100_000)
})

test('bad roles are refused in a sentence', async () => {
  for (const [input, message] of [
    [{ token: { policies: ['Root '] } }, 'token_policies: "root" cannot be given by a login'],
    [{ token: { policies: ['a*'] } }, /^invalid policy name "a\*"/],
    [{ token: { type: 'huge' } }, /^token_type "huge": allowed are default, service, batch/],
    [{ token: { type: 'batch', period: 5 } }, 'token_type cannot be "batch" with a token_period'],
    [{ token: { type: 'batch', numUses: 5 } }, 'token_type cannot be "batch" with token_num_uses'],
    [{ token: { ttl: 10, maxTtl: 5 } }, 'token_ttl should not be greater than token_max_ttl'],
    [{ token: { boundCidrs: ['10.0.0.0/33'] } }, /^token_bound_cidrs: /],
    [{ secretIdBoundCidrs: ['nowhere'] }, /^secret_id_bound_cidrs: /],
    [{ secretIdNumUses: -1 }, /^secret_id_num_uses: /],
    [{ bindSecretId: false }, /^at least one constraint should be enabled on the role/],
    [{ roleId: 'a b' }, 'role_id: allowed are 1 to 256 visible ASCII characters'],
    [{ roleId: '' }, 'role_id: allowed are 1 to 256 visible ASCII characters'],
  ] as const) {
    const write = gateway.core.doors.approle.write(mount, 'bad', structuredClone(input) as never)
    await expect(write, JSON.stringify(input)).rejects.toMatchObject({
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
  }
  expect(await gateway.core.doors.approle.names(mount)).toEqual([])
  await expect(role('a/b')).rejects.toMatchObject({ code: 'invalid' })
})

test('without a secret id, the address is what binds', async () => {
  const { roleId } = await role('edge', { bindSecretId: false, secretIdBoundCidrs: ['10.0.0.0/8'] })
  await login(roleId, '', '10.0.0.1')
  await expect(login(roleId, '', '11.0.0.1')).rejects.toMatchObject(wrong)
  await expect(login(roleId, '')).rejects.toMatchObject(wrong)
})

test('names do not tell case, and parts that are not given stay', async () => {
  await role('CI', { secretIdTtl: 60 })
  const { approle } = gateway.core.doors
  const { row: before } = await approle.get(mount, 'ci')
  await approle.write(mount, 'Ci', { secretIdNumUses: 3 })
  const { row, role: now } = await approle.get(mount, 'cI')
  expect(row.roleId).toBe(before.roleId)
  expect(now).toMatchObject({ secretIdTtl: 60, secretIdNumUses: 3, token: { policies: ['deploy'] } })
  expect(await approle.names(mount)).toEqual(['ci'])
})

test('two changes of a role at once both count', async () => {
  await role()
  const { approle } = gateway.core.doors
  await Promise.all([
    approle.write(mount, 'ci', { secretIdBoundCidrs: ['10.0.0.0/8'] }),
    approle.write(mount, 'ci', { secretIdNumUses: 1 }),
  ])
  expect((await approle.get(mount, 'ci')).role).toMatchObject({
    secretIdBoundCidrs: ['10.0.0.0/8'],
    secretIdNumUses: 1,
  })
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
