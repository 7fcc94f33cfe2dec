import { createPublicKey } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeRestored } from '../../../src/core/backup/restore.ts'
import { systemContext } from '../../../src/core/context.ts'
import { CloudError, type Provider } from '../../../src/core/kms/provider.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider, type StoredVersion } from '../../support/memory-provider.ts'

const hour = 3_600_000
const options = { tags: { team: 'pay', stage: 'prod' }, expires: 2_000_000_000 }
const writes = ['import', 'set-enabled', 'change', 'remove', 'recover']

let cloud: MemoryCloud
let gateway: TestCore
/** How much later than it is the gateway thinks that it is, in ms. */
let late: number

async function start(change: (provider: Provider) => Provider = (provider) => provider): Promise<void> {
  cloud = new MemoryCloud()
  gateway = await testCore({
    providers: [change(memoryProvider(new Map([['one', cloud]])))],
    context: { now: () => Date.now() + late },
    lookTiming: { everyMs: hour, tickMs: 1e9 },
  })
  const { core, scope, waiting } = gateway
  await core.kms.write(scope, 'prod', { provider: 'memory', keyCollection: 'one', credentials: {} })
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  for (let version = 2; version <= 3; version++) await core.keys.rotate(scope, 'orders', waiting)
}

beforeEach(async () => {
  late = 0
  await start()
})
afterEach(() => gateway.close())

