import { describe, expect, it } from 'vitest'
import { createAzureKeyVaultProvider } from '../../../src/providers/azurekeyvault/index.ts'
import { clientId, clientSecret, refusal, tenantId } from './harness.ts'

describe('remote names, tags and times', () => {
  const provider = createAzureKeyVaultProvider()
  const settings = {
    keyCollection: 'prod-keys',
    credentials: { tenant_id: tenantId, client_id: clientId, client_secret: clientSecret },
  }
  const copy = { type: 'rsa-2048', protection: 'hsm' } as const

  it.each(['a', 'A-1', '-', 'x'.repeat(127)])('allows the name %j', (name) =>
    expect(provider.checkRemoteName(name)).toBeUndefined())
  it.each(['', 'a_b', 'a.b', 'a/b', '..', 'ä', 'a b', 'x'.repeat(128)])('refuses the name %j', (name) => {
    expect(refusal(() => provider.checkRemoteName(name))).toMatch(
      / is not allowed in Azure Key Vault: 1 to 127 letters, digits and "-" are$/,
    )
  })
  it('keeps the names of key encryption keys', () => {
    expect(refusal(() => provider.checkRemoteName('KeyFerry-KEK-1'))).toContain(
      'names that begin with keyferry-kek- are kept',
    )
  })

  it.each([
    ['orders', 'orders'],
    ['my_key.v2', 'my-key-v2'],
    ['keyferry-kek-x', 'key-keyferry-kek-x'],
    ['x'.repeat(200), 'x'.repeat(115)],
  ])('makes of the key name %j the base name %j', (name, base) => {
    expect(provider.remoteBaseName(name)).toBe(base)
    expect(provider.checkRemoteName(`${base}-1234567890`)).toBeUndefined()
  })

  it.each<[Record<string, unknown>, string]>([
    [{ tags: { key_name: 'x' } }, `the tag name "key_name" is kept for Keyferry's own use`],
    [{ tags: { Keyferry_Import_Id: 'x' } }, `the tag name "Keyferry_Import_Id" is kept for Keyferry's own use`],
    [{ tags: { '': 'x' } }, 'the tag name "" is not allowed'],
    [{ tags: { ['x'.repeat(257)]: 'x' } }, 'is not allowed: 1 to 256 characters without control characters are'],
    [{ tags: { a: 'x'.repeat(257) } }, 'the value of the tag "a" is not allowed: up to 256 characters'],
    [{ tags: { a: 'x\n' } }, 'the value of the tag "a" is not allowed'],
    [{ tags: { a: '1', A: '2' } }, 'the tag "A" is given twice'],
    [
      { tags: Object.fromEntries(Array.from({ length: 14 }, (_, n) => [`t${n}`, ''])) },
      'too many tags: 14, allowed are 13',
    ],
    [{ notBefore: -1 }, 'not_before is not a time that can be sent to Azure'],
    [
      { expires: 2 ** 31 },
      'expires is not a time that can be sent to Azure: allowed are 1970-01-01T00:00:00Z to 2038-01-19T03:14:07Z',
    ],
    [{ expires: Number.NaN }, 'expires is not a time'],
    [{ notBefore: 10, expires: 10 }, 'expires must be later than not_before'],
  ])('refuses %j', (options, message) => {
    expect(refusal(() => provider.checkCopy?.(settings, { ...copy, options }))).toContain(message)
  })

  it('takes what is allowed', () => {
    const tags = Object.fromEntries(Array.from({ length: 13 }, (_, n) => [`t${n}`, 'v'.repeat(256)]))
    expect(
      provider.checkCopy?.(settings, { ...copy, options: { tags, notBefore: 0, expires: 2 ** 31 - 1 } }),
    ).toBeUndefined()
  })

  it('knows a vault from a Managed HSM', () => {
    const hsm = { ...settings, keyCollection: 'one.managedhsm.azure.cn' }
    expect(refusal(() => provider.checkCopy?.(hsm, { ...copy, protection: 'software', options: {} }))).toBe(
      'protection software is not possible in a Managed HSM, which holds keys in hardware only: allowed is hsm',
    )
    expect(provider.checkCopy?.(hsm, { type: 'aes256-gcm96', protection: 'hsm', options: {} })).toBeUndefined()
    expect(
      refusal(() => provider.checkCopy?.(settings, { type: 'aes256-gcm96', protection: 'hsm', options: {} })),
    ).toContain('a key of type aes256-gcm96 cannot be distributed to a vault')
  })
})
