import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CloudError, type Connection, type KmsHistory, type Provider } from '../../../src/core/kms/provider.ts'
import { VaultClient } from '../../../src/providers/azurekeyvault/client.ts'
import { buildClouds } from '../../../src/providers/azurekeyvault/clouds.ts'
import { createAzureKeyVaultProvider } from '../../../src/providers/azurekeyvault/index.ts'
import { parseTarget } from '../../../src/providers/azurekeyvault/target.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'
import { type Bench, failure, importRequest, MemoryRegister, root, startBench } from './harness.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.emulator.close())

/** Azure options whose lookups end as `codes` say, one after the other, the last one for ever. */
function lookups(...codes: string[]) {
  const asked: string[] = []
  const lookup: LookupFunction = (host, _options, done) => {
    const code = codes[Math.min(asked.length, codes.length - 1)] ?? 'ENOTFOUND'
    asked.push(host)
    done(Object.assign(new Error(`getaddrinfo ${code} ${host}`), { code }), '')
  }
  return { asked, azure: { lookup, lookUpAgainMs: 1, callTimeoutMs: 5_000 } }
}

async function open(
  azure: Parameters<typeof createAzureKeyVaultProvider>[0],
  more: { delivered?: boolean; register?: MemoryRegister } = {},
): Promise<Connection> {
  const history = { everDelivered: () => more.delivered ?? false }
  const provider = createAzureKeyVaultProvider(azure)
  return await provider.open(bench.settings, root, more.register ?? new MemoryRegister(), history)
}

const sentence =
  'there is no vault prod-keys.vault.azure.net, DNS does not know the name (asked 3 times): is key_collection spelled right, and ' +
  'environment the right cloud?'

describe('a vault that DNS does not know', () => {
  it('is refused after three tries where nothing was ever had of it', async () => {
    for (const work of [
      (one: Connection) => one.describe('key'),
      async (one: Connection) => await one.canListVersions(),
      (one: Connection) => one.importVersion(importRequest()),
    ]) {
      const { asked, azure } = lookups('ENOTFOUND')
      const error = await failure(work(await open(azure)))
      expect(error).toMatchObject({ kind: 'refused', effect: 'none', serviceCode: 'ENOTFOUND' })
      expect(error.message).toContain(sentence)
      expect(asked).toEqual(Array(3).fill('prod-keys.vault.azure.net'))
    }
  })

  it('is only unavailable once a key was delivered into it, so that an outage of DNS is the end of nothing', async () => {
    const { asked, azure } = lookups('ENOTFOUND')
    const error = await failure((await open(azure, { delivered: true })).remove('key'))
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none', serviceCode: 'ENOTFOUND' })
    expect(error.message).toContain('the name prod-keys.vault.azure.net is not known to DNS')
    expect(asked).toHaveLength(1)
  })

  it('is only unavailable where a key encryption key was made in it', async () => {
    const register = new MemoryRegister()
    const row = await register.plan('https://prod-keys.vault.azure.net', 'keyferry-kek-1')
    const { azure } = lookups('ENOTFOUND')
    expect(await failure((await open(azure, { register })).describe('key'))).toMatchObject({ kind: 'refused' })
    await register.pin(row.id, 'id', 'print')
    expect(await failure((await open(azure, { register })).describe('key'))).toMatchObject({ kind: 'unavailable' })
  })

  it('is looked for again, since a new name takes a moment to spread; other trouble of DNS refuses nothing', async () => {
    const { asked, azure } = lookups('ENOTFOUND', 'ENOTFOUND', 'EAI_AGAIN')
    expect(await failure((await open(azure)).remove('key'))).toMatchObject({
      kind: 'unavailable',
      serviceCode: 'EAI_AGAIN',
    })
    expect(asked).toHaveLength(3)
  })

  it('is not waited for beyond the time of the call', async () => {
    const { asked, azure } = lookups('ENOTFOUND')
    const error = await failure((await open({ ...azure, lookUpAgainMs: 60_000, callTimeoutMs: 100 })).remove('key'))
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' })
    expect(asked).toHaveLength(1)
  })

  it('is only unavailable where it has answered before', async () => {
    let down = true
    class Agent extends https.Agent {
      override createConnection(options: https.RequestOptions): Duplex {
        if (!down)
          return tls.connect({
            port: bench.emulator.port,
            ca: bench.emulator.caCertificate,
            servername: String(options.host),
          })
        const code = 'ENOTFOUND'
        return new Duplex().destroy(Object.assign(new Error(`getaddrinfo ${code} ${options.host}`), { code }))
      }
    }
    const cloud = buildClouds().get('AzurePublicCloud')
    const client = new VaultClient({
      target: parseTarget('prod-keys', cloud),
      cloud,
      credential: () => ({ getToken: async () => ({ token: 'none', expiresOnTimestamp: Date.now() + 3_600_000 }) }),
      agent: new Agent(),
      route: { connectTo: undefined, proxy: undefined },
      secrets: [],
      now: Date.now,
      lookUpAgainMs: 1,
      isKnown: () => false,
      noteImport: () => {},
    })
    const read = () => {
      return failure(
        client.call({ action: 'get', what: 'read' }, client.deadline(5_000), (keys, options) =>
          keys.getKey('key', options),
        ),
      )
    }
    expect(await read()).toMatchObject({ kind: 'refused', serviceCode: 'ENOTFOUND' })
    down = false
    expect(await read()).toMatchObject({ status: 401 })
    down = true
    expect(await read()).toMatchObject({ kind: 'unavailable', serviceCode: 'ENOTFOUND' })
  })
})

describe('a KMS that names a vault that DNS does not know', () => {
  let gateway: TestCore
  afterAll(() => gateway.close())

  it('refuses a first delivery soon, with the reason, and keeps nothing', async () => {
    const { azure } = lookups('ENOTFOUND')
    gateway = await testCore({ providers: [createAzureKeyVaultProvider(azure)] })
    const { core, scope, waiting } = gateway
    await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
    await core.kms.write(scope, 'prod', {
      provider: 'azurekeyvault',
      keyCollection: 'prod-keys',
      credentials: { ...bench.settings.credentials },
    })
    await expect(
      core.distribution.distribute(scope, 'prod', 'orders', { purpose: ['sign'] }, waiting),
    ).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(sentence),
    })
    expect(await core.distribution.kmsOfKey(scope, 'orders')).toEqual([])
    await core.kms.delete(scope, 'prod')
  })

  it('is known to a provider as one with a history once a key was seen in it, and only then', async () => {
    const cloud = new MemoryCloud()
    const memory = memoryProvider(new Map([['vault', cloud]]))
    const histories: (KmsHistory | undefined)[] = []
    const watched: Provider = {
      ...memory,
      open: (settings, owner, register, history) => {
        histories.push(history)
        return memory.open(settings, owner, register)
      },
    }
    const { core, scope, waiting, close } = await testCore({ providers: [watched] })
    await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
    await core.kms.write(scope, 'prod', { provider: 'memory', keyCollection: 'vault', credentials: {} })
    cloud.faults.push({ call: 'describe', error: () => new CloudError('refused', 'no'), times: 1 })
    await expect(
      core.distribution.distribute(scope, 'prod', 'orders', { purpose: ['sign'] }, waiting),
    ).rejects.toThrow()
    expect(await histories[0]?.everDelivered()).toBe(false)
    await core.distribution.distribute(scope, 'prod', 'orders', { purpose: ['sign'] }, waiting)
    expect(await histories[0]?.everDelivered()).toBe(true)
    await close()
  })
})
