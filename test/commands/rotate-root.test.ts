import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, expect, test } from 'vitest'
import { newRootKey } from '../../src/core/seal/root-key.ts'
import { openEverything, withStore } from '../support/sealed.ts'
import { keepCalling } from './clouds.ts'
import { call, Keyferry, keyferry, serve, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
afterAll(() => folders.removeAll())

async function init() {
  const data = join(folders.make(), 'data')
  const { stdout } = await keyferry(['init', '--data', data, '--format', 'json'])
  const token: string = JSON.parse(stdout).root_token
  const [present, previous] = [join(data, 'root.key'), join(data, 'root.key-previous')]
  return { data, token, file: join(data, 'keyferry.db'), present, previous }
}

/** Namespaces, and keys in the root's, straight into the database: many, in a moment. */
async function fill(file: string, rootKeys: string[], counts: { namespaces?: number; keys?: number }): Promise<void> {
  await withStore(file, rootKeys, async (store, keyring) => {
    const [mount] = await store.mounts.list('root')
    const sealer = await keyring.forNamespace('root')
    const keys = Array.from({ length: counts.keys ?? 0 }, (_, number) => {
      const id = `key-${number}`
      const key = { id, namespaceId: 'root', mountId: mount?.id ?? '', name: id, type: 'aes256-gcm96' as const }
      const settings = {
        latestVersion: 1,
        minEnabledVersion: 1,
        deletionAllowed: true,
        replicaRegions: null,
        createdAt: 1,
        autoRotatePeriod: 0,
        nextRotationAt: null,
        maxEnabledVersions: 0,
      }
      const binding = { objectId: id, version: 1, kind: 'key-material' } as const
      const first = { publicKey: null, box: sealer.seal(binding, newRootKey().key), createdAt: 1 }
      return store.keys.create({ ...key, ...settings }, first)
    })
    const namespaces = Array.from({ length: counts.namespaces ?? 0 }, async (_, number) => {
      const id = `n${number}`
      const row = { id, parentId: 'root', path: id, customMetadata: {}, createdAt: 1, deletedAt: null }
      await store.namespaces.create(row, await keyring.newDataKey(id, 1))
    })
    await Promise.all([...keys, ...namespaces])
  })
}

/** Kills a process without a word once a count in the database has got so far. False: it was done before. */
async function killAt(
  process: Keyferry,
  file: string,
  sql: string,
  reached: (count: number) => boolean,
): Promise<boolean> {
  const database = new Sqlite(file, { readonly: true })
  const count = database.prepare(sql).pluck()
  let ended = false
  void process.ended.then(() => {
    ended = true
  })
  while (!ended && !reached(count.get() as number)) await new Promise((go) => setTimeout(go, 1))
  database.close()
  process.child.kill('SIGKILL')
  return (await process.ended).signal === 'SIGKILL'
}

test('the root key is rotated under load, and the gateway goes on with the new one alone', {
  timeout: 120_000,
}, async () => {
  const { data, token, file, present, previous } = await init()
  const made = await keyferry(['rotate-root', '--data', data, '--make-key'])
  expect([made.code, made.stderr]).toEqual([0, ''])
  expect((await keyferry(['rotate-root', '--data', data, '--make-key'])).stderr).toBe(
    `keyferry: ${previous} is there already, of a rotation that is not finished: nothing was changed. Finish that one with "keyferry rotate-root --data ${data}", then move the file to its backups\n`,
  )
  const { gateway, url } = await serve(['--data', data])
  const busy = keepCalling(async (number) => {
    const namespace = await call(url, token, 'POST', `sys/namespaces/team-${number}`)
    const key = await call(url, token, 'POST', `keymgmt/key/key-${number}`, { type: 'aes256-gcm96' })
    const rotated = await call(url, token, 'POST', `keymgmt/key/key-${number}/rotate`)
    expect([namespace.status, key.status, rotated.status]).toEqual([200, 204, 204])
  })
  const rotated = await keyferry(['rotate-root', '--data', data])
  expect([rotated.code, rotated.stderr]).toEqual([0, ''])
  expect(rotated.stdout).toMatch(/^The database is now under root key [0-9a-f]{32}; \d+ data keys were sealed anew\.$/m)
  expect((await keyferry(['rotate-root', '--data', data])).stdout).toMatch(/is under root key [0-9a-f]{32} already/)
  expect(await busy.stop()).toBeGreaterThan(3)
  expect((await call(url, token, 'GET', 'keymgmt/key/key-0')).body?.data).toMatchObject({ latest_version: 2 })
  expect((await gateway.stop()).code).toBe(0)
  await openEverything(file, [present])
  const old = join(folders.make(), 'old.key')
  renameSync(previous, old)
  const again = await serve(['--data', data])
  expect((await call(again.url, token, 'POST', 'keymgmt/key/key-0/rotate')).status).toBe(204)
  expect((await again.gateway.stop()).code).toBe(0)
  const without = await keyferry(['serve', '--data', data, '--listen', '127.0.0.1:0', '--root-key-file', old])
  expect(without).toMatchObject({
    code: 65,
    stderr: expect.stringMatching(/the root key is not the one of this database/),
  })
})

test('it is refused while a gateway holds the old one alone, also one that was not stopped but is no more', {
  timeout: 60_000,
}, async () => {
  const { data, present } = await init()
  const { gateway } = await serve(['--data', data])
  await keyferry(['rotate-root', '--data', data, '--make-key'])
  const refused = await keyferry(['rotate-root', '--data', data])
  expect(refused.code).toBe(69)
  expect(refused.stderr).toMatch(/^keyferry: \S+:\d+ would be left without the new root key: restart with the new one/)
  expect(refused.stderr).toContain(`:${gateway.child.pid} `)
  await gateway.stop('SIGKILL')
  const rotated = await keyferry(['rotate-root', '--data', data])
  expect([rotated.code, rotated.stderr]).toEqual([0, ''])
  await openEverything(join(data, 'keyferry.db'), [present])
})

test('the root key comes from the environment or from systemd, old and new', { timeout: 60_000 }, async () => {
  const { data, token, present, previous } = await init()
  await keyferry(['rotate-root', '--data', data, '--make-key'])
  const [fresh, old] = [readFileSync(present, 'utf8'), readFileSync(previous, 'utf8')]
  const credentials = folders.make()
  writeFileSync(join(credentials, 'keyferry-root-key'), fresh)
  writeFileSync(join(credentials, 'keyferry-root-key-previous'), old)
  for (const name of [present, previous]) rmSync(name)
  const both = { KEYFERRY_ROOT_KEY: fresh, KEYFERRY_ROOT_KEY_PREVIOUS: old }
  const first = await serve(['--data', data], { env: both })
  expect((await call(first.url, token, 'GET', 'auth/token/lookup-self')).status).toBe(200)
  await first.gateway.stop()
  const rotated = await keyferry(['rotate-root', '--data', data], { env: { CREDENTIALS_DIRECTORY: credentials } })
  expect([rotated.code, rotated.stderr]).toEqual([0, ''])
  const second = await serve(['--data', data], { env: { KEYFERRY_ROOT_KEY: fresh } })
  await second.gateway.stop()
  const neither = await keyferry(['serve', '--data', data, '--listen', '127.0.0.1:0'], {
    env: { KEYFERRY_ROOT_KEY: old },
  })
  expect(neither.code).toBe(65)
})

test('killed anywhere, a rotation of the root key goes on where it ended', { timeout: 120_000 }, async () => {
  const { data, token, file, present, previous } = await init()
  await fill(file, [present], { namespaces: 3_000 })
  await keyferry(['rotate-root', '--data', data, '--make-key'])
  const id = one(file, `SELECT value FROM meta WHERE key = 'root_id'`)
  const sealedAnew = `SELECT count(*) FROM data_keys WHERE root_id <> '${id}'`
  let kills = 0
  for (const reached of [1, 500, 1_200, 2_500]) {
    const process = new Keyferry(['rotate-root', '--data', data])
    if (await killAt(process, file, sealedAnew, (count) => count >= reached)) kills += 1
    await openEverything(file, [present, previous])
    // In the middle of it a gateway comes up with both, and says what is missing with one.
    const alone = await keyferry([
      'serve',
      '--data',
      data,
      '--listen',
      '127.0.0.1:0',
      '--root-key-file-previous',
      present,
    ])
    if (count(file, sealedAnew) < 3_001)
      expect([alone.code, alone.stderr]).toEqual([65, expect.stringMatching(/previous one/)])
  }
  expect(kills).toBeGreaterThan(1)
  const last = await keyferry(['rotate-root', '--data', data])
  expect([last.code, last.stderr]).toEqual([0, ''])
  expect(count(file, sealedAnew)).toBe(3_001)
  rmSync(previous)
  await openEverything(file, [present])
  const { gateway, url } = await serve(['--data', data])
  expect((await call(url, token, 'GET', 'auth/token/lookup-self')).status).toBe(200)
  await gateway.stop()
})

test('killed anywhere, a rotation of data keys goes on where it ended', { timeout: 120_000 }, async () => {
  const { data, token, file, present } = await init()
  await fill(file, [present], { keys: 3_000, namespaces: 20 })
  const before = one(file, `SELECT id FROM data_keys WHERE namespace_id = 'root'`)
  const under = `SELECT count(*) FROM key_versions WHERE lower(hex(substr(box, 2, 16))) = '${before}'`
  let kills = 0
  for (const left of [3_000, 2_000, 1_000, 100]) {
    const process = new Keyferry(['rotate-root', '--data', data, '--data-keys'])
    if (await killAt(process, file, under, (count) => count < left)) kills += 1
    const { places } = await openEverything(file, [present])
    expect(places.key_versions).toBe(3_000)
  }
  expect(kills).toBeGreaterThan(1)
  const last = await keyferry(['rotate-root', '--data', data, '--data-keys'])
  expect([last.code, last.stderr]).toEqual([0, ''])
  expect(count(file, 'SELECT count(*) FROM data_keys')).toBe(21)
  expect(one(file, `SELECT group_concat(key) FROM meta WHERE key LIKE '%data_key:%'`)).toBeNull()
  const { dataKeys } = await openEverything(file, [present])
  expect(dataKeys).not.toContain(before)
  const { gateway, url } = await serve(['--data', data])
  expect((await call(url, token, 'POST', 'keymgmt/key/key-7/rotate')).status).toBe(204)
  await gateway.stop()
})

test('data keys are replaced under load by the gateway that serves, also when it is killed on the way', {
  timeout: 120_000,
}, async () => {
  const { data, token, file, present } = await init()
  await fill(file, [present], { keys: 500 })
  const before = one(file, 'SELECT id FROM data_keys')
  const first = await serve(['--data', data])
  let at = first.url
  let answered = 0
  const busy = keepCalling(async (number) => {
    const rotated = await call(at, token, 'POST', `keymgmt/key/key-${number % 500}/rotate`).catch(() => undefined)
    if (rotated) expect(rotated.status).toBe(204)
    if (rotated) answered += 1
    else await new Promise((go) => setTimeout(go, 50))
  })
  const told = await keyferry(['rotate-root', '--data', data, '--data-keys'])
  expect(told.stdout).toMatch(/is being sealed anew by \S+:\d+\.$/m)
  await expect.poll(() => one(file, `SELECT count(*) FROM data_keys`), { timeout: 20_000 }).toBe(2)
  await new Promise((go) => setTimeout(go, 1_000))
  await first.gateway.stop('SIGKILL')
  const second = await serve(['--data', data])
  at = second.url
  await expect.poll(() => one(file, `SELECT count(*) FROM data_keys`), { timeout: 60_000, interval: 200 }).toBe(1)
  expect(one(file, 'SELECT id FROM data_keys')).not.toBe(before)
  const calls = await busy.stop()
  expect(calls).toBeGreaterThan(20)
  expect((await second.gateway.stop()).code).toBe(0)
  const { places } = await openEverything(file, [present])
  expect(places.key_versions).toBeGreaterThanOrEqual(500 + answered)
  expect(one(file, 'SELECT sum(latest_version) FROM keys')).toBe(places.key_versions)
})

function one(file: string, sql: string): unknown {
  const database = new Sqlite(file, { readonly: true })
  try {
    return database.prepare(sql).pluck().get()
  } finally {
    database.close()
  }
}

const count = (file: string, sql: string) => Number(one(file, sql))
