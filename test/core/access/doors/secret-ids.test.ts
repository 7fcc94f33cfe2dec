import { expect, test } from 'vitest'
import { clock, gateway, login, mount, openAppRoleDoor, role, wrong } from './approle-door.ts'

openAppRoleDoor()

test('of the secret only a hash is kept', async () => {
  const { row, secret } = await role()
  const { secretId, row: kept } = await secret()
  expect(Buffer.from(secretId, 'base64url')).toHaveLength(32)
  expect(JSON.stringify(kept)).not.toContain(secretId)
  expect(kept.digest).toMatch(/^[0-9a-f]{64}$/)
  expect(await gateway.store.secretIds.accessors(row.id)).toEqual([kept.accessor])
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
