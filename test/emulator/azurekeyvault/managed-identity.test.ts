import { ManagedIdentityCredential } from '@azure/identity'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { call, clientOf, owner, tenantId } from './harness.ts'

const now = { value: Date.now() }

let emulator: KeyVaultEmulator

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [{ name: 'premium', kind: 'premium' }],
    principals: [owner],
    managedIdentity: true,
    now: () => now.value,
  })
})
afterAll(() => emulator.close())

const list = (host: string, token?: string) => call(emulator, { host, token, path: '/keys?api-version=7.6' })

describe('managed identity', () => {
  const resource = 'https://vault.azure.net'
  const ask = async (query: Record<string, string>, headers: Record<string, string> = { Metadata: 'true' }) => {
    const parameters = new URLSearchParams({ 'api-version': '2018-02-01', resource, ...query })
    const answer = await fetch(`${emulator.imdsUrl}/metadata/identity/oauth2/token?${parameters}`, { headers })
    return { status: answer.status, json: (await answer.json()) as Record<string, string> }
  }

  test('selects an identity by client id, object id or resource id', async () => {
    expect(await ask({})).toMatchObject({ status: 400, json: { error_description: 'Identity not found' } })
    const one = emulator.addPrincipal({
      tenantId,
      clientId: 'identity-one',
      objectId: 'object-one',
      managedIdentity: { resourceId: '/subscriptions/s/resourceGroups/g/one' },
    })
    expect((await ask({})).json.client_id).toBe('identity-one')
    emulator.addPrincipal({ tenantId, clientId: 'identity-two', managedIdentity: true })
    expect((await ask({})).json.error_description).toMatch(/^Multiple user assigned identities exist/)
    for (const query of [
      { client_id: 'IDENTITY-ONE' },
      { object_id: one.objectId },
      { principal_id: 'object-one' },
      { msi_res_id: '/subscriptions/S/resourceGroups/g/one' },
      { mi_res_id: '/subscriptions/s/resourceGroups/g/one' },
    ]) {
      expect(await ask(query)).toMatchObject({ status: 200, json: { client_id: 'identity-one', resource } })
    }
    expect((await ask({ client_id: 'identity-two' })).json.client_id).toBe('identity-two')
    expect((await ask({ client_id: owner.clientId })).json.error_description).toBe('Identity not found')
    emulator.addPrincipal({ tenantId, clientId: 'system', managedIdentity: { systemAssigned: true } })
    const { json } = await ask({})
    expect(json.client_id).toBe('system')
    expect(Number(json.expires_on)).toBe(Math.floor(now.value / 1000) + 3600)
    expect((await list('premium.vault.azure.net', json.access_token)).status).toBe(200)
  })

  test.each([
    ['no Metadata header', {}, {}, 'Required metadata header not specified'],
    ['another api-version', { 'api-version': '2017-01-01' }, undefined, 'The api-version must be 2018-02-01'],
    ['an unknown resource', { resource: 'https://example.com' }, undefined, /^AADSTS500011: /],
  ])('refuses %s', async (_what, query, headers, description) => {
    const answer = await ask(query, headers)
    expect(answer.status).toBe(400)
    expect(answer.json.error_description).toMatch(description)
  })

  test('the plain listener serves nothing else', async () => {
    for (const path of ['/keys', '/_emulator/vaults', `/${tenantId}/oauth2/v2.0/token`]) {
      expect((await fetch(`${emulator.imdsUrl}${path}`)).status).toBe(404)
    }
  })

  test('with the genuine credential', async () => {
    emulator.addPrincipal({ tenantId, clientId: 'for-sdk', managedIdentity: true })
    process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST = emulator.imdsUrl ?? ''
    try {
      const credential = new ManagedIdentityCredential({ clientId: 'for-sdk' })
      const client = clientOf(emulator, 'premium.vault.azure.net', credential)
      expect((await client.createEcKey('by-identity')).name).toBe('by-identity')
      expect(emulator.requests.at(-1)).toMatchObject({ clientId: 'for-sdk', status: 200 })
    } finally {
      delete process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST
    }
  })
})
