import { expect, test } from 'vitest'
import type { TokenSettingsInput } from '../../../../src/core/access/doors/token-settings.ts'
import { clock, gateway, login, mount, openAppRoleDoor, role } from './approle-door.ts'

openAppRoleDoor()

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
