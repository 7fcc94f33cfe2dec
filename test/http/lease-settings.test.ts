import { afterAll, beforeAll, expect, test } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
})
afterAll(() => vault.close())

const kinds = [
  { made: 'sys/mounts/m', tuned: 'sys/mounts/m/tune', type: 'keymgmt', own: {} },
  { made: 'sys/auth/m', tuned: 'sys/auth/m/tune', type: 'approle', own: { token_type: 'default-service' } },
]
const system = 2_764_800

test('settings of leases are the same for mounts and for ways to log in, where they are made, tuned and shown', async () => {
  for (const { made, tuned, type, own } of kinds) {
    const both = async () => [dataOf(await vault.send('GET', made)).config, dataOf(await vault.send('GET', tuned))]
    const plain = { force_no_cache: false, ...own }
    expect(outcome(await vault.send('POST', made, { type, config: { max_lease_ttl: '2h' } }))).toEqual([204])
    expect(await both()).toEqual([
      { ...plain, default_lease_ttl: 0, max_lease_ttl: 7200 },
      { ...plain, default_lease_ttl: system, max_lease_ttl: 7200, description: '' },
    ])
    const change = {
      default_lease_ttl: 60,
      max_lease_ttl: 'system',
      force_no_cache: 'true',
      listing_visibility: 'unauth',
    }
    expect(outcome(await vault.send('POST', tuned, change))).toEqual([204])
    const changed = { ...own, default_lease_ttl: 60, force_no_cache: true, listing_visibility: 'unauth' }
    expect(await both()).toEqual([
      { ...changed, max_lease_ttl: 0 },
      { ...changed, max_lease_ttl: system, description: '' },
    ])
    expect(outcome(await vault.send('POST', tuned, { default_lease_ttl: '', max_lease_ttl: null }))).toEqual([204])
    expect(await both()).toEqual([
      { ...changed, max_lease_ttl: 0 },
      { ...changed, max_lease_ttl: system, description: '' },
    ])
  }
})

test('what is no setting of a lease is refused, and changes nothing', async () => {
  for (const { made, tuned, type } of kinds) {
    const before = dataOf(await vault.send('GET', tuned))
    for (const [field, value] of [
      ['default_lease_ttl', 'long'],
      ['max_lease_ttl', -1],
      ['max_lease_ttl', 'System'],
      ['force_no_cache', 'maybe'],
      ['listing_visibility', {}],
    ] as const) {
      const why = expect.stringContaining(`error converting input for field "${field}": `)
      expect(outcome(await vault.send('POST', tuned, { description: 'x', [field]: value }))).toEqual([400, why])
      expect(outcome(await vault.send('POST', `${made}-2`, { type, config: { [field]: value } }))).toEqual([400, why])
    }
    expect(dataOf(await vault.send('GET', tuned))).toEqual(before)
    expect((await vault.send('GET', `${made}-2`)).status).toBe(400)
  }
})
