import { describe, expect, it } from 'vitest'
import type { Provider } from '../../../src/core/kms/provider.ts'
import { ProviderRegistry } from '../../../src/core/kms/registry.ts'
import { createAzureKeyVaultProvider } from '../../../src/providers/azurekeyvault/index.ts'

const azure = createAzureKeyVaultProvider()
const other: Provider = { ...azure, name: 'another' }

describe('the registry of providers', () => {
  const registry = new ProviderRegistry().register(azure).register(other)

  it('finds by name and lists in order', () => {
    expect(registry.get('azurekeyvault')).toBe(azure)
    expect(registry.get('another')).toBe(other)
    expect(registry.names()).toEqual(['another', 'azurekeyvault'])
  })

  it.each([
    '',
    'AzureKeyVault',
    'awskms',
    'constructor',
    '__proto__',
  ])('refuses the name %j with those that are known', (name) => {
    expect(() => registry.get(name)).toThrow(
      expect.objectContaining({
        code: 'invalid',
        message: `unsupported provider "${name}": allowed is another or azurekeyvault`,
      }),
    )
  })

  it('takes no name twice', () => {
    expect(() => registry.register(azure)).toThrow('provider "azurekeyvault" is registered twice')
  })
})
