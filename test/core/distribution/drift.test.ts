import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compare, type Look } from '../../../src/core/distribution/drift.ts'
import { CloudError, type ReadVersion, type RemoteKey } from '../../../src/core/kms/provider.ts'
import type { CopyVersionRow } from '../../../src/core/store.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

const publicKey = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' })
const ours = publicKey()
const row = (version: number): CopyVersionRow => ({
  ...{ copyId: 'copy', version, importId: `v${version}-id`, sentAt: null, seenAt: 1, enabled: true },
  remoteVersion: `remote-${version}`,
})
const there = (version: number, more: Partial<ReadVersion> = {}): ReadVersion => ({
  ...{ remoteVersion: `remote-${version}`, importId: `v${version}-id`, enabled: true, publicKey: ours },
  ...more,
})
const listed = (...versions: ReadVersion[]): RemoteKey => ({
  ...{ state: 'present', versions },
  latest: versions.at(-1) as ReadVersion,
})
const wanted: Pick<Look['copy'], 'purposes'> = { purposes: ['verify', 'sign'] }
const look = (remote: RemoteKey, more: Partial<Look> = {}): Look => ({
  copy: { ...{ remoteName: 'orders-1', options: {}, repair: 'restore', drift: [] }, ...wanted },
  versions: [row(1), row(2)],
  minEnabledVersion: 1,
  remote,
  read: new Map(),
  newestPublicKey: ours,
  can: { change: true, recover: true },
  now: 1_000,
  ...more,
})
const driftOf = (of: Look) => compare(of).drift
const kinds = (of: Look) => driftOf(of).map(({ kind }) => kind)

