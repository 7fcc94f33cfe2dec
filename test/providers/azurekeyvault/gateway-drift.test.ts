import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Purpose } from '../../../src/core/kms/provider.ts'
import { type AzureGateway, azureGateway } from './gateway.ts'
import { type Bench, clientId, fivePermissions, startBench } from './harness.ts'
import { RawClient } from './raw-client.ts'

let bench: Bench
let gateway: AzureGateway
let raw: RawClient
beforeAll(async () => {
  bench = await startBench()
  // Changes the vault as somebody else, who may do everything.
  const tenantId = bench.settings.credentials.tenant_id ?? ''
  bench.emulator.addPrincipal({ tenantId, clientId: 'auditor', clientSecret: 'x' })
  raw = new RawClient(bench.emulator, 'vault.azure.net', { clientId: 'auditor', clientSecret: 'x' })
  gateway = await azureGateway(bench, { callTimeoutMs: 3_000, settleMs: 100, newestAfterMs: 0 })
})
afterAll(async () => {
  await gateway.close()
  await bench.emulator.close()
})
afterEach(() => bench.emulator.restrict(clientId, null))

const url = (path: string) => `https://prod-keys.vault.azure.net/${path}`
const change = async (method: string, path: string, body?: unknown) => {
  const answer = await raw.call(method, url(path), body)
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
}

let lives = 0
/** A key with two versions in a vault, through the genuine SDK. */
async function begin(type = 'ecdsa-p256', purpose: Purpose[] = ['sign', 'verify']) {
  const { core, scope, soon } = gateway
  const [key, kms] = [`key-${++lives}`, `kms-${lives}`]
  await gateway.makeKms(kms)
  await core.keys.write(scope, key, { type }, soon())
  await core.keys.rotate(scope, key, soon())
  expect(await core.distribution.distribute(scope, kms, key, { purpose }, soon())).toEqual([])
  const { remoteName, versions } = await core.distribution.read(scope, kms, key)
  const found = async () => {
    const { looked, failed, drift } = await core.looks.reconcile(scope, kms, soon())
    expect({ looked, failed }).toEqual({ looked: 1, failed: {} })
    return (drift[key] ?? []).map(({ kind }) => kind)
  }
  return { key, kms, remoteName, first: versions[1] ?? '', newest: versions[2] ?? '', found }
}

describe('what differs in a vault', () => {
  it.each<[string, Purpose[]]>([
    ['ecdsa-p256', ['sign', 'verify']],
    ['ecdsa-p521', ['verify']],
    ['rsa-2048', ['encrypt', 'decrypt', 'sign', 'verify', 'wrap', 'unwrap']],
    ['rsa-2048', ['unwrap', 'wrap']],
  ])('is nothing of what the gateway itself brought there: %s for %s', async (type, purpose) => {
    const { found } = await begin(type, purpose)
    expect(await found()).toEqual([])
    bench.emulator.restrict(clientId, [...fivePermissions])
    expect(await found()).toEqual([])
  })

  it('is seen with the right to list, and without', async () => {
    const { remoteName, first, newest, found } = await begin()
    await change('PATCH', `keys/${remoteName}/${first}`, { attributes: { enabled: false } })
    await change('PATCH', `keys/${remoteName}/${newest}`, { key_ops: ['sign'] })
    expect(await found()).toEqual(['version_disabled', 'purposes'])
    bench.emulator.restrict(clientId, [...fivePermissions])
    expect(await found()).toEqual(['version_disabled', 'purposes'])
  })

  it('is a version of somebody else, and a tag that was taken away', async () => {
    const { remoteName, first, found } = await begin()
    await change('PATCH', `keys/${remoteName}/${first}`, { tags: {} })
    expect(await found()).toEqual(['tags'])
    await change('POST', `keys/${remoteName}/create`, { kty: 'EC-HSM', crv: 'P-256' })
    expect(await found()).toEqual(['tags', 'version_extra'])
  })

  it('is a key that was deleted, and one that was purged; recovered, all is well again', async () => {
    const { remoteName, found } = await begin()
    await change('DELETE', `keys/${remoteName}`)
    expect(await found()).toEqual(['deleted'])
    await change('POST', `deletedkeys/${remoteName}/recover`)
    expect(await found()).toEqual([])
    await change('DELETE', `keys/${remoteName}`)
    await change('DELETE', `deletedkeys/${remoteName}`)
    expect(await found()).toEqual(['missing'])
  })
})
