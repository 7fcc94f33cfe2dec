import { getTableColumns, getTableName, is, Table } from 'drizzle-orm'
import { SQLiteBlobBuffer } from 'drizzle-orm/sqlite-core'
import { afterEach, describe, expect, it } from 'vitest'
import { type Context, systemContext } from '../../../src/core/context.ts'
import { sealedUnder } from '../../../src/core/seal/box.ts'
import { SealKeeper } from '../../../src/core/seal/keeper.ts'
import { Keyring, newDataKey } from '../../../src/core/seal/keyring.ts'
import { resealReplaced } from '../../../src/core/seal/reseal.ts'
import { newRootKey, type RootKey } from '../../../src/core/seal/root-key.ts'
import { rotateRoot, staleAfterMs } from '../../../src/core/seal/root-rotation.ts'
import type { SealedBox } from '../../../src/core/seal/seal-store.ts'
import type { Store } from '../../../src/core/store.ts'
import * as schema from '../../../src/store/sqlite/schema.ts'
import { sealedPlaces } from '../../../src/store/sqlite/sealed-places.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

const copyOf = ({ id, key }: RootKey): RootKey => ({ id, key: Buffer.from(key) })
const open: TestCore[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function lived(versions = 3): Promise<TestCore> {
  const cloud = new MemoryCloud()
  const made = await testCore({ providers: [memoryProvider(new Map([['one', cloud]]))] })
  open.push(made)
  const { core, scope, waiting } = made
  const team = await core.namespaces.create((await core.namespace('')) ?? fail(), 'team', undefined)
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  for (let version = 1; version < versions; version++) await core.keys.rotate(scope, 'orders', waiting)
  await core.kms.write(scope, 'prod', { provider: 'memory', keyCollection: 'one', credentials: { secret: 's' } })
  await core.distribution.distribute(scope, 'prod', 'orders', { purpose: ['sign'] }, waiting)
  await core.wrapping.wrap('root', 'sys/x', '{"a":1}', 600)
  await core.wrapping.wrap(team.id, 'sys/x', '{"a":1}', 600)
  return made
}

function fail(): never {
  throw new Error('it should be there')
}

async function allBoxes(store: Store): Promise<SealedBox[]> {
  const all: SealedBox[] = []
  let next: unknown
  do {
    const page = await store.seal.boxes(next, 2)
    all.push(...page.boxes)
    next = page.next
  } while (next !== undefined)
  return all
}

/** Opens every box of the store under a root key; gives the ids of the data keys in use. */
async function openAll(store: Store, root: RootKey): Promise<Set<string>> {
  const keyring = new Keyring(copyOf(root), store.namespaces)
  const under = new Set<string>()
  for (const { namespaceId, binding, box } of await allBoxes(store)) {
    const sealer = await keyring.forNamespace(namespaceId)
    expect(sealer.open(binding, box).length).toBeGreaterThan(0)
    under.add(sealedUnder(box))
  }
  keyring.close()
  return under
}

describe('the places of sealed boxes', () => {
  it('are all the columns of bytes that the schema has, but for the data keys themselves', () => {
    const columns = Object.values(schema)
      .filter((table) => is(table, Table))
      .flatMap((table) =>
        Object.values(getTableColumns(table as Table))
          .filter((column) => is(column, SQLiteBlobBuffer))
          .map((column) => `${getTableName(table as Table)}.${column.name}`),
      )
    const known = sealedPlaces.map(({ table, box }) => `${table}.${box}`)
    expect(columns.filter((name) => name !== 'data_keys.box').sort()).toEqual(known.sort())
  })

  it('are walked in pages, each box once', async () => {
    const { store } = await lived(5)
    const places = (await allBoxes(store)).map(({ place, key }) => `${place} ${key.join(' ')}`)
    expect(new Set(places).size).toBe(places.length)
    const count = (table: string) => places.filter((place) => place.startsWith(`${table} `)).length
    expect([count('key_versions'), count('kms'), count('signing_keys'), count('wrapped')]).toEqual([5, 1, 1, 2])
  })
})

it('the store refuses a box under a data key of another namespace, or of none', async () => {
  const { store, core, rootKey, scope } = await lived()
  const team = (await core.namespace('team')) ?? fail()
  const keyring = new Keyring(copyOf(rootKey), store.namespaces)
  const theirs = await keyring.forNamespace(team.id)
  const nobodys = newDataKey(rootKey, 'root', 1).sealer
  const kms = (await store.kms.find(scope.mountId, 'prod')) ?? fail()
  const key = (await store.keys.find(scope.mountId, 'orders')) ?? fail()
  const copy = (await store.copies.find(key.id, kms.id)) ?? fail()
  await store.copies.requestRemoval(copy.id, 'op', 1)
  for (const sealer of [theirs, nobodys]) {
    const settingsBox = sealer.seal({ objectId: kms.id, version: 0, kind: 'kms-settings' }, Buffer.from('{}'))
    const box = sealer.seal({ objectId: 'w', version: 0, kind: 'wrapped-response' }, Buffer.from('{}'))
    const wrapped = {
      id: 'w',
      namespaceId: 'root',
      accessor: 'a',
      creationPath: '',
      box,
      ttl: 1,
      createdAt: 1,
      expiresAt: 2,
    }
    const writes = [
      () => store.kms.create({ ...kms, id: 'other', name: 'other', settingsBox }),
      () => store.kms.replaceSettings(kms.id, settingsBox),
      () => store.copies.detach(copy.id, settingsBox),
      () => store.wrapped.create(wrapped),
      () => store.keys.addVersion(key.id, () => ({ publicKey: null, box, createdAt: 1 }), 1),
    ]
    for (const write of writes) await expect(write()).rejects.toMatchObject({ code: 'unavailable' })
  }
  await openAll(store, rootKey)
})

describe('a data key', () => {
  it('is replaced: everything is sealed anew, the old one goes, and what was sealed still opens', async () => {
    const { store, core, rootKey, scope, waiting } = await lived()
    const [before] = await store.namespaces.dataKeys('root')
    await core.seal.rotateDataKey('root')
    const both = await store.namespaces.dataKeys('root')
    expect(both.map(({ id }) => id)).toEqual([expect.not.stringMatching(before?.id ?? ''), before?.id])
    await core.keys.rotate(scope, 'orders', waiting)
    const keyring = new Keyring(copyOf(rootKey), store.namespaces)
    const parts = { context: systemContext, store, keyring }
    expect(await resealReplaced({ ...parts, graceMs: 60_000 })).toBe(1)
    expect(await openAll(store, rootKey)).not.toContain(before?.id)
    // Only after the time of grace may it go.
    expect(await store.namespaces.dataKeys('root')).toHaveLength(2)
    expect(await resealReplaced({ ...parts, graceMs: 0 })).toBe(0)
    expect((await store.namespaces.dataKeys('root')).map(({ id }) => id)).toEqual([both[0]?.id])
    expect(await openAll(store, rootKey)).toContain(both[0]?.id)
    expect(await store.seal.replaced()).toEqual([])
    await core.keys.rotate(scope, 'orders', waiting)
    await core.distribution.remove(scope, 'prod', 'orders', waiting)
  })

  it('is looked for in what others have without holding up their requests', async () => {
    const { store, core, rootKey } = await lived()
    const keyring = new Keyring(copyOf(rootKey), store.namespaces)
    const team = (await core.namespace('team')) ?? fail()
    await store.seal.replaceDataKey(await keyring.newDataKey(team.id, Date.now()))
    const others = (await allBoxes(store)).filter(({ namespaceId }) => namespaceId === 'root')
    let pages = 0
    // Each page is a read that is over before anything else can run.
    const boxes = () => ({ boxes: others, next: ++pages < 20 ? pages : undefined })
    let turns = 0
    const count = () => {
      turns += 1
      timer = setImmediate(count)
    }
    let timer = setImmediate(count)
    await resealReplaced({
      context: systemContext,
      store: { seal: { ...store.seal, boxes } },
      keyring,
      graceMs: 60_000,
    })
    clearImmediate(timer)
    expect(pages).toBe(20)
    expect(turns).toBeGreaterThanOrEqual(20)
  })

  it('of another process is used at once, and never sealed under once it is retired', async () => {
    const { store, core, rootKey, scope, waiting } = await lived()
    // A sealer from before, as somebody holds it who waits for a key to be made.
    const late = new Keyring(copyOf(rootKey), store.namespaces)
    const sealer = await late.forNamespace('root')
    const elsewhere = new Keyring(copyOf(rootKey), store.namespaces)
    await store.seal.replaceDataKey(await elsewhere.newDataKey('root', Date.now()))
    const key = (await store.keys.find(scope.mountId, 'orders')) ?? fail()
    const make = (version: number) => ({
      publicKey: null,
      box: sealer.seal({ objectId: key.id, version, kind: 'key-material' }, Buffer.from('material')),
      createdAt: 1,
    })
    // While it is not retired, what is sealed under it is found and sealed anew.
    expect((await store.keys.addVersion(key.id, make, 1)).version).toBe(4)
    await resealReplaced({ context: systemContext, store, keyring: elsewhere, graceMs: 0 })
    await openAll(store, rootKey)
    await expect(store.keys.addVersion(key.id, make, 1)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the keys that seal the database were rotated meanwhile: try again',
    })
    expect((await store.keys.byId(key.id))?.latestVersion).toBe(4)
    await core.keys.rotate(scope, 'orders', waiting)
    expect((await store.keys.byId(key.id))?.latestVersion).toBe(5)
  })

  it('is kept as long as something under it does not open, and the log says so', async () => {
    const said: string[] = []
    const { store, rootKey, core } = await lived()
    const boxes = await allBoxes(store)
    const victim = boxes.find(({ place }) => place === 'key_versions') ?? fail()
    const damaged = Buffer.from(victim.box)
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
    await store.seal.reseal([{ from: victim, box: damaged }])
    await core.seal.rotateDataKey('root')
    const context: Context = { ...systemContext, log: (_, message) => said.push(message) }
    const keyring = new Keyring(copyOf(rootKey), store.namespaces)
    for (let times = 0; times < 2; times++)
      expect(await resealReplaced({ context, store, keyring, graceMs: 0 })).toBe(1)
    expect(said[0]).toBe('a sealed value cannot be sealed anew, and its data key is kept for it')
    expect(await store.namespaces.dataKeys('root')).toHaveLength(2)
  })

  it('is not dropped while it is not retired', async () => {
    const { store } = await lived()
    const [row] = await store.namespaces.dataKeys('root')
    await expect(store.seal.dropDataKey(row?.id ?? '')).rejects.toMatchObject({ code: 'conflict' })
  })

  it('is replaced by itself before it was used too often; the count outlives the process', async () => {
    const { store, rootKey } = await lived()
    const keyring = new Keyring(copyOf(rootKey), store.namespaces)
    const [first] = await store.namespaces.dataKeys('root')
    const timing = { beatMs: 0, lookMs: 3_600_000, graceMs: 0, mostSeals: 200 }
    const use = async (times: number) => {
      const sealer = await keyring.forNamespace('root')
      for (let time = 0; time < times; time++)
        sealer.seal({ objectId: 'x', version: 0, kind: 'wrapped-response' }, Buffer.from('x'))
    }
    const one = new SealKeeper({ context: systemContext, store, keyring, timing })
    await one.start()
    await use(150)
    await one.look()
    expect((await store.namespaces.dataKeys('root'))[0]?.id).toBe(first?.id)
    await one.close()
    const two = new SealKeeper({ context: systemContext, store, keyring, timing })
    await two.start()
    await use(60)
    await two.look()
    const now = await store.namespaces.dataKeys('root')
    expect(now[0]?.id).not.toBe(first?.id)
    await two.close()
    await openAll(store, rootKey)
  })
})

