import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { autoRotation } from '../../../src/core/keys/auto-rotation.ts'
import type { KeyInput } from '../../../src/core/keys/service.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

const hour = 3_600_000
let late = 0
let gateway: TestCore
let cloud: MemoryCloud
let folder: string
const context = { now: () => Date.now() + late }

beforeEach(async () => {
  late = 0
  cloud = new MemoryCloud()
  folder = mkdtempSync(join(tmpdir(), 'keyferry-rotation-'))
  const providers = [memoryProvider(new Map([['one', cloud]]))]
  gateway = await testCore({ providers, context, file: join(folder, 'keyferry.db') })
})
afterEach(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true })
})

const write = (input: KeyInput, name = 'orders') => gateway.core.keys.write(gateway.scope, name, input, gateway.waiting)
const read = (name = 'orders') => gateway.core.keys.read(gateway.scope, name)
const rotate = (name = 'orders') => gateway.core.keys.rotate(gateway.scope, name, gateway.waiting)
/** What a process does every few seconds. */
const sweep = async () => {
  const { core, store } = gateway
  const run = autoRotation({ context: core.context, store, rotate: (key, due) => core.keys.rotateDue(key, due) })
  return await run(context.now(), 100)
}

describe('a schedule', () => {
  it('is none unless one is set', async () => {
    await write({ type: 'ecdsa-p256' })
    expect(await read()).toMatchObject({ autoRotatePeriod: 0, nextRotationAt: null, maxEnabledVersions: 0 })
    late = 1_000 * hour
    expect(await sweep()).toBe(0)
    expect((await read()).latestVersion).toBe(1)
  })

  it.each([1, 59, 3_599, -1, 315_360_001, 1e15])('refuses a period of %i seconds', async (autoRotatePeriod) => {
    const message = `auto_rotate_period must be 0 (never), or 1h to 87600h, not ${autoRotatePeriod}s`
    await expect(write({ autoRotatePeriod })).rejects.toMatchObject({ code: 'invalid', message })
    await expect(read()).rejects.toMatchObject({ code: 'not_found' })
  })

  it.each([-1, 1_000_001])('refuses %i enabled versions', async (maxEnabledVersions) => {
    await expect(write({ maxEnabledVersions })).rejects.toMatchObject({ code: 'invalid' })
  })

  it('is up to a twentieth earlier than the period says', async () => {
    const before = context.now()
    await write({ type: 'ecdsa-p256', autoRotatePeriod: 3_600 })
    const at = (await read()).nextRotationAt ?? 0
    expect(at).toBeGreaterThanOrEqual(before + 0.95 * hour)
    expect(at).toBeLessThanOrEqual(context.now() + hour)
  })

  it('begins anew with another period and with a rotation, not with the same period, and ends with 0', async () => {
    await write({ type: 'ecdsa-p256', autoRotatePeriod: 3_600 })
    const first = (await read()).nextRotationAt ?? 0
    late = 0.5 * hour
    await write({ autoRotatePeriod: 3_600, deletionAllowed: true })
    expect((await read()).nextRotationAt).toBe(first)
    await rotate()
    expect((await read()).nextRotationAt).toBeGreaterThan(first)
    await write({ autoRotatePeriod: 7_200 })
    expect((await read()).nextRotationAt).toBeGreaterThanOrEqual(context.now() + 1.9 * hour - 1_000)
    await write({ autoRotatePeriod: 0 })
    expect(await read()).toMatchObject({ autoRotatePeriod: 0, nextRotationAt: null })
    late = 100 * hour
    expect(await sweep()).toBe(0)
  })
})

