import { describe, expect, it } from 'vitest'
import { type AzureOptions, createAzureKeyVaultProvider } from '../../../src/providers/azurekeyvault/index.ts'
import { full, parseSettings as parse, refusal } from './harness.ts'

describe('key_collection', () => {
  it.each([
    ['prod-keys', 'https://prod-keys.vault.azure.net'],
    ['Prod-Keys', 'https://prod-keys.vault.azure.net'],
    ['abc', 'https://abc.vault.azure.net'],
    ['a1234567890123456789012x', 'https://a1234567890123456789012x.vault.azure.net'],
    ['PROD-keys.Vault.Azure.NET', 'https://prod-keys.vault.azure.net'],
    ['my-hsm.managedhsm.azure.net', 'https://my-hsm.managedhsm.azure.net'],
  ])('%s is %s', (keyCollection, collection) => {
    expect(parse(full, { keyCollection })).toEqual({ collection, warnings: [] })
  })

  it.each([
    '',
    'ab',
    'a12345678901234567890123x',
    '1vault',
    '-vault',
    'vault-',
    'va--ult',
    'va_ult',
    'väult',
    'vault.azure.net',
    'evil.example',
    'prod-keys.vault.azure.net.evil.example',
    'prod-keys.vault.azure.net/',
    'prod-keys.vault.azure.net:443',
    'https://prod-keys.vault.azure.net',
    'a.prod-keys.vault.azure.net',
    'prod-keys.vault.azure.cn',
    'prod-keys.privatelink.vaultcore.azure.net',
    'prod-keys\n',
    'prod keys',
    'user@prod-keys',
    'prod-keys%2fx',
    'prod-keys/../x',
    '..',
    'x'.repeat(1000),
  ])('refuses %j with the rule', (keyCollection) => {
    expect(refusal(() => parse(full, { keyCollection }))).toMatch(
      /^key_collection ".*" is not the name of a vault: allowed are 3 to 24 letters, digits and single "-", beginning with a letter and ending with a letter or digit, alone or followed by \.vault\.azure\.net or \.managedhsm\.azure\.net$/,
    )
  })
})

describe('environment', () => {
  it.each([
    ['AzurePublicCloud', 'vault.azure.net'],
    ['azurepubliccloud', 'vault.azure.net'],
    ['AZURECLOUD', 'vault.azure.net'],
    ['AzureUSGovernmentCloud', 'vault.usgovcloudapi.net'],
    ['azureusgovernment', 'vault.usgovcloudapi.net'],
    ['AzureChinaCloud', 'vault.azure.cn'],
    ['AZUREGERMANCLOUD', 'vault.microsoftazure.de'],
  ])('%s has vaults under %s', (environment, suffix) => {
    expect(parse({ ...full, environment }).collection).toBe(`https://prod-keys.${suffix}`)
  })

  it('names what is allowed', () => {
    expect(refusal(() => parse({ ...full, environment: 'AzureMoonCloud' }))).toBe(
      'unknown environment "AzureMoonCloud": allowed are AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud or AzureGermanCloud',
    )
  })

  it('knows clouds of the operator, and overrides built-in ones', () => {
    const options: AzureOptions = {
      clouds: {
        Corp: {
          authorityHost: 'https://login.corp.example',
          vaultSuffix: 'kv.corp.example',
          managedHsmSuffix: 'hsm.corp.example',
        },
        azurecloud: { managedHsmSuffix: 'mhsm.azure.net' },
      },
    }
    expect(parse({ ...full, environment: 'corp' }, { options }).collection).toBe('https://prod-keys.kv.corp.example')
    const keyCollection = 'one.hsm.corp.example'
    expect(parse({ ...full, environment: 'CORP' }, { options, keyCollection }).collection).toBe(
      'https://one.hsm.corp.example',
    )
    expect(parse(full, { options, keyCollection: 'one.mhsm.azure.net' }).collection).toBe('https://one.mhsm.azure.net')
  })

  const base = { authorityHost: 'https://login.corp.example', vaultSuffix: 'kv.corp.example' }
  it.each<[string, AzureOptions, string]>([
    [
      'no suffix',
      { clouds: { Corp: { authorityHost: base.authorityHost } } },
      'vaultSuffix must be a DNS name such as vault.azure.net',
    ],
    [
      'a suffix that is a path',
      { clouds: { Corp: { ...base, vaultSuffix: 'a/b' } } },
      'vaultSuffix must be a DNS name such as vault.azure.net',
    ],
    [
      'an http authority',
      { clouds: { Corp: { ...base, authorityHost: 'http://login.corp.example' } } },
      'authorityHost must be an https URL without a path',
    ],
    [
      'an authority with a path',
      { clouds: { Corp: { ...base, authorityHost: 'https://a.example/b' } } },
      'authorityHost must be an https URL without a path',
    ],
    ['no port', { clouds: { Corp: { ...base, connectTo: 'localhost' } } }, 'connectTo must be HOST:PORT'],
    [
      'a bad port',
      { clouds: { Corp: { ...base, authorityConnectTo: 'localhost:99999' } } },
      'authorityConnectTo must be HOST:PORT',
    ],
    [
      'a software KEK in Azure',
      { clouds: { AzurePublicCloud: { kekType: 'RSA' } } },
      'kekType RSA is allowed only under a suffix of your own',
    ],
    [
      'a software KEK below Azure',
      { clouds: { Corp: { ...base, vaultSuffix: 'x.vault.azure.net', kekType: 'RSA' } } },
      'kekType RSA is allowed only under',
    ],
    [
      'a suffix twice',
      { clouds: { Corp: { ...base, vaultSuffix: 'vault.azure.net' } } },
      'have the same DNS suffix vault.azure.net',
    ],
    [
      'a cloud twice',
      { clouds: { AzureCloud: {}, AzurePublicCloud: {} } },
      'the cloud AzurePublicCloud is configured twice, under two of its names',
    ],
    [
      'an IMDS that is a URL',
      { ambient: { imdsHost: 'http://127.0.0.1:80' } },
      'the setting imdsHost is not valid: it must be HOST:PORT',
    ],
  ])('refuses an operator who gives %s', (_what, options, message) => {
    expect(refusal(() => createAzureKeyVaultProvider(options))).toContain(message)
  })
})
