import { connect } from 'node:tls'
import { KeyClient } from '@azure/keyvault-keys'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { call, clientOf, credentialOf, failure, owner, routed, tenantId, tokenOf } from './harness.ts'

/** The same name in every cloud, and one in a private cloud: each is a vault of its own. */
const places = [
  ['login.microsoftonline.com', 'vault.azure.net', 'premium'],
  ['login.microsoftonline.com', 'managedhsm.azure.net', 'managedhsm'],
  ['login.microsoftonline.us', 'vault.usgovcloudapi.net', 'premium'],
  ['login.microsoftonline.us', 'managedhsm.usgovcloudapi.net', 'managedhsm'],
  ['login.chinacloudapi.cn', 'vault.azure.cn', 'premium'],
  ['login.chinacloudapi.cn', 'managedhsm.azure.cn', 'managedhsm'],
  ['login.microsoftonline.de', 'vault.microsoftazure.de', 'premium'],
  ['login.microsoftonline.com', 'keys.corp.example', 'premium'],
] as const

let emulator: KeyVaultEmulator

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: places.map(([, suffix, kind]) => ({ name: 'sovereign', suffix, kind })),
    principals: [owner],
  })
})
afterAll(() => emulator.close())

test.each(places)('%s gives tokens for %s, with the SDK and its challenge verification', async (authority, suffix) => {
  const credential = credentialOf(emulator, owner, `https://${authority}`)
  const client = clientOf(emulator, `sovereign.${suffix}`, credential)
  const key = await client.createEcKey('k', { hsm: true })
  expect(key.id?.startsWith(`https://sovereign.${suffix}/keys/k/`)).toBe(true)
  const names: string[] = []
  for await (const { name } of client.listPropertiesOfKeys()) names.push(name)
  expect(names).toEqual(['k'])
  const challenge = await call(emulator, { host: `sovereign.${suffix}`, path: '/keys?api-version=7.6' })
  expect(challenge.headers['www-authenticate']).toBe(
    `Bearer authorization="https://${authority}/${tenantId}", resource="https://${suffix}"`,
  )
})

test('one cloud gives no token for another', async () => {
  for (const [authority, suffix] of [
    ['login.microsoftonline.us', 'vault.azure.net'],
    ['login.microsoftonline.com', 'vault.azure.cn'],
    ['login.chinacloudapi.cn', 'managedhsm.azure.net'],
  ] as const) {
    await expect(tokenOf(emulator, owner, `https://${suffix}`, authority)).rejects.toThrow('AADSTS500011')
  }
})

test('the SDK refuses a challenge of another resource: verification is on', async () => {
  const client = new KeyClient('https://localhost', credentialOf(emulator), routed(emulator))
  expect((await failure(client.getKey('k'))).message).toMatch(
    /The emulator has no vault with the host name 'localhost'/,
  )
  await emulator.addVault({ name: 'mistaken', kind: 'premium' })
  emulator.injectFault({
    match: { operation: 'challenge', vault: 'mistaken' },
    action: {
      status: 401,
      headers: { 'www-authenticate': `Bearer authorization="https://x/${tenantId}", resource="https://other.net"` },
    },
  })
  const error = await failure(clientOf(emulator, 'mistaken.vault.azure.net').getKey('k'))
  expect(error.message).toMatch(/challenge resource|does not match the requested domain/i)
})

test('a client that does not trust the CA gets nowhere, nor one with another name', async () => {
  const attempt = (options: object) =>
    new Promise<string>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: emulator.port, ...options }, () => {
        resolve('connected')
        socket.destroy()
      })
      socket.on('error', (error: Error) => resolve((error as NodeJS.ErrnoException).code ?? error.message))
    })
  const ca = emulator.caCertificate
  expect(await attempt({ servername: 'any.vault.azure.net', ca })).toBe('connected')
  expect(await attempt({ servername: 'login.microsoftonline.com', ca })).toBe('connected')
  expect(await attempt({ ca })).toBe('connected')
  expect(await attempt({ servername: 'any.vault.azure.net' })).toMatch(/UNABLE_TO|SELF_SIGNED/)
  expect(await attempt({ servername: 'example.com', ca })).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
  expect(await attempt({ servername: 'a.b.vault.azure.net', ca })).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
})

test('discovery as MSAL asks it', async () => {
  const endpoint = encodeURIComponent(`https://login.microsoftonline.us/${tenantId}/oauth2/v2.0/authorize`)
  const { json } = await call(emulator, {
    host: 'login.microsoftonline.us',
    path: `/common/discovery/instance?api-version=1.1&authorization_endpoint=${endpoint}`,
  })
  expect(json.tenant_discovery_endpoint).toBe(
    `https://login.microsoftonline.us/${tenantId}/v2.0/.well-known/openid-configuration`,
  )
  expect(json.metadata).toContainEqual({
    preferred_network: 'login.microsoftonline.us',
    preferred_cache: 'login.microsoftonline.us',
    aliases: ['login.microsoftonline.us'],
  })
  const bare = await call(emulator, { host: 'login.microsoftonline.com', path: '/common/discovery/instance' })
  expect(bare.json.tenant_discovery_endpoint).toMatch(/^https:\/\/login\.microsoftonline\.com\//)
  expect((await call(emulator, { path: `/${tenantId}/discovery/v2.0/keys` })).json).toEqual({ keys: [] })
})
