import { afterEach, beforeEach } from 'vitest'
import { CloudError, type Provider } from '../../../src/core/kms/provider.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { type Disturbance, MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

export let cloud: MemoryCloud
/** A gateway of each test's own, with the key `orders` and the KMS `first`. */
export let gateway: TestCore
/** How much later than it is the gateway thinks that it is, in ms. */
export const clock = { late: 0 }
export const refused = () => new CloudError('refused', 'the cloud said no')
export const down = () => new CloudError('unavailable', 'the cloud is down')
export const clouds = () => new Map([['one', cloud]])

/** Starts before each test, and closes after it. */
export function attackedGateway(): void {
  beforeEach(async () => {
    cloud = new MemoryCloud()
    clock.late = 0
    gateway = await testCore({ providers: [memoryProvider(clouds())], context: { now: () => Date.now() + clock.late } })
    const { core, scope, waiting } = gateway
    await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
    await core.kms.write(scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: { secret: 'old' } })
  })
  afterEach(() => gateway.close())
}

/** In place of the gateway, another one that has the provider and nothing else. */
export async function startAnew(provider: Provider): Promise<void> {
  await gateway.close()
  gateway = await testCore({ providers: [provider] })
}

export const now = { deadline: 0 }
export const distribute = (more = {}, waiting = gateway.waiting) =>
  gateway.core.distribution.distribute(gateway.scope, 'first', 'orders', { purpose: ['sign'], ...more }, waiting)
export const rotate = (waiting = gateway.waiting) => gateway.core.keys.rotate(gateway.scope, 'orders', waiting)
export const remove = (waiting = gateway.waiting) =>
  gateway.core.distribution.remove(gateway.scope, 'first', 'orders', waiting)
export const view = () => gateway.core.distribution.read(gateway.scope, 'first', 'orders')
export const there = async () => cloud.keys.get((await view()).remoteName) ?? []
export const count = (call: string) => cloud.calls.filter((one) => one.call === call).length
export const eventually = { timeout: 10_000, interval: 10 }
export const turn = (ms: number) => new Promise((go) => setTimeout(go, ms))
/** The next calls of a kind meet these, one each; then all is well. */
export const next = (call: string, ...disturbances: Disturbance[]) => {
  cloud.disturb = (one) => (one.call === call ? disturbances.shift() : undefined)
}