const deliver = async (repair: 'report' | 'restore') => {
  const input = { purpose: ['sign', 'verify'], ...options, repair }
  expect(await gateway.core.distribution.distribute(gateway.scope, 'prod', 'orders', input, gateway.waiting)).toEqual(
    [],
  )
  return (await read()).remoteName
}
const read = () => gateway.core.distribution.read(gateway.scope, 'prod', 'orders')
const found = async () => {
  const waiting = { deadline: Date.now() + late + 60_000 }
  const { drift, failed } = await gateway.core.looks.reconcile(gateway.scope, 'prod', waiting)
  expect(failed).toEqual({})
  return drift.orders ?? []
}
const kinds = async () => (await found()).map(({ kind }) => kind)
const sent = () => cloud.calls.filter(({ call }) => writes.includes(call)).length
const until = async (done: () => Promise<boolean>) => {
  const end = Date.now() + 10_000
  while (!(await done())) {
    if (Date.now() > end) throw new Error('it did not come to that')
    await new Promise((go) => setTimeout(go, 5))
  }
}
const settled = () => until(async () => (await read()).state !== 'pending')
const asItIs = () => JSON.stringify([sent(), [...cloud.keys], [...cloud.deleted]])
/** Every version of the key is there once, with our public key, under the name that callers know, the newest last. */
const asItShouldBe = async (name: string) => {
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

/** What somebody does by hand, and what is seen of it. */
const doings: [string, (name: string) => void, string[]][] = [
  ['the key was deleted and purged', (name) => cloud.keys.delete(name), ['missing']],
  ['the key was deleted', (name) => cloud.softDelete(name), ['deleted']],
  [
    'an old backup of the key was put in its place',
    (name) => cloud.keys.get(name)?.splice(1),
    ['version_missing', 'version_missing'],
  ],
  ['the newest version is gone', (name) => cloud.keys.get(name)?.pop(), ['version_missing']],
  ['a version was disabled', (name) => cloud.change(name, 0, { enabled: false }), ['version_disabled']],
  [
    'operations of the newest were changed',
    (name) => cloud.change(name, -1, { purposes: ['encrypt', 'sign'] }),
    ['purposes'],
  ],
  ['operations of an older one were changed', (name) => cloud.change(name, 0, { purposes: [] }), ['purposes']],
  ['our tag was taken away', (name) => cloud.change(name, 1, { importId: null }), ['tags']],
  ['the tag of another version was put on one', (name) => cloud.change(name, 1, { importId: 'v9-x' }), ['tags']],
  ['a tag of the provider was changed', (name) => cloud.change(name, 1, { labelled: false }), ['tags']],
  ['a given tag was taken away', (name) => cloud.change(name, 0, { tags: { team: 'pay' } }), ['tags']],
  ['a given tag was changed', (name) => cloud.change(name, 2, { tags: { team: 'x', stage: 'prod' } }), ['tags']],
  ['its end was moved', (name) => cloud.change(name, 2, { expires: 1_900_000_000 }), ['times']],
  ['its end was taken away', (name) => cloud.change(name, 0, { expires: null }), ['times']],
  [
    'much was changed',
    (name) => {
      cloud.change(name, 0, { enabled: false, tags: {} })
      cloud.change(name, 1, { purposes: ['sign'] })
      cloud.change(name, 2, { importId: null, expires: null })
    },
    ['tags', 'version_disabled', 'purposes', 'tags', 'times'],
  ],
]

describe.each([
  ['with a list', true],
  ['without a list', false],
])('what was done by hand, %s', (_, listPermitted) => {
  beforeEach(() => {
    cloud.listPermitted = listPermitted
  })

  it.each(doings)('is told and not touched: %s', async (_, doing, expected) => {
    const name = await deliver('report')
    doing(name)
    const before = asItIs()
    const first = await found()
    expect(first.map(({ kind }) => kind)).toEqual(expected)
    late += hour
    expect(await found()).toEqual(first)
    expect(await read()).toMatchObject({ state: 'settled', drift: first })
    expect(asItIs()).toBe(before)
  })

  it.each(doings)('is put right where that is wanted: %s', async (_, doing, expected) => {
    const name = await deliver('restore')
    doing(name)
    expect(await kinds()).toEqual(expected)
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
    expect((await read()).drift).toEqual([])
    const before = sent()
    expect(await found()).toEqual([])
    expect(sent()).toBe(before)
  })
})

describe('what is put right', () => {
  it('reads versions one by one only where they can be used and were changed', async () => {
    const name = await deliver('restore')
    const reads = () => cloud.calls.filter(({ call }) => call === 'read').length
    const before = reads()
    expect(await found()).toEqual([])
    expect(reads()).toBe(before)
    // Disabled as it should be: what it may be used for is of no account until it is enabled.
    await gateway.core.keys.write(gateway.scope, 'orders', { minEnabledVersion: 2 }, gateway.waiting)
    cloud.change(name, 0, { purposes: ['encrypt'] })
    expect(await found()).toEqual([])
    expect(reads()).toBe(before)
    await gateway.core.keys.write(gateway.scope, 'orders', { minEnabledVersion: 1 }, gateway.waiting)
    expect(await kinds()).toEqual(['purposes'])
    expect(reads()).toBeGreaterThan(before)
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
  })

  it('is put right by itself, once a period at most', async () => {
    const name = await deliver('restore')
    const ruin = () => {
      for (const version of cloud.keys.get(name) ?? []) version.enabled = false
    }
    ruin()
    late += hour + 1_000
    await gateway.core.looks.tick()
    await until(async () => (await read()).lookedAt !== null && (await read()).state === 'settled')
    await asItShouldBe(name)
    ruin()
    // The look after the work finds it as it was, and leaves it for now.
    late += 60_000
    const before = sent()
    const at = (await read()).lookedAt
    await gateway.core.looks.tick()
    await until(async () => (await read()).lookedAt !== at)
    expect([sent(), (await read()).state]).toEqual([before, 'settled'])
    late += 1.2 * hour
    await gateway.core.looks.tick()
    await until(async () => sent() > before && (await read()).state === 'settled')
    await asItShouldBe(name)
  })

  it('leaves tags that others added', async () => {
    const name = await deliver('restore')
    cloud.change(name, 0, { tags: { team: 'x', Stage: 'test', cost: '7' } })
    expect(await kinds()).toEqual(['tags'])
    await settled()
    // Names of tags do not differ by case: what was written over goes.
    expect(cloud.keys.get(name)?.[0]?.tags).toEqual({ team: 'pay', stage: 'prod', cost: '7' })
    expect(await found()).toEqual([])
  })

  it('is not an older version that is gone, which would become the current one, but is all else', async () => {
    const name = await deliver('restore')
    cloud.keys.get(name)?.splice(0, 1)
    cloud.change(name, 0, { enabled: false })
    const imports = () => cloud.calls.filter(({ call }) => call === 'import').length
    const before = imports()
    expect((await found()).map(({ kind, notRestored }) => [kind, notRestored])).toEqual([
      ['version_missing', 'imported again, it would become the current version in place of version 3'],
      ['version_disabled', undefined],
    ])
    await settled()
    expect(cloud.keys.get(name)?.map(({ enabled }) => enabled)).toEqual([true, true])
    expect(await kinds()).toEqual(['version_missing'])
    expect([imports(), (await read()).state]).toEqual([before, 'settled'])
  })

  it('is nothing where somebody else’s version is, also in the place of the key', async () => {
    const name = await deliver('restore')
    const stranger: StoredVersion = { remoteVersion: 'stranger', importId: null, enabled: true, created: 1 }
    cloud.keys.set(name, [stranger])
    const before = sent()
    expect(await kinds()).toEqual(['version_missing', 'version_missing', 'version_missing', 'version_extra'])
    await settled()
    expect([sent(), cloud.keys.get(name)]).toEqual([before, [stranger]])
    expect((await read()).drift.every(({ notRestored }) => notRestored !== undefined)).toBe(true)
  })

  it('is not what the cloud refuses: the reason is told, and the copy is not stopped', async () => {
    const name = await deliver('restore')
    cloud.softDelete(name)
    cloud.faults = [{ call: 'recover', error: () => new CloudError('refused', 'no right to recover'), times: 1 }]
    expect(await kinds()).toEqual(['deleted'])
    await settled()
    const { state, drift } = await read()
    expect([state, drift]).toMatchObject(['settled', [{ kind: 'deleted', notRestored: 'no right to recover' }]])
    // The look after it tells the same; on demand it is tried again.
    late += 60_000
    const before = sent()
    await gateway.core.looks.tick()
    await new Promise((go) => setTimeout(go, 30))
    expect(sent()).toBe(before)
    expect((await read()).drift).toEqual(drift)
    await found()
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
  })

  it.each(['changeVersion', 'recover'] as const)('is not what the provider cannot do: %s', async (capability) => {
    await gateway.close()
    await start((provider) => ({
      ...provider,
      open: async (...about) => {
        const { [capability]: _, ...connection } = await provider.open(...about)
        return connection
      },
    }))
    const name = await deliver('restore')
    if (capability === 'recover') cloud.softDelete(name)
    else cloud.change(name, 2, { purposes: [] })
    const before = sent()
    const [entry] = await found()
    expect(entry?.notRestored).toBe(
      capability === 'recover'
        ? 'the provider does not recover keys'
        : 'the provider has no change of a version in place',
    )
    await settled()
    expect(sent()).toBe(before)
  })

  it('is tried in vain three times where the cloud does not keep what it took', async () => {
    const name = await deliver('restore')
    cloud.change(name, 2, { purposes: [] })
    const act = cloud.act.bind(cloud)
    cloud.act = (call, effect, time) =>
      act(call, () => (call.call === 'change' ? (undefined as never) : effect()), time)
    expect(await kinds()).toEqual(['purposes'])
    await settled()
    expect(cloud.calls.filter(({ call }) => call === 'change')).toHaveLength(3)
    expect((await read()).drift[0]?.notRestored).toMatch(/^the KMS took what versions .* and does not show it$/)
  })

  it('is every version once, also where the answer to an import was lost', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    const lost = () => new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' })
    cloud.faults = [
      { call: 'import', error: lost, after: true, times: 1 },
      { call: 'import', error: lost, times: 1 },
    ]
    expect(await kinds()).toEqual(['missing'])
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
  })

  it('does not come back after a removal, where the answer to a recovery was lost', async () => {
    const name = await deliver('restore')
    cloud.softDelete(name)
    const { disturb } = cloud
    cloud.disturb = (call) =>
      call.call === 'recover'
        ? { error: new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' }), effectAfterMs: 200 }
        : disturb(call)
    expect(await kinds()).toEqual(['deleted'])
    await until(async () => cloud.calls.some(({ call }) => call === 'recover'))
    const { core, scope, waiting } = gateway
    expect(await core.distribution.remove(scope, 'prod', 'orders', waiting)).toEqual([])
    await new Promise((go) => setTimeout(go, 250))
    expect([cloud.keys.size, cloud.deleted.size]).toEqual([0, 0])
  })

  it('does not come back after a removal, where a recovery takes longer than any other call', async () => {
    await gateway.close()
    await start((provider) => ({ ...provider, recoveryMs: 8_000 }))
    const name = await deliver('restore')
    cloud.softDelete(name)
    cloud.recoveryTakesMs = 800
    expect(await kinds()).toEqual(['deleted'])
    await until(async () => cloud.calls.some(({ call }) => call === 'recover'))
    const { core, scope } = gateway
    const [warning] = await core.distribution.remove(scope, 'prod', 'orders', { deadline: Date.now() + 400 })
    expect(warning).toMatch(/still going on/)
    await until(async () => cloud.deleted.size === 0)
    await until(async () => cloud.keys.size === 0)
    await until(async () => {
      const ids = await core.operations.list(scope)
      const all = await Promise.all(ids.map((id) => core.operations.read(scope, id)))
      return all.every(({ state }) => state !== 'pending')
    })
  })

  it('takes no other name where the old one is held by a deleted key that cannot be seen', async () => {
    const name = await deliver('restore')
    const versions = cloud.keys.get(name) ?? []
    cloud.keys.delete(name)
    cloud.faults = [{ call: 'import', error: () => new CloudError('name_taken', 'the name is held'), times: 9 }]
    expect(await kinds()).toEqual(['missing'])
    await settled()
    expect((await read()).drift).toMatchObject([{ kind: 'missing', notRestored: 'the name is held' }])
    // Somebody else recovers it: its places are found again, and nothing was made twice.
    cloud.faults = []
    cloud.keys.set(name, versions)
    await found()
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
  })

  it('is not sent on the word of one look: what shows again meanwhile is left', async () => {
    const name = await deliver('restore')
    const versions = cloud.keys.get(name) ?? []
    cloud.keys.delete(name)
    let looks = 0
    cloud.disturb = ({ call }) => {
      if (call === 'describe' && ++looks === 2) cloud.keys.set(name, versions)
      return undefined
    }
    const imports = cloud.calls.filter(({ call }) => call === 'import').length
    expect(await kinds()).toEqual(['missing'])
    await settled()
    expect(cloud.calls.filter(({ call }) => call === 'import')).toHaveLength(imports)
    await asItShouldBe(name)
  })

  it('goes no further once it is only to be told', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    cloud.faults = [{ call: 'import', error: () => new CloudError('throttled', 'too many'), times: 1e9 }]
    expect(await kinds()).toEqual(['missing'])
    await until(async () => cloud.calls.some(({ call }) => call === 'import') && (await read()).reason !== null)
    await deliver('report')
    await settled()
    cloud.faults = []
    const before = sent()
    expect(await kinds()).toEqual(['missing'])
    expect(await read()).toMatchObject({ state: 'settled', repair: 'report', remoteName: name })
    expect([sent(), cloud.keys.size]).toEqual([before, 0])
    await deliver('restore')
    expect(await kinds()).toEqual(['missing'])
    await settled()
    await asItShouldBe(name)
  })

  it('disables nothing once it is only to be told, not even a version that came back with another key', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    cloud.disturb = ({ call }) => {
      for (const version of cloud.keys.get(name) ?? []) version.publicKey = Buffer.from('somebody else')
      if (call !== 'import') return undefined
      return { error: new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' }), effectAfterMs: 150 }
    }
    expect(await kinds()).toEqual(['missing'])
    await until(async () => cloud.calls.at(-1)?.call === 'import')
    const before = sent()
    await expect(deliver('report')).rejects.toThrow('another public key')
    await settled()
    expect(await read()).toMatchObject({ state: 'stopped', reason: expect.stringContaining('another public key') })
    expect(cloud.keys.get(name)?.map(({ enabled }) => enabled)).toEqual([true, true])
    expect(sent()).toBe(before)
  })

  it('is what stands in the way of a rotation as well', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    const { core, scope, waiting } = gateway
    const { warnings } = await core.keys.rotate(scope, 'orders', waiting)
    expect(warnings.join()).toMatch(/is no longer in the KMS/)
    expect(await read()).toMatchObject({ state: 'stopped' })
    // Soon after it is looked at, and goes on by itself.
    late += 60_000
    await core.looks.tick()
    await until(async () => (await read()).state === 'settled')
    await asItShouldBe(name)
  })

  it('is nothing while copies are held after a restore of the database', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    const { core, store, rootKey } = gateway
    await makeRestored(
      store,
      { current: { id: rootKey.id, key: Buffer.from(rootKey.key) }, previous: undefined },
      1,
      systemContext,
    )
    const before = sent()
    for (let times = 0; times < 2; times++) expect(await kinds()).toEqual(['missing'])
    await new Promise((go) => setTimeout(go, 150))
    expect([sent(), cloud.keys.size, (await read()).state]).toEqual([before, 0, 'settled'])
    await core.restore.release({ unreachable: false })
    await settled()
    await asItShouldBe(name)
  })
})

