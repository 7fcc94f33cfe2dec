import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
  await vault.send('POST', 'sys/auth/approle', { type: 'approle' })
})
afterAll(() => vault.close())

describe('a duration of a field', () => {
  it.each([
    ['1.13h', 4068],
    ['0.7d', 60_480],
    ['5000ms', 5],
    ['5999ms', 5],
    ['7000000us', 7],
    ['7000000\u00b5s', 7],
    [5.9, 5],
    ['1d12h', 129_600],
  ])('%s is %i seconds', async (token_ttl, seconds) => {
    expect(outcome(await vault.send('POST', 'auth/approle/role/r', { token_ttl }))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'auth/approle/role/r'))).toMatchObject({ token_ttl: seconds })
  })

  it('is "system" for mounts alone, where it is the default', async () => {
    const config = { default_lease_ttl: 'system', max_lease_ttl: 'system' }
    const why = 'a number of seconds or a duration such as "1h30m" is expected'
    expect(outcome(await vault.send('POST', 'sys/mounts/m', { type: 'keymgmt', config }))).toEqual([204])
    expect(outcome(await vault.send('POST', 'sys/auth/approle/tune', config))).toEqual([204])
    for (const path of ['sys/mounts/m/tune', 'sys/auth/approle/tune']) {
      expect(dataOf(await vault.send('GET', path))).toMatchObject({
        default_lease_ttl: 2_764_800,
        max_lease_ttl: 2_764_800,
      })
    }
    for (const [path, field] of [
      ['auth/token/create', 'ttl'],
      ['auth/token/renew-self', 'increment'],
      ['auth/approle/role/other', 'token_ttl'],
      ['keymgmt/key/k', 'auto_rotate_period'],
    ] as const) {
      expect(outcome(await vault.send('POST', path, { [field]: 'system' }))).toEqual([
        400,
        `Field validation failed: error converting input for field "${field}": ${why}`,
      ])
    }
    expect(outcome(await vault.send('GET', 'auth/approle/role/other'))).toEqual([404])
    expect(outcome(await vault.send('GET', 'keymgmt/key/k'))).toEqual([404])
  })
})
