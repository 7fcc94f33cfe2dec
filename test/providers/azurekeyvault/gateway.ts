import type { AuditOptions } from '../../../src/core/audit/service.ts'
import type { Waiting } from '../../../src/core/context.ts'
import { KeyferryError } from '../../../src/core/errors.ts'
import { type AzureOptions, createAzureKeyVaultProvider } from '../../../src/providers/azurekeyvault/index.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { type Bench, clientId, clientSecret, tenantId } from './harness.ts'
import type { RawClient } from './raw-client.ts'

/** A whole gateway with the genuine SDK in it, and what it takes to look into the vault behind its back. */
export interface AzureGateway extends TestCore {
  makeKms(name: string, keyCollection?: string): Promise<void>
  makeKey(name: string): Promise<void>
  distribute(key: string, kms?: string): Promise<string[]>
  rotate(key: string): Promise<string[]>
  remove(key: string, kms?: string): Promise<string[]>
  /** A deadline some seconds from now. */
  soon(seconds?: number): Waiting
}

export async function azureGateway(
  bench: Bench,
  azure: AzureOptions = {},
  audit?: AuditOptions,
): Promise<AzureGateway> {
  const test = await testCore({
    providers: [createAzureKeyVaultProvider({ ...bench.options, ...azure })],
    ...(audit && { audit }),
  })
  const { core, scope } = test
  const soon = (seconds = 30) => ({ deadline: Date.now() + seconds * 1000 })
  const credentials = { tenant_id: tenantId, client_id: clientId, client_secret: clientSecret }
  return {
    ...test,
    soon,
    makeKms: async (name, keyCollection = 'prod-keys') =>
      void (await core.kms.write(scope, name, { provider: 'azurekeyvault', keyCollection, credentials })),
    makeKey: async (name) => void (await core.keys.write(scope, name, { type: 'ecdsa-p256' }, soon())),
    distribute: (key, kms = 'prod') =>
      core.distribution.distribute(scope, kms, key, { purpose: ['sign', 'verify'] }, soon()),
    rotate: async (key) => (await core.keys.rotate(scope, key, soon())).warnings,
    remove: (key, kms = 'prod') => core.distribution.remove(scope, kms, key, soon()),
  }
}

/** What the work was refused with, by the gateway: its sentence. */
export async function refusedWith(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof KeyferryError && error.code === 'refused') return error.message
  throw new Error(`expected a refusal, got ${String(error)}`, { cause: error })
}

/** A version as a client of its own sees it in the vault. */
export interface SeenVersion {
  version: string
  enabled: boolean
  importId: string | undefined
  x: string
}

/** Everything under a name; undefined where nothing is. */
export async function versionsThere(
  raw: RawClient,
  name: string,
  vault = 'prod-keys',
): Promise<SeenVersion[] | undefined> {
  const listed = await raw.call('GET', `https://${vault}.vault.azure.net/keys/${name}/versions`)
  if (listed.status === 404) return undefined
  if (listed.status !== 200 || listed.body.nextLink) throw new Error(`unexpected: ${JSON.stringify(listed)}`)
  const ids: string[] = listed.body.value.map((item: { kid: string }) => item.kid)
  return await Promise.all(
    ids.map(async (id) => {
      const { body } = await raw.call('GET', id)
      return {
        version: id.slice(id.lastIndexOf('/') + 1),
        enabled: body.attributes.enabled,
        importId: body.tags?.keyferry_import_id,
        x: body.key.x,
      }
    }),
  )
}

/** Names of all keys that are there and not deleted. */
export async function namesThere(raw: RawClient, vault = 'prod-keys'): Promise<string[]> {
  const names: string[] = []
  let path = `https://${vault}.vault.azure.net/keys`
  for (;;) {
    const { body } = await raw.call('GET', path)
    for (const { kid } of body.value) names.push(kid.slice(kid.lastIndexOf('/') + 1))
    if (!body.nextLink) return names
    path = body.nextLink
  }
}