describe('what is put right never', () => {
  it('makes an older version the current one in a rotation, while the one that callers have is there', async () => {
    const name = await deliver('restore')
    cloud.keys.get(name)?.splice(0, 1)
    const { core, scope, waiting } = gateway
    await core.keys.rotate(scope, 'orders', waiting)
    await settled()
    expect(cloud.keys.get(name)?.map(({ importId }) => importId?.split('-')[0])).toEqual(['v2', 'v3', 'v4'])
    expect((await found()).map(({ kind, notRestored }) => [kind, notRestored])).toEqual([
      ['version_missing', 'imported again, it would become the current version in place of version 4'],
    ])
  })

  it('takes a version for gone whose tag was changed into that of another', async () => {
    cloud.listPermitted = false
    const name = await deliver('restore')
    cloud.change(name, 2, { importId: cloud.keys.get(name)?.[0]?.importId ?? null })
    expect(await kinds()).toEqual(['tags'])
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
  })

  it.each([
    ['with a list', true],
    ['without a list', false],
  ])('goes on against a cloud that keeps versions disabled, %s', async (_, listPermitted) => {
    cloud.listPermitted = listPermitted
    const name = await deliver('restore')
    cloud.change(name, 0, { enabled: false })
    const act = cloud.act.bind(cloud)
    cloud.act = (call, effect, time) =>
      act(call, () => (call.call === 'set-enabled' ? (undefined as never) : effect()), time)
    expect(await kinds()).toEqual(['version_disabled'])
    await settled()
    expect(cloud.calls.filter(({ call }) => call === 'set-enabled')).toHaveLength(3)
    expect((await read()).drift[0]?.notRestored).toMatch(/does not show which versions were enabled or disabled/)
    const before = sent()
    await new Promise((go) => setTimeout(go, 50))
    expect([sent(), (await read()).state]).toEqual([before, 'settled'])
  })

  it.each<[string, (name: string, times: number) => void]>([
    ['loses the newest version each time', (name) => cloud.keys.get(name)?.pop()],
    ['has another end each time', (name, times) => cloud.change(name, 2, { expires: 1_900_000_000 + times })],
    [
      'has other operations each time',
      (name, times) => cloud.change(name, 2, { purposes: times % 2 ? [] : ['encrypt'] }),
    ],
  ])('is sent more than once a period to a key that %s', async (_, ruin) => {
    const name = await deliver('restore')
    ruin(name, 0)
    late += 1.2 * hour
    const before = sent()
    await gateway.core.looks.tick()
    await until(async () => sent() > before && (await read()).state === 'settled')
    const once = sent()
    for (let times = 1; times <= 5; times++) {
      ruin(name, times)
      late += 60_000
      const at = (await read()).lookedAt
      await gateway.core.looks.tick()
      await until(async () => times > 1 || (await read()).lookedAt !== at)
      await settled()
    }
    expect(sent()).toBe(once)
    expect((await read()).drift).toHaveLength(1)
  })

  it('makes an older version the current one where the newest was in the vault alone', async () => {
    cloud.listPermitted = false
    const name = await deliver('restore')
    const { store, scope } = gateway
    const key = await store.keys.find(scope.mountId, 'orders')
    const version = store.keys.version.bind(store.keys)
    store.keys.version = (id, number) => (id === key?.id && number === 3 ? undefined : version(id, number))
    cloud.keys.delete(name)
    const before = sent()
    expect(await kinds()).toEqual(['missing'])
    await settled()
    expect([sent(), cloud.keys.size]).toEqual([before, 0])
    expect((await read()).drift[0]?.notRestored).toMatch(/^version 3 of .* was in the KMS alone/)
  })

  it.each([
    ['with a list', true],
    ['without a list', false],
  ])('keeps a version that is gone from the others’ being disabled, %s', async (_, listPermitted) => {
    cloud.listPermitted = listPermitted
    const name = await deliver('restore')
    cloud.keys.get(name)?.splice(0, 1)
    const { core, scope, waiting } = gateway
    expect((await core.keys.write(scope, 'orders', { minEnabledVersion: 3 }, waiting)).warnings).toEqual([])
    expect(cloud.keys.get(name)?.map(({ enabled }) => enabled)).toEqual([false, true])
    // What is not there cannot be enabled, and that is told; the others are.
    const { warnings } = await core.keys.write(scope, 'orders', { minEnabledVersion: 1 }, waiting)
    expect(warnings.join()).toMatch(/no such version/)
    expect(cloud.keys.get(name)?.map(({ enabled }) => enabled)).toEqual([true, true])
  })

  it('keeps a rotation from being done, where the cloud does not take or keep what versions are given back', async () => {
    const name = await deliver('restore')
    const { core, scope, waiting } = gateway
    cloud.change(name, 0, { tags: {} })
    const act = cloud.act.bind(cloud)
    for (const refusal of [true, false]) {
      cloud.act = (call, effect, time) =>
        act(
          call,
          () => {
            if (call.call !== 'change') return effect()
            if (refusal) throw new CloudError('refused', 'no right to change')
            return undefined as never
          },
          time,
        )
      expect(await kinds()).toEqual(['tags'])
      await settled()
      expect((await core.keys.rotate(scope, 'orders', waiting)).warnings).toEqual([])
      expect(await read()).toMatchObject({
        state: 'settled',
        drift: [{ kind: 'tags', notRestored: expect.any(String) }],
      })
    }
    cloud.act = act
    expect(await kinds()).toEqual(['tags'])
    await settled()
    await asItShouldBe(name)
  })
})