describe('drift', () => {
  it.each<[string, Look, string[]]>([
    ['nothing', look(listed(there(1), there(2))), []],
    [
      'nothing, where the provider does not tell the public key',
      look(listed(there(1), { ...there(2), publicKey: undefined } as never)),
      [],
    ],
    ['a key that is gone', look({ state: 'absent' }), ['missing']],
    ['a deleted key', look({ state: 'deleted' }), ['deleted']],
    ['a version that is gone', look(listed(there(2))), ['version_missing']],
    ['a disabled version', look(listed(there(1, { enabled: false }), there(2))), ['version_disabled']],
    ['an enabled one', look(listed(there(1), there(2)), { minEnabledVersion: 2 }), ['version_enabled']],
    ['a foreign version', look(listed(there(1), there(2), there(3))), ['version_extra']],
    [
      'no foreign version, but one of ours that came twice',
      look(listed(there(1), there(2), there(3, { importId: 'v2-id' }))),
      [],
    ],
    ['a changed tag', look(listed(there(1, { importId: null }), there(2))), ['tags']],
    ['another public key', look(listed(there(1), there(2, { publicKey: publicKey() }))), ['material']],
    ['no public key', look(listed(there(1), there(2, { publicKey: null }))), ['material']],
    ['a key where a symmetric one was sent', look(listed(there(1), there(2)), { newestPublicKey: null }), ['material']],
    ['the same purposes', look(listed(there(1), there(2, { purposes: ['sign', 'verify'] }))), []],
    ['other purposes', look(listed(there(1), there(2, { purposes: ['sign'] }))), ['purposes']],
    ['no purposes', look(listed(there(1), there(2, { purposes: [] }))), ['purposes']],
    [
      'several things',
      look(listed(there(1, { enabled: false }), there(2, { purposes: ['sign'] }), there(3))),
      ['version_disabled', 'purposes', 'version_extra'],
    ],
  ])('is %s', (_, of, expected) => {
    expect(kinds(of)).toEqual(expected)
  })

  it('of a key whose versions may not be listed is what was read of them', () => {
    const latest: RemoteKey = { state: 'present', latest: there(2) }
    expect(kinds(look(latest))).toEqual([])
    expect(kinds(look(latest, { read: new Map([['remote-1', there(1, { enabled: false })]]) }))).toEqual([
      'version_disabled',
    ])
    expect(kinds(look(latest, { read: new Map([['remote-1', undefined]]) }))).toEqual(['version_missing'])
  })

  it('keeps when it was first seen, as long as it is the same', () => {
    const first = driftOf(look(listed(there(1, { enabled: false }), there(2))))
    expect(first.map(({ firstSeen }) => firstSeen)).toEqual([1_000])
    const copy = { ...look({ state: 'absent' }).copy, drift: first }
    const later = driftOf(look(listed(there(1, { enabled: false }), there(2), there(3)), { copy, now: 2_000 }))
    expect(later.map(({ kind, firstSeen }) => [kind, firstSeen])).toEqual([
      ['version_disabled', 1_000],
      ['version_extra', 2_000],
    ])
    expect(driftOf(look({ state: 'absent' }, { copy, now: 3_000 }))).toEqual([
      { kind: 'missing', detail: '"orders-1" is not in the KMS', firstSeen: 3_000 },
    ])
  })

  const options = { tags: { team: 'pay' }, expires: 2_000_000_000 }
  const withOptions = (versions: ReadVersion[], more: Partial<Look> = {}) =>
    look(listed(...versions), { copy: { ...look(listed(there(1))).copy, options }, ...more })
  const given = { tags: { team: 'pay' }, expires: 2_000_000_000, notBefore: null, labelled: true }

  it.each<[string, Partial<ReadVersion>, [string, string][]]>([
    ['nothing', given, []],
    ['nothing, with tags of others', { ...given, tags: { team: 'pay', cost: '7' } }, []],
    ['nothing, where the provider does not tell', {}, []],
    ['a tag that is gone', { ...given, tags: {} }, [['tags', 'does not bear the tags "team" as given']]],
    ['another value', { ...given, tags: { team: 'x' } }, [['tags', 'does not bear the tags "team" as given']]],
    [
      'a tag of the provider',
      { ...given, labelled: false },
      [['tags', 'does not bear the tags that it was imported with']],
    ],
    [
      'another end',
      { ...given, expires: 1_900_000_000 },
      [['times', 'may be used up to 2030-03-17T17:46:40.000Z, and should be up to 2033-05-18T03:33:20.000Z']],
    ],
    [
      'no end',
      { ...given, expires: null },
      [['times', 'may be used up to any time, and should be up to 2033-05-18T03:33:20.000Z']],
    ],
    [
      'a beginning',
      { ...given, notBefore: 1_900_000_000 },
      [['times', 'may be used from 2030-03-17T17:46:40.000Z, and should be from any time']],
    ],
  ])('of tags and times is %s', (_, more, expected) => {
    const found = driftOf(withOptions([there(1, more), there(2, given)]))
    expect(found.map(({ kind, detail }) => [kind, detail])).toEqual(
      expected.map(([kind, detail]) => [kind, `version 1 (remote-1) ${detail}`]),
    )
  })

  it('of purposes is told of every version that was read in full', () => {
    const read = new Map([['remote-1', there(1, { purposes: ['sign'] })]])
    expect(kinds(look(listed(there(1), there(2)), { read }))).toEqual(['purposes'])
  })

  it.each<[string, Look, (string | null)[]]>([
    ['a key that is gone', look({ state: 'absent' }), [null]],
    ['a deleted key', look({ state: 'deleted' }), [null]],
    [
      'a deleted key where the provider has no way to',
      look({ state: 'deleted' }, { can: { change: true, recover: false } }),
      ['the provider does not recover keys'],
    ],
    [
      'a deleted key of somebody else',
      look({ state: 'deleted', latest: there(9) }),
      ['what was deleted there was not made by this gateway'],
    ],
    ['states', look(listed(there(1, { enabled: false }), there(2))), [null]],
    ['purposes', look(listed(there(1), there(2, { purposes: [] }))), [null]],
    [
      'purposes where the provider has no way to',
      look(listed(there(1), there(2, { purposes: [] })), { can: { change: false, recover: true } }),
      ['the provider has no change of a version in place'],
    ],
    ['tags', look(listed(there(1, { importId: null }), there(2))), [null]],
    [
      'a time where none should be',
      look(listed(there(1, { expires: 5 }), there(2))),
      ['a time can be changed there, and not taken away'],
    ],
    ['a newest version that is gone', look(listed(there(1))), [null]],
    [
      'an older one that is gone',
      look(listed(there(2))),
      ['imported again, it would become the current version in place of version 2'],
    ],
    [
      'an older one that is gone, beside a state',
      look(listed(there(2, { enabled: false }))),
      ['imported again, it would become the current version in place of version 2', null],
    ],
    [
      'an older one that is there in another place',
      look(listed(there(1, { remoteVersion: 'elsewhere' }), there(2))),
      [null],
    ],
    [
      'anything where a foreign version is',
      look(listed(there(1, { enabled: false }), there(2), there(3))),
      [
        'nothing is changed in a key that holds what this gateway did not bring',
        'a version cannot be taken away alone, and what others made is not touched',
      ],
    ],
    [
      'anything where another key is',
      look(listed(there(1, { enabled: false }), there(2, { publicKey: publicKey() }))),
      [
        'nothing is changed in a key that holds what this gateway did not bring',
        'the key of a version cannot be changed',
      ],
    ],
  ])('is put right, or the reason told: %s', (_, of, reasons) => {
    const { drift, restorable } = compare(of)
    expect(drift.map(({ notRestored }) => notRestored ?? null)).toEqual(reasons)
    expect(restorable).toEqual(drift.filter((_entry, index) => reasons[index] === null))
    // Where it is only told, there is no such reason.
    const told = compare({ ...of, copy: { ...of.copy, repair: 'report' } }).drift
    expect(told.map(({ notRestored }) => notRestored)).toEqual(reasons.map(() => undefined))
  })

  it('keeps why it was not put right and when that was tried, until it is otherwise', () => {
    const [found] = driftOf(look({ state: 'deleted' }))
    if (!found) throw new Error('nothing was found')
    const tried = { ...found, triedAt: 5, notRestored: 'no right to recover' }
    const copy = { ...look({ state: 'deleted' }).copy, drift: [tried] }
    expect(driftOf(look({ state: 'deleted' }, { copy, now: 9_000 }))).toEqual([tried])
    expect(driftOf(look(listed(there(1), there(2)), { copy }))).toEqual([])
  })
})

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
