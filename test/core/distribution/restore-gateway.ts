import { createPublicKey } from 'node:crypto'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Provider } from '../../../src/core/kms/provider.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

export const hour = 3_600_000
const options = { tags: { team: 'pay', stage: 'prod' }, expires: 2_000_000_000 }
const writes = ['import', 'set-enabled', 'change', 'remove', 'recover']

/** The only vault, `one`, of the KMS `prod`. */
export let cloud: MemoryCloud
/** A gateway of each test's own, with three versions of the key `orders`. */
export let gateway: TestCore
/** How much later than it is the gateway thinks that it is, in ms. */
export const clock = { late: 0 }

/** Starts with a provider that may be changed, on an empty vault. */
export async function start(change: (provider: Provider) => Provider = (provider) => provider): Promise<void> {
  cloud = new MemoryCloud()
  gateway = await testCore({
    providers: [change(memoryProvider(new Map([['one', cloud]])))],
    context: { now: () => Date.now() + clock.late },
    lookTiming: { everyMs: hour, tickMs: 1e9 },
  })
  const { core, scope, waiting } = gateway
  await core.kms.write(scope, 'prod', { provider: 'memory', keyCollection: 'one', credentials: {} })
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  for (let version = 2; version <= 3; version++) await core.keys.rotate(scope, 'orders', waiting)
}

/** Starts before each test, and closes after it. */
export function memoryGateway(): void {
  beforeEach(async () => {
    clock.late = 0
    await start()
  })
  afterEach(() => gateway.close())
}

export const deliver = async (repair: 'report' | 'restore') => {
  const input = { purpose: ['sign', 'verify'], ...options, repair }
  expect(await gateway.core.distribution.distribute(gateway.scope, 'prod', 'orders', input, gateway.waiting)).toEqual(
    [],
  )
  return (await read()).remoteName
}
export const read = () => gateway.core.distribution.read(gateway.scope, 'prod', 'orders')
export const found = async () => {
  const waiting = { deadline: Date.now() + clock.late + 60_000 }
  const { drift, failed } = await gateway.core.looks.reconcile(gateway.scope, 'prod', waiting)
  expect(failed).toEqual({})
  return drift.orders ?? []
}
export const kinds = async () => (await found()).map(({ kind }) => kind)
export const sent = () => cloud.calls.filter(({ call }) => writes.includes(call)).length
export const until = async (done: () => Promise<boolean>) => {
  const end = Date.now() + 10_000
  while (!(await done())) {
    if (Date.now() > end) throw new Error('it did not come to that')
    await new Promise((go) => setTimeout(go, 5))
  }
}
export const settled = () => until(async () => (await read()).state !== 'pending')
export const asItIs = () => JSON.stringify([sent(), [...cloud.keys], [...cloud.deleted]])
/** Every version of the key is there once, with our public key, under the name that callers know, the newest last. */
export const asItShouldBe = async (name: string) => {
  const { core, scope, store } = gateway
  const { remoteName, versions, state } = await read()
  expect([remoteName, state]).toEqual([name, 'settled'])
  const key = await store.keys.find(scope.mountId, 'orders')
  const there = cloud.keys.get(name) ?? []
  expect(there.map(({ remoteVersion }) => remoteVersion)).toEqual(Object.values(versions))
  for (const [index, version] of there.entries()) {
    const stored = await store.keys.version(key?.id ?? '', index + 1)
    const spki = createPublicKey(stored?.publicKey ?? '').export({ type: 'spki', format: 'der' })
    expect(version.publicKey).toEqual(spki)
    expect(version).toMatchObject({ enabled: true, purposes: ['sign', 'verify'], expires: options.expires })
    expect(version.tags).toMatchObject(options.tags)
    expect(version.importId).toMatch(new RegExp(`^v${index + 1}-`))
  }
  expect(there).toHaveLength((await core.keys.read(scope, 'orders')).latestVersion)
}
