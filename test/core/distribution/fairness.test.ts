import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Scope, systemContext } from '../../../src/core/context.ts'
import { Backlog } from '../../../src/core/distribution/backlog.ts'
import { defaultRoom, Lanes } from '../../../src/core/distribution/lanes.ts'
import { CloudError } from '../../../src/core/kms/provider.ts'
import type { Store } from '../../../src/core/store.ts'
import { openStore } from '../../../src/store/sqlite/index.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

describe('what is due in the store', () => {
  let folder: string
  let store: Store
  let lanes: Lanes
  let backlog: Backlog
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyferry-'))
    store = openStore({ file: join(folder, 'keyferry.db') })
    lanes = new Lanes()
    backlog = new Backlog({ ...systemContext, now: () => 5_000 }, store.copies, lanes)
  })
  afterEach(() => {
    store.close()
    rmSync(folder, { recursive: true })
  })

  /** Pending copies, due at a time. */
  function pending(count: number, namespaceId: string, collection: string, dueAt: number): void {
    const database = new Sqlite(join(folder, 'keyferry.db'))
    const insert = database.prepare(
      `INSERT INTO copies (id, namespace_id, mount_id, collection, remote_name, protection, purposes, options, desired, generation,
       seen_generation, state, attempts, next_attempt_at, distributed_at, lease_until, fence)
       VALUES (?, ?, 'm', ?, 'r', 'hsm', '[]', '{}', 'present', 1, 0, 'pending', 0, ?, 1, 0, 0)`,
    )
    database.transaction(() => {
      for (let id = 0; id < count; id++)
        insert.run(`${namespaceId}-${collection}-${id}`, namespaceId, collection, dueAt)
    })()
    database.close()
  }
  /** Looks once, and begins what there is room for. */
  async function begun(): Promise<string[]> {
    const ids: string[] = []
    await backlog.look(() => {
      for (let next = lanes.take(); next; next = lanes.take()) ids.push(next.id)
    })
    return ids
  }

  it('is begun with the longest due, as far as there is room', async () => {
    pending(30, 'a', 'one', 2_000)
    pending(1, 'b', 'one', 1_000)
    pending(1, 'c', 'one', 6_000)
    const ids = await begun()
    expect(ids).toHaveLength(1 + defaultRoom.lane)
    expect(ids).toContain('b-one-0')
    expect(backlog.isLow).toBe(false)
  })

  it('does not drown who has little in what others have', async () => {
    pending(5_000, 'a', 'one', 1_000)
    pending(1, 'a', 'two', 3_000)
    pending(1, 'b', 'one', 4_000)
    const ids = await begun()
    expect(ids).toContain('a-two-0')
    expect(ids).toContain('b-one-0')
    expect(lanes.waiting).toBeLessThan(3 * defaultRoom.lane)
  })

  it('is all begun at some time, however many there are who have something', async () => {
    pending(1_000, 'a', 'one', 1_000)
    for (let tenant = 0; tenant < 350; tenant++) pending(1, `t${tenant}`, 'one', 2_000)
    const seen = new Set<string>()
    for (let looks = 0; looks < 12; looks++) {
      for (const id of await begun()) {
        if (!id.startsWith('a-')) seen.add(id)
        // Those of the others are done at once; the first tenant's hang.
        if (!id.startsWith('a-')) lanes.done(id)
      }
    }
    expect(seen.size).toBe(350)
  })

  it('is looked for again before all that was found is begun', async () => {
    pending(500, 'a', 'one', 1_000)
    const ids = await begun()
    expect([ids.length, lanes.waiting, backlog.isLow]).toEqual([defaultRoom.lane, defaultRoom.lane, false])
    for (const id of ids) lanes.done(id)
    for (let times = 0; times < defaultRoom.lane / 2; times++) lanes.take()
    expect(backlog.isLow).toBe(true)
  })
})

describe('a vault that does not answer', () => {
  let gateway: TestCore
  let dead: MemoryCloud
  let answer: () => void
  let inFlight = 0
  let mostInFlight = 0
  const waits: (() => void)[] = []
  beforeEach(async () => {
    dead = new MemoryCloud()
    inFlight = 0
    mostInFlight = 0
    // Every call hangs until it is let go, and has then timed out.
    dead.act = async () => {
      inFlight += 1
      mostInFlight = Math.max(mostInFlight, inFlight)
      await new Promise<void>((go) => waits.push(go))
      inFlight -= 1
      throw new CloudError('unavailable', 'no answer', { effect: 'none' })
    }
    answer = () => {
      for (const go of waits.splice(0)) go()
    }
    const clouds = new Map([
      ['dead', dead],
      ['alive', new MemoryCloud()],
    ])
    gateway = await testCore({ providers: [memoryProvider(clouds)] })
  })
  afterEach(async () => {
    const timer = setInterval(answer, 5)
    await gateway.close()
    clearInterval(timer)
  })

  async function tenant(path: string): Promise<Scope> {
    const { core } = gateway
    const root = await core.namespace('')
    if (!root) throw new Error('there is no root')
    const { id } = await core.namespaces.create(root, path, undefined)
    const mount = await core.mounts.create(id, 'keymgmt', { type: 'keymgmt' })
    return { namespaceId: id, namespacePath: path, mountId: mount.id, mountPath: mount.path }
  }
  async function distribute(scope: Scope, kms: string, key: string, deadline: number): Promise<string[]> {
    const { core } = gateway
    await core.kms.write(scope, kms, { provider: 'memory', keyCollection: kms, credentials: {} })
    await core.keys.write(scope, key, { type: 'ecdsa-p256' }, gateway.waiting)
    return await core.distribution.distribute(scope, kms, key, { purpose: ['sign'] }, { deadline })
  }

  it('holds up nobody else, and no more than its share', async () => {
    const [one, two] = [await tenant('one'), await tenant('two')]
    for (let key = 0; key < 40; key++) await distribute(one, 'dead', `stuck-${key}`, 0)
    await expect.poll(() => inFlight).toBe(defaultRoom.lane)
    // Of another tenant, and of the same one in another vault.
    expect(await distribute(two, 'alive', 'orders', gateway.waiting.deadline)).toEqual([])
    expect(await distribute(one, 'alive', 'orders', gateway.waiting.deadline)).toEqual([])
    expect(mostInFlight).toBe(defaultRoom.lane)
    // Once it is known not to answer, it has room for one.
    answer()
    await expect.poll(() => inFlight).toBe(1)
    for (let times = 0; times < 5; times++) {
      mostInFlight = 0
      answer()
      await expect.poll(() => inFlight).toBe(1)
      expect(mostInFlight).toBe(1)
    }
  })
})
