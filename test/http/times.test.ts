import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
  await vault.send('POST', 'sys/auth/approle', { type: 'approle' })
  await vault.send('POST', 'auth/approle/role/r', {})
  await vault.send('POST', 'keymgmt/kms/p', { provider: 'memory', key_collection: 'vault' })
  await vault.send('POST', 'keymgmt/key/k', { type: 'rsa-2048' })
})
afterAll(() => vault.close())

const refused = (field: string, why: string) => [
  400,
  `Field validation failed: error converting input for field "${field}": ${why}`,
]
const longest = 3_153_600_000

describe('a duration', () => {
  it('of a hundred years is the longest', async () => {
    await vault.send('POST', 'sys/mounts/m', { type: 'keymgmt', config: { max_lease_ttl: longest } })
    const { config } = JSON.parse((await vault.send('GET', 'sys/mounts/m')).text).data
    expect(config.max_lease_ttl).toBe(longest)
  })

  it('of a secret id can be shown, however long', async () => {
    const reply = await vault.send('POST', 'auth/approle/role/r/secret-id', { ttl: 1_000_000_000 })
    const { secret_id } = JSON.parse(reply.text).data
    const lookup = await vault.send('POST', 'auth/approle/role/r/secret-id/lookup', { secret_id })
    expect([lookup.status, JSON.parse(lookup.text).data.secret_id_ttl]).toEqual([200, 1_000_000_000])
  })

  it.each([longest + 1, 1e300, '999999999999', '99999999d', '876001h'])('%s is too long', async (ttl) => {
    const why = `allowed are up to ${longest} seconds, a hundred years`
    expect(outcome(await vault.send('POST', 'auth/approle/role/r/secret-id', { ttl }))).toEqual(refused('ttl', why))
    expect(outcome(await vault.send('POST', 'auth/token/create', { ttl }))).toEqual(refused('ttl', why))
    expect(
      outcome(await vault.send('POST', 'sys/mounts/m', { type: 'keymgmt', config: { max_lease_ttl: ttl } })),
    ).toEqual(refused('max_lease_ttl', why))
  })
})

describe('a moment', () => {
  it.each([
    253_402_300_800,
    Number.MAX_SAFE_INTEGER,
    '999999999999',
    '9999-12-31T23:59:60Z',
    -1,
    1.5,
  ])('%s is none that can be shown', async (expires) => {
    const why = 'a time such as "2030-01-31T12:00:00Z", or seconds since 1970, is expected'
    expect(outcome(await vault.send('POST', 'keymgmt/kms/p/key/k', { purpose: 'sign', expires }))).toEqual(
      refused('expires', why),
    )
  })

  it('may be the last second of the year 9999', async () => {
    await vault.send('POST', 'keymgmt/kms/p/key/k', { purpose: 'sign', expires: 253_402_300_799 })
    const { data } = JSON.parse((await vault.send('GET', 'keymgmt/kms/p/key/k')).text)
    expect(data.expires).toBe('9999-12-31T23:59:59.000Z')
  })
})
