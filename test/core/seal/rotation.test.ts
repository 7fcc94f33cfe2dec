import { getTableColumns, getTableName, is, Table } from 'drizzle-orm'
import { SQLiteBlobBuffer } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { type Context, systemContext } from '../../../src/core/context.ts'
import { SealKeeper } from '../../../src/core/seal/keeper.ts'
import { Keyring, newDataKey } from '../../../src/core/seal/keyring.ts'
import { resealReplaced } from '../../../src/core/seal/reseal.ts'
import * as schema from '../../../src/store/sqlite/schema.ts'
import { sealedPlaces } from '../../../src/store/sqlite/sealed-places.ts'
import { allBoxes, closesAfterEach, copyOf, fail, lived, openAll } from './lived-gateway.ts'

closesAfterEach()

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
  // A removal that nobody carries out: the copy is there to the end.
  await core.close()
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