describe('the root key', () => {
  const ringOf = (store: Store, ...roots: RootKey[]) =>
    new Keyring(roots.map(copyOf), store.namespaces, () => store.meta.get('root_id'))

  it('is rotated: no data key is under the old one, and the store refuses one that is', async () => {
    const { store, core, rootKey } = await lived()
    await core.close()
    const fresh = newRootKey()
    const parts = { context: systemContext, store, keyring: ringOf(store, fresh, rootKey) }
    const roots = { current: fresh, previous: rootKey }
    expect(await rotateRoot(parts, roots)).toEqual({ from: rootKey.id, to: fresh.id, rewrapped: 2, holders: [] })
    expect(await store.seal.dataKeysNotUnder(fresh.id, 10)).toEqual([])
    await openAll(store, fresh)
    const late = newDataKey(rootKey, 'root', Date.now()).row
    await expect(store.seal.replaceDataKey(late)).rejects.toMatchObject({ code: 'unavailable' })
    const child = { id: 'x', parentId: 'root', path: 'x', customMetadata: {}, createdAt: 1, deletedAt: null }
    await expect(store.namespaces.create(child, newDataKey(rootKey, 'x', 1).row)).rejects.toThrow(/rotated meanwhile/)
    expect(await store.namespaces.byPath('x')).toBeUndefined()
    // Once more: there is nothing left to do.
    expect(await rotateRoot(parts, roots)).toMatchObject({ from: undefined, rewrapped: 0 })
  })

  it('is not given up for one that a live process does not hold; a process that was not seen for long is none', async () => {
    const { store, rootKey } = await lived()
    const fresh = newRootKey()
    const roots = { current: fresh, previous: rootKey }
    const keyring = ringOf(store, fresh, rootKey)
    await expect(rotateRoot({ context: systemContext, store, keyring }, roots)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/^\S+:\d+ would be left without the new root key: restart/),
    })
    expect(await store.meta.get('root_id')).toBe(rootKey.id)
    const later = { ...systemContext, now: () => Date.now() + staleAfterMs + 1_000 }
    expect(await rotateRoot({ context: later, store, keyring }, roots)).toMatchObject({ rewrapped: 2 })
  })

  it('that neither side knows rotates nothing', async () => {
    const { store, core, rootKey } = await lived()
    await core.close()
    const [one, two] = [newRootKey(), newRootKey()]
    const keyring = ringOf(store, one, two)
    await expect(
      rotateRoot({ context: systemContext, store, keyring }, { current: one, previous: two }),
    ).rejects.toMatchObject({ code: 'corrupt' })
    const alone = ringOf(store, rootKey)
    await expect(
      rotateRoot({ context: systemContext, store, keyring: alone }, { current: rootKey, previous: undefined }),
    ).rejects.toThrow(/^there is nothing to rotate to/)
  })

  it('is rotated to an end by a gateway that holds both, which then lets the old one go', async () => {
    const { store, core, rootKey } = await lived()
    await core.close()
    const fresh = newRootKey()
    const held = copyOf(rootKey)
    const keyring = new Keyring([copyOf(fresh), held], store.namespaces, () => store.meta.get('root_id'))
    const keeper = new SealKeeper({ context: systemContext, store, keyring, timing: { lookMs: 3_600_000 } })
    await keeper.start()
    await keeper.look()
    expect(keyring.rootIds).toEqual([fresh.id, rootKey.id])
    // Whoever began the rotation died after its first step.
    await store.seal.switchRoot({ from: rootKey.id, to: fresh.id, since: 1 }, 0)
    await keeper.look()
    expect(await store.seal.dataKeysNotUnder(fresh.id, 10)).toEqual([])
    expect(await store.seal.rootRotation()).toBeUndefined()
    expect(keyring.rootIds).toEqual([fresh.id])
    expect(held.key).toEqual(Buffer.alloc(32))
    expect((await store.seal.live(0)).map(({ roots }) => roots)).toEqual([[fresh.id]])
    await keyring.newDataKey('root', 1)
    await keeper.close()
    expect(await store.seal.live(0)).toEqual([])
    await openAll(store, fresh)
  })
})
