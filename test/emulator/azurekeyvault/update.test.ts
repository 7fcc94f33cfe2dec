import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { owner, sharedRsaKeyPairs, vaultCaller, versionOf } from './harness.ts'

let emulator: KeyVaultEmulator
let vault: Awaited<ReturnType<typeof vaultCaller>>

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [{ name: 'premium', kind: 'premium' }],
    principals: [owner],
    rsaKeyPairs: sharedRsaKeyPairs,
  })
  vault = await vaultCaller(emulator, 'premium.vault.azure.net')
})
afterAll(() => emulator.close())

const repeat = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i))
const tags = (count: number) => Object.fromEntries(repeat(count, (i) => [`t${i}`, 'v']))

describe('update', () => {
  test('what is given replaces what was, what is absent stays', async () => {
    const made = await vault('POST', '/keys/updated/create', {
      kty: 'EC',
      attributes: { exp: 4_000_000_000 },
      tags: { a: '1' },
    })
    const path = `/keys/updated/${versionOf(made)}`
    const disabled = await vault('PATCH', path, { attributes: { enabled: false } })
    expect(disabled.json.attributes).toMatchObject({ enabled: false, exp: 4_000_000_000 })
    expect(disabled.json.tags).toEqual({ a: '1' })
    expect(disabled.json.key).toEqual(made.json.key)
    const tagged = await vault('PATCH', `${path}/`, { tags: { b: '2' }, key_ops: ['sign'] })
    expect(tagged.json.tags).toEqual({ b: '2' })
    expect(tagged.json.key?.key_ops).toEqual(['sign'])
    expect((await vault('PATCH', path, { tags: {} })).json.tags).toEqual({})
    expect((await vault('GET', path)).json.attributes).toMatchObject({ enabled: false })
  })

  test('of one version leaves the others alone; without a version it is the latest', async () => {
    const first = versionOf(await vault('POST', '/keys/two/create', { kty: 'EC' }))
    const second = versionOf(await vault('POST', '/keys/two/create', { kty: 'EC' }))
    await vault('PATCH', '/keys/two', { attributes: { enabled: false } })
    expect((await vault('GET', `/keys/two/${first}`)).json.attributes?.enabled).toBe(true)
    expect((await vault('GET', `/keys/two/${second}`)).json.attributes?.enabled).toBe(false)
  })

  test('of what is not there, and with what is not allowed, changes nothing', async () => {
    await vault('POST', '/keys/kept/create', { kty: 'EC', tags: { a: '1' } })
    expect((await vault('PATCH', '/keys/absent', {})).json.error?.code).toBe('KeyNotFound')
    expect((await vault('PATCH', `/keys/kept/${'0'.repeat(32)}`, {})).status).toBe(404)
    const bad = { tags: { a: '2' }, attributes: { enabled: false }, key_ops: ['decrypt'] }
    expect((await vault('PATCH', '/keys/kept', bad)).status).toBe(400)
    expect((await vault('PATCH', '/keys/kept', { ...bad, key_ops: ['sign'], tags: tags(16) })).status).toBe(400)
    expect((await vault('GET', '/keys/kept')).json).toMatchObject({
      attributes: { enabled: true },
      tags: { a: '1' },
      key: { key_ops: ['sign', 'verify'] },
    })
  })
})
