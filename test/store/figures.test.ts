import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StoreFigures } from '../../src/core/store.ts'
import { Database } from '../../src/store/sqlite/database.ts'
import { figureStore, queries } from '../../src/store/sqlite/figures.ts'
import { bringUpToDate } from '../../src/store/sqlite/migrations.ts'

let database: Database
beforeEach(() => {
  database = new Database(':memory:')
  bringUpToDate(database, ':memory:')
})
afterEach(() => database.close())

const planOf = (sql: string) =>
  database.sqlite
    .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
    .all()
    .map(({ detail }) => detail)
    .filter((detail) => /^(?:SCAN|SEARCH) (?!copy$|found )/.test(detail))

describe('what is asked', () => {
  it.each([
    ['pending', 'SCAN operations USING COVERING INDEX operations_pending'],
    ['oldest', 'SEARCH operations USING INDEX operations_finished (finished_at=?)'],
    ['drifted', 'SCAN copies USING COVERING INDEX copies_drifted'],
    ['namespaces', 'SCAN namespaces USING INDEX namespaces_path'],
    ['usage', 'SCAN usage'],
  ] as const)('for "%s" is read off what holds no more than that', (name, plan) => {
    expect(planOf(queries[name])).toEqual([plan])
  })

  it('would be seen to look at everything', () => {
    expect(planOf(`SELECT count(*) FROM copies WHERE state = 'stopped'`)).toEqual(['SCAN copies'])
  })
})

const operation = (id: string, kind: string, createdAt: number) =>
  database.sqlite
    .prepare(
      `INSERT INTO operations (id, namespace_id, mount_id, copy_id, generation, kind, state, created_at)
       VALUES (?, 'n', 'm', 'c', 1, ?, 'pending', ?)`,
    )
    .run(id, kind, createdAt)
const end = (id: string, state: string) =>
  database.sqlite.prepare('UPDATE operations SET state = ?, finished_at = 9 WHERE id = ?').run(state, id)
const copy = (id: string, drift: object[]) =>
  database.sqlite
    .prepare(
      `INSERT INTO copies (id, namespace_id, mount_id, collection, remote_name, protection, purposes, options, desired, generation,
         seen_generation, state, attempts, next_attempt_at, distributed_at, lease_until, fence, drift)
       VALUES (?, 'n', 'm', 'v', ?, 'hsm', '[]', '{}', 'present', 1, 1, 'settled', 0, 0, 0, 0, 0, ?)`,
    )
    .run(id, id, JSON.stringify(drift))

describe('the figures', () => {
  it('of a database with nothing in it are all there', async () => {
    const figures = await figureStore(database).read()
    expect(figures).toMatchObject({
      objects: { keys: 0, versions: 0, kms: 0, tokens: 0 },
      pending: { distribute: 0, rotate: 0, update: 0, remove: 0 },
      oldestPendingAt: null,
      ended: [],
      failedAttempts: 0,
      commits: 0,
      logBytes: 0,
    })
    expect(Object.values(figures.drifted)).toEqual(Array(10).fill(0))
    expect(figures.bytes).toBeGreaterThan(4096)
  })

  it('count operations by kind, and have the oldest, whatever order they end in', async () => {
    const store = figureStore(database)
    for (const [index, kind] of ['rotate', 'distribute', 'rotate', 'remove'].entries())
      operation(`o${index}`, kind, 100 + index)
    const read = async (): Promise<Partial<StoreFigures>> => await store.read()
    expect(await read()).toMatchObject({ pending: { rotate: 2, distribute: 1, remove: 1 }, oldestPendingAt: 100 })
    end('o2', 'succeeded')
    expect(await read()).toMatchObject({ pending: { rotate: 1 }, oldestPendingAt: 100 })
    end('o0', 'failed')
    end('o1', 'superseded')
    // What has ended does not end again.
    end('o1', 'superseded')
    expect(await read()).toMatchObject({
      pending: { rotate: 0, distribute: 0, remove: 1 },
      oldestPendingAt: 103,
      ended: [
        { kind: 'rotate', state: 'succeeded', count: 1 },
        { kind: 'rotate', state: 'failed', count: 1 },
        { kind: 'distribute', state: 'superseded', count: 1 },
      ],
    })
  })

  it('count a copy once for each kind of drift that it has', async () => {
    const store = figureStore(database)
    copy('a', [])
    copy('b', [{ kind: 'tags' }, { kind: 'tags' }, { kind: 'material' }])
    copy('c', [{ kind: 'tags' }])
    expect((await store.read()).drifted).toMatchObject({ tags: 2, material: 1, missing: 0 })
    database.sqlite.prepare(`UPDATE copies SET drift = '[]'`).run()
    expect((await store.read()).drifted).toMatchObject({ tags: 0, material: 0 })
  })

  it('count attempts that failed, and commits', async () => {
    const store = figureStore(database)
    copy('a', [])
    const attempts = (count: number) =>
      database.write(() => database.sqlite.prepare('UPDATE copies SET attempts = ?').run(count))
    for (const count of [1, 2, 0, 1]) await attempts(count)
    expect(await store.read()).toMatchObject({ failedAttempts: 3, commits: 4 })
  })
})