describe('a scheduled rotation', () => {
  it('comes when it is due, reaches the KMS, and sets the next time', async () => {
    const { core, scope, waiting } = gateway
    await core.kms.write(scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: {} })
    await write({ type: 'ecdsa-p256', autoRotatePeriod: 3_600 })
    await core.distribution.distribute(scope, 'first', 'orders', { purpose: ['sign'] }, waiting)
    expect(await sweep()).toBe(0)
    late = hour
    expect(await sweep()).toBe(1)
    const key = await read()
    expect(key.latestVersion).toBe(2)
    expect(key.nextRotationAt).toBeGreaterThan(context.now() + 0.9 * hour)
    expect(await sweep()).toBe(0)
    const { remoteName } = await core.distribution.read(scope, 'first', 'orders')
    const end = Date.now() + 5_000
    while (cloud.keys.get(remoteName)?.length !== 2 && Date.now() < end) await new Promise((go) => setTimeout(go, 10))
    expect(cloud.keys.get(remoteName)).toHaveLength(2)
  })

  it('happens once, whichever process comes first', async () => {
    await write({ type: 'ecdsa-p256', autoRotatePeriod: 3_600 })
    late = hour
    // Another process: a gateway of its own on the same file.
    const providers = [memoryProvider(new Map([['one', cloud]]))]
    const { rootKey } = gateway
    const other = await testCore({ providers, context, file: join(folder, 'keyferry.db'), rootKey })
    const refused: string[] = []
    const rotations = [gateway, other].flatMap(({ core, store }) =>
      [1, 2, 3].map(() =>
        autoRotation({
          context: core.context,
          store,
          rotate: (key, due) =>
            core.keys.rotateDue(key, due).catch((error) => {
              refused.push(error.code)
              throw error
            }),
        }),
      ),
    )
    await Promise.all(rotations.map((run) => run(context.now(), 100)))
    await other.close()
    expect((await read()).latestVersion).toBe(2)
    expect(refused.length).toBeGreaterThan(0)
    expect(new Set(refused)).toEqual(new Set(['conflict']))
  })

  it('is one, however many periods were missed', async () => {
    await write({ type: 'ecdsa-p256', autoRotatePeriod: 3_600 })
    late = 50 * hour
    await sweep()
    await sweep()
    expect((await read()).latestVersion).toBe(2)
  })

  it('that fails is tried again later, and holds up no other', async () => {
    await write({ type: 'ecdsa-p256', autoRotatePeriod: 3_600 }, 'broken')
    late = 0.2 * hour
    await write({ type: 'ecdsa-p256', autoRotatePeriod: 3_600 })
    late = 2 * hour
    const { core, store } = gateway
    const run = autoRotation({
      context: core.context,
      store,
      rotate: async (key, due) => {
        if (key.name === 'broken') throw new Error('no')
        await core.keys.rotateDue(key, due)
      },
    })
    expect(await run(context.now(), 100)).toBe(2)
    expect((await read()).latestVersion).toBe(2)
    const broken = await read('broken')
    expect(broken.latestVersion).toBe(1)
    expect(broken.nextRotationAt).toBeGreaterThan(context.now() + 500_000)
    expect(broken.nextRotationAt).toBeLessThanOrEqual(context.now() + 600_000)
    late += 600_000
    await sweep()
    expect((await read('broken')).latestVersion).toBe(2)
  })

  it('waits while copies are held after a restore', async () => {
    await write({ type: 'ecdsa-p256', autoRotatePeriod: 3_600 })
    late = hour
    const { core, store } = gateway
    const rotate = () => Promise.reject(new Error('it was rotated'))
    const held = autoRotation({
      context: core.context,
      store: { keys: store.keys, restore: { hold: () => ({}) } },
      rotate,
    })
    expect(await held(context.now(), 100)).toBe(0)
    expect((await read()).nextRotationAt).toBeLessThanOrEqual(context.now())
  })
})

describe('max_enabled_versions', () => {
  it('lets min_enabled_version rise with each rotation, and never fall', async () => {
    await write({ type: 'ecdsa-p256', maxEnabledVersions: 2 })
    const least: number[] = []
    for (let count = 0; count < 4; count++) {
      await rotate()
      least.push((await read()).minEnabledVersion)
    }
    expect(least).toEqual([1, 2, 3, 4])
    await write({ minEnabledVersion: 5, maxEnabledVersions: 5 })
    await rotate()
    expect((await read()).minEnabledVersion).toBe(5)
    await write({ maxEnabledVersions: 0, minEnabledVersion: 0 })
    await rotate()
    expect(await read()).toMatchObject({ latestVersion: 7, minEnabledVersion: 0 })
  })

  it('disables what is older in the KMS, once the new version is there', async () => {
    const { core, scope, waiting } = gateway
    await core.kms.write(scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: {} })
    await write({ type: 'ecdsa-p256', maxEnabledVersions: 1 })
    await core.distribution.distribute(scope, 'first', 'orders', { purpose: ['sign'] }, waiting)
    expect(await rotate()).toEqual({ version: 2, warnings: [] })
    const { remoteName } = await core.distribution.read(scope, 'first', 'orders')
    expect(cloud.keys.get(remoteName)?.map(({ enabled }) => enabled)).toEqual([false, true])
    const changes = cloud.calls.map(({ call }) => call)
    expect(changes.lastIndexOf('set-enabled')).toBeGreaterThan(changes.lastIndexOf('import'))
  })
})
