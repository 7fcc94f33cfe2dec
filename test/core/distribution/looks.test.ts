import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CloudError } from '../../../src/core/kms/provider.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

describe('looks', () => {
  let cloud: MemoryCloud
  let other: MemoryCloud
  let gateway: TestCore
  let late = 0
  const hour = 3_600_000

  beforeEach(async () => {
    late = 0
    cloud = new MemoryCloud()
    other = new MemoryCloud()
    const clouds = new Map([
      ['one', cloud],
      ['two', other],
    ])
    // The clock is put forward by hand, and ticks are the test's own.
    gateway = await testCore({
      providers: [memoryProvider(clouds)],
      context: { now: () => Date.now() + late },
      lookTiming: { everyMs: hour, tickMs: 1e9 },
    })
    const { core, scope, waiting } = gateway
    await core.kms.write(scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: {} })
    await core.kms.write(scope, 'second', { provider: 'memory', keyCollection: 'two', credentials: {} })
    await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
    await core.keys.rotate(scope, 'orders', waiting)
  })
  afterEach(() => gateway.close())

  const deliver = async (repair?: 'report' | 'restore', kms = 'first', key = 'orders') => {
    const { core, scope, waiting } = gateway
    const input = { purpose: ['sign' as const], ...(repair && { repair }) }
    expect(await core.distribution.distribute(scope, kms, key, input, waiting)).toEqual([])
  }
  const read = (kms = 'first', key = 'orders') => gateway.core.distribution.read(gateway.scope, kms, key)
  const versions = async () => cloud.keys.get((await read()).remoteName) ?? []
  const describes = (of = cloud) => of.calls.filter(({ call }) => call === 'describe').length
  const reconcile = (kms = 'first') =>
    gateway.core.looks.reconcile(gateway.scope, kms, { deadline: Date.now() + late + 60_000 })
  const until = async (done: () => Promise<boolean>) => {
    const end = Date.now() + 5_000
    while (!(await done())) {
      if (Date.now() > end) throw new Error('it did not come to that')
      await new Promise((go) => setTimeout(go, 10))
    }
  }
  const disable = async (index: number) => {
    const version = (await versions())[index]
    if (version) version.enabled = false
  }

  it('tell what was found, and change nothing unless told', async () => {
    await deliver()
    expect(await reconcile()).toEqual({ looked: 1, copies: 1, drift: {}, failed: {} })
    await disable(0)
    const found = await reconcile()
    expect(found.drift.orders).toMatchObject([{ kind: 'version_disabled' }])
    const copy = await read()
    expect(copy).toMatchObject({ state: 'settled', repair: 'report', drift: found.drift.orders })
    const first = copy.drift[0]?.firstSeen
    late += hour
    await reconcile()
    expect((await read()).drift[0]?.firstSeen).toBe(first)
    expect((await versions())[0]?.enabled).toBe(false)
    const [one] = await versions()
    if (one) one.enabled = true
    expect((await reconcile()).drift).toEqual({})
    expect((await read()).drift).toEqual([])
  })

  it('put versions right where that is wanted, which can be said later', async () => {
    await deliver()
    await disable(0)
    await reconcile()
    await deliver('restore')
    expect((await read()).repair).toBe('restore')
    const imports = cloud.calls.filter(({ call }) => call === 'import').length
    expect((await reconcile()).drift.orders).toMatchObject([{ kind: 'version_disabled' }])
    await until(async () => (await versions())[0]?.enabled === true && (await read()).state === 'settled')
    expect((await reconcile()).drift).toEqual({})
    expect(cloud.calls.filter(({ call }) => call === 'import')).toHaveLength(imports)
    // The same once more changes nothing.
    await deliver()
    expect((await read()).repair).toBe('restore')
  })

  it('touch nothing where somebody else’s version is, also to restore', async () => {
    await deliver('restore')
    await disable(0)
    const all = await versions()
    all.push({ remoteVersion: 'stranger', importId: null, enabled: true, created: 1 })
    const changes = cloud.calls.filter(({ call }) => call === 'set-enabled').length
    expect((await reconcile()).drift.orders?.map(({ kind }) => kind)).toEqual(['version_disabled', 'version_extra'])
    expect(cloud.calls.filter(({ call }) => call === 'set-enabled')).toHaveLength(changes)
    expect((await read()).state).toBe('settled')
  })

  it('never forget what is missing', async () => {
    await deliver()
    const { remoteName } = await read()
    cloud.keys.delete(remoteName)
    const imports = cloud.calls.filter(({ call }) => call === 'import').length
    expect((await reconcile()).drift.orders?.map(({ kind }) => kind)).toEqual(['missing'])
    const copy = await read()
    expect(copy).toMatchObject({ remoteName, state: 'settled', drift: [{ kind: 'missing' }] })
    expect(Object.keys(copy.versions)).toEqual(['1', '2'])
    expect(cloud.keys.size).toBe(0)
    expect(cloud.calls.filter(({ call }) => call === 'import')).toHaveLength(imports)
  })

  it('see every version where these may not be listed', async () => {
    cloud.listPermitted = false
    await deliver()
    await disable(0)
    expect((await reconcile()).drift.orders).toMatchObject([{ kind: 'version_disabled' }])
  })

  it('say why they failed, and keep what was found before', async () => {
    await deliver()
    await disable(0)
    await reconcile()
    cloud.faults = [{ call: 'describe', error: () => new CloudError('refused', 'no right to get'), times: 1 }]
    expect(await reconcile()).toEqual({ looked: 0, copies: 1, drift: {}, failed: { orders: 'no right to get' } })
    expect((await read()).drift).toMatchObject([{ kind: 'version_disabled' }])
    await expect(reconcile('nowhere')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('come by themselves: one a tick and vault, each copy once a period', async () => {
    const { core, scope, waiting } = gateway
    await Promise.all(
      Array.from({ length: 5 }, async (_, number) => {
        await core.keys.write(scope, `key-${number}`, { type: 'ecdsa-p256' }, waiting)
        await deliver('report', 'first', `key-${number}`)
      }),
    )
    await deliver('report', 'second')
    const before = [describes(), describes(other)]
    const since = () => [describes() - (before[0] ?? 0), describes(other) - (before[1] ?? 0)]
    // All are due within a period.
    late += hour + 1_000
    const counts: number[][] = []
    for (let tick = 0; tick < 7; tick++) {
      await core.looks.tick()
      await until(async () => (await gateway.store.looks.due('memory://one', 0, 1)).length === 0)
      await new Promise((go) => setTimeout(go, 20))
      counts.push(since())
    }
    expect(counts).toEqual([1, 2, 3, 4, 5, 5, 5].map((count) => [count, 1]))
  })

  it('are not made twice where two come at once', async () => {
    await deliver()
    late += hour + 1_000
    const before = describes()
    await Promise.all([gateway.core.looks.tick(), gateway.core.looks.tick()])
    await new Promise((go) => setTimeout(go, 50))
    expect(describes() - before).toBe(1)
  })

  it('are shared by two processes on one file, and what they found outlives them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyferry-drift-'))
    const shared = {
      providers: [memoryProvider(new Map([['one', cloud]]))],
      file: join(folder, 'keyferry.db'),
      context: { now: () => Date.now() + late },
      lookTiming: { everyMs: hour, tickMs: 1e9 },
    }
    const first = await testCore(shared)
    const { scope, waiting, rootKey } = first
    await first.core.keys.write(scope, 'shared', { type: 'ecdsa-p256' }, waiting)
    await first.core.kms.write(scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: {} })
    await first.core.distribution.distribute(scope, 'first', 'shared', { purpose: ['sign'] }, waiting)
    const second = await testCore({ ...shared, rootKey })
    try {
      late += hour + 1_000
      cloud.keys.clear()
      const before = describes()
      await Promise.all([first, second].map(({ core }) => core.looks.tick()))
      const drift = async (of: TestCore) => (await of.core.distribution.read(scope, 'first', 'shared')).drift
      await until(async () => (await drift(first)).length > 0)
      expect(describes() - before).toBe(1)
      expect(await drift(second)).toMatchObject([{ kind: 'missing' }])
    } finally {
      await first.close()
      await second.close()
    }
    const third = await testCore({ ...shared, rootKey })
    try {
      const copy = await third.core.distribution.read(scope, 'first', 'shared')
      expect(copy).toMatchObject({ state: 'settled', drift: [{ kind: 'missing' }], lookedAt: expect.any(Number) })
    } finally {
      await third.close()
      rmSync(folder, { recursive: true })
    }
  })

  it('begin by themselves, and put right what they find', async () => {
    const providers = [memoryProvider(new Map([['one', cloud]]))]
    const { core, scope, waiting, close } = await testCore({ providers, lookTiming: { everyMs: 30, tickMs: 10 } })
    try {
      await core.keys.write(scope, 'alone', { type: 'ecdsa-p256' }, waiting)
      await core.kms.write(scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: {} })
      const input = { purpose: ['sign'], repair: 'restore' as const }
      await core.distribution.distribute(scope, 'first', 'alone', input, waiting)
      const { remoteName } = await core.distribution.read(scope, 'first', 'alone')
      const [version] = cloud.keys.get(remoteName) ?? []
      if (!version) throw new Error('there is no version')
      version.enabled = false
      await until(async () => version.enabled)
      await until(async () => (await core.distribution.read(scope, 'first', 'alone')).drift.length === 0)
    } finally {
      await close()
    }
  })

  it('leave what was not reached in time to the background', async () => {
    await deliver()
    const now = Date.now() + late
    expect(await gateway.core.looks.reconcile(gateway.scope, 'first', { deadline: now })).toMatchObject({
      ...{ looked: 0, copies: 1 },
    })
    expect(await gateway.store.looks.due('memory://one', Date.now() + late, 9)).toHaveLength(1)
  })

  it('do not say anything of a copy that was worked on meanwhile', async () => {
    await deliver()
    const [copy] = await gateway.store.looks.due('memory://one', Number.MAX_SAFE_INTEGER, 1)
    if (!copy) throw new Error('there is no copy')
    await gateway.core.keys.rotate(gateway.scope, 'orders', gateway.waiting)
    expect(await gateway.store.looks.found(copy, [{ kind: 'missing', detail: '', firstSeen: 1 }], 1, true)).toBe(false)
    expect(await read()).toMatchObject({ state: 'settled', drift: [] })
  })
})
