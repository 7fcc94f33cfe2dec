import { afterAll, beforeAll } from 'vitest'
import { throughEmulator } from '../../src/commands/dev-emulator.ts'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../src/emulator/azurekeyvault/index.ts'
import { createApp } from '../../src/http/app.ts'
import { createAzureKeyVaultProvider } from '../../src/providers/azurekeyvault/index.ts'
import { type TestCore, testCore } from '../support/gateway.ts'
import type { Reply } from './gateway.ts'

/**
 * What Terraform's provider for Vault (5.9 and later) sends and looks for, request by request: at start-up, for vault_mount and
 * vault_namespace, and for the vault_keymgmt_* resources, with the fragments of errors that its acceptance tests want.
 */
const principal = { tenantId: 'cd4bf224-d114-4f96-9bbc-b8f45751c43f', clientId: 'terraform', clientSecret: 's%=cret' }
export const credentials = {
  tenant_id: principal.tenantId,
  client_id: principal.clientId,
  client_secret: principal.clientSecret,
}

export let emulator: KeyVaultEmulator
export let test: TestCore
let app: ReturnType<typeof createApp>
/** The token that the provider goes on with. */
export const session = { token: '' }
/** What it asks for at its start. */
export const child = { display_name: 'terraform', explicit_max_ttl: '1200s', renewable: false, ttl: '1200s' }

/** Has an emulator of Azure Key Vault and a gateway for the tests of the file. */
export function startTerraform(): void {
  beforeAll(async () => {
    emulator = await startKeyVaultEmulator({
      vaults: [{ name: 'terraform', kind: 'premium' }],
      principals: [principal],
    })
    test = await testCore({ providers: [createAzureKeyVaultProvider(throughEmulator(emulator))] })
    app = createApp(test.core, { version: '1.2.3' })
    session.token = test.rootToken
  })
  afterAll(async () => {
    await test.close()
    await emulator.close()
  })
}

/** A request of the provider's: what its client is set to puts these headers on each. */
export async function send(
  method: string,
  path: string,
  body?: unknown,
  { namespace, ...more }: { namespace?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const response = await app.request(`http://gateway/v1/${path}`, {
    method,
    headers: {
      'X-Vault-Request': 'true',
      'X-Vault-Token': session.token,
      'X-Vault-Index': 'v1:eyJzIjoxfQ==',
      ...(namespace === undefined ? {} : { 'X-Vault-Namespace': namespace }),
      ...more.headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

export const done = [204]
export const gone = [404]
