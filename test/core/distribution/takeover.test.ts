import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

/** No such process holds a lock. */
const dead = 'lock:00000000-0000-4000-8000-000000000000/1'
let folder: string
let cloud: MemoryCloud
let gateway: TestCore
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-'))
  cloud = new MemoryCloud()
  gateway = await testCore({
    file: join(folder, 'keyferry.db'),
    providers: [memoryProvider(new Map([['one', cloud]]))],
  })
  const { core, scope, waiting } = gateway
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  await core.keys.rotate(scope, 'orders', waiting)
  await core.kms.write(scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: {} })
  await core.distribution.distribute(scope, 'first', 'orders', { purpose: ['sign'] }, waiting)
})
afterEach(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true })
})

/** As a process leaves it that died at work on the copy. */
function leaveBehind(...changes: string[]): void {
  const database = new Sqlite(join(folder, 'keyferry.db'))
  database.transaction(() => {
    for (const change of changes) database.exec(change)
    database
      .prepare("UPDATE copies SET state = 'pending', generation = generation + 1, lease_owner = ?, lease_until = ?")
      .run(dead, Date.now() + 180_000)
  })()
  database.close()
}

function rows(sql: string): unknown[] {
  const database = new Sqlite(join(folder, 'keyferry.db'), { readonly: true })
  try {
    return database.prepare(sql).all()
  } finally {
    database.close()
  }
}
const settled = () => expect.poll(() => rows('SELECT state, reason FROM copies'), { timeout: 5_000 })

it('the lease of a process that died is not waited for', async () => {
  leaveBehind()
  await settled().toEqual([{ state: 'settled', reason: null }])
})

it.each([
  true,
  false,
])('what it may have sent about the state of versions is waited out, so that nothing is turned round later (list: %s)', async (listPermitted) => {
  cloud.listPermitted = listPermitted
  const [first] = [...cloud.keys.values()][0] ?? []
  // Right after the first look, and what is set on it, its last call takes effect: the version is disabled.
  let looks = 0
  let landed = false
  cloud.disturb = ({ call }) => {
    if (call === 'describe' && looks++ === 0)
      setTimeout(() => {
        landed = true
        if (first) first.enabled = false
      }, 100)
    return undefined
  }
  leaveBehind('UPDATE copy_versions SET enabled = NULL WHERE version = 1')
  await settled().toEqual([{ state: 'settled', reason: null }])
  expect(landed).toBe(true)
  expect(first?.enabled).toBe(true)
  expect(rows('SELECT enabled FROM copy_versions ORDER BY version')).toEqual([{ enabled: 1 }, { enabled: 1 }])
})

it('a state that was set, and seen to be so, is unknown no more', async () => {
  const [, second] = [...cloud.keys.values()][0] ?? []
  leaveBehind('UPDATE copy_versions SET enabled = NULL WHERE version = 2')
  await settled().toEqual([{ state: 'settled', reason: null }])
  expect(second?.enabled).toBe(true)
  expect(rows('SELECT count(*) AS count FROM copy_versions WHERE enabled IS NULL')).toEqual([{ count: 0 }])
})

it('a delete that it may have sent is waited out before its name is free', async () => {
  const { core, scope } = gateway
  cloud.keys.clear()
  const at = Date.now()
  leaveBehind(`UPDATE copies SET desired = 'absent', delete_sent_at = ${at}`)
  await expect.poll(() => rows('SELECT id FROM copies'), { timeout: 5_000 }).toEqual([])
  expect(Date.now() - at).toBeGreaterThanOrEqual(300)
  expect(await core.distribution.kmsOfKey(scope, 'orders')).toEqual([])
})
