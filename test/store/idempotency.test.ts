import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemContext } from '../../src/core/context.ts'
import { IdempotencyService } from '../../src/core/idempotency.ts'
import { Keyring, newDataKey } from '../../src/core/seal/keyring.ts'
import { newRootKey } from '../../src/core/seal/root-key.ts'
import { Database } from '../../src/store/sqlite/database.ts'
import { idempotencyStore } from '../../src/store/sqlite/idempotency.ts'
import { bringUpToDate } from '../../src/store/sqlite/migrations.ts'

let database: Database
let service: IdempotencyService
let now = 0

beforeEach(() => {
  now = 1_000_000
  database = new Database(':memory:')
  bringUpToDate(database, ':memory:')
  database.sqlite.exec('CREATE TABLE things (name TEXT PRIMARY KEY)')
  const root = newRootKey()
  const { row } = newDataKey(root, 'root', 0)
  service = new IdempotencyService({
    context: { ...systemContext, now: () => now },
    store: { idempotency: idempotencyStore(database, { self: 'this', isDead: () => false }) },
    keyring: new Keyring(root, { dataKeys: () => [row] }),
  })
})
afterEach(() => database.close())

const rows = () => database.sqlite.prepare('SELECT count(*) FROM idempotent_requests').pluck().get()
const things = () => database.sqlite.prepare('SELECT name FROM things ORDER BY name').pluck().all()
const add = (name: string) => database.write(() => database.sqlite.prepare('INSERT INTO things VALUES (?)').run(name))
const request = { namespaceId: 'root', caller: 'me', method: 'POST', path: 'keymgmt/key/k', key: 'a', body: '{}' }
const done = { status: 204, body: null }

describe('the row of a request', () => {
  it('is there with the first change, and only then', async () => {
    await service.once(request, async () => {
      expect(rows()).toBe(0)
      await add('one')
      expect(rows()).toBe(1)
      await add('two')
      expect(rows()).toBe(1)
      return done
    })
    expect(rows()).toBe(1)
    expect(await service.once(request, () => Promise.reject(new Error('not again')))).toEqual(done)
  })

  it('is undone with a change that fails, and comes with the next one', async () => {
    await add('one')
    await service.once(request, async () => {
      await expect(add('one')).rejects.toThrow()
      expect(rows()).toBe(0)
      await add('two')
      expect(rows()).toBe(1)
      return done
    })
  })

  it('is undone with the whole transaction, and comes with the next one', async () => {
    await service.once(request, async () => {
      const lost = Promise.allSettled([
        add('one'),
        database.write(() => database.sqlite.exec('ROLLBACK; SELECT nothing')),
      ])
      expect((await lost).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      expect([rows(), things()]).toEqual([0, []])
      await add('two')
      expect(rows()).toBe(1)
      return done
    })
  })

  it('is not written for changes of others in the same transaction, nor for what goes on after the answer', async () => {
    let later = () => {}
    const free = new Promise<void>((resolve) => {
      later = resolve
    })
    let background: Promise<unknown> = Promise.resolve()
    const other = add('other')
    const refused = await service.once(request, async () => {
      background = free.then(() => add('background'))
      return { status: 400, body: '{}' }
    })
    later()
    await Promise.all([other, background])
    expect([refused?.status, rows(), things()]).toEqual([400, 0, ['background', 'other']])
  })

  it('goes once it has run out, with those of others', async () => {
    for (let index = 0; index < 30; index++) await service.once({ ...request, key: `k${index}` }, async () => done)
    expect(rows()).toBe(30)
    now += 24 * 3600_000
    await service.once({ ...request, key: 'new' }, async () => done)
    expect(rows()).toBe(11)
    await service.once({ ...request, key: 'newer' }, async () => done)
    expect(rows()).toBe(2)
  })

  it('does not open for another request', async () => {
    for (const key of ['a', 'b']) await service.once({ ...request, key }, async () => done)
    database.sqlite.exec(
      'UPDATE idempotent_requests SET box = (SELECT box FROM idempotent_requests ORDER BY id LIMIT 1)',
    )
    const [first, second] = await Promise.allSettled(
      ['a', 'b'].map((key) => service.once({ ...request, key }, async () => done)),
    )
    const outcomes = [first, second].map((one) => (one?.status === 'rejected' ? one.reason.code : 'answered'))
    expect(outcomes.sort()).toEqual(['answered', 'corrupt'])
  })
})
