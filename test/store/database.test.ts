import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeyferryError } from '../../src/core/errors.ts'
import { Database } from '../../src/store/sqlite/database.ts'
import { openStore } from '../../src/store/sqlite/index.ts'

const Sqlite = createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3

let folder: string
let file: string
let database: Database

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-'))
  file = join(folder, 'keyferry.db')
  database = new Database(file)
  database.sqlite.exec('CREATE TABLE things (name TEXT PRIMARY KEY, size BLOB)')
  database.started()
})
afterEach(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

const add = (name: string) => () => {
  database.sqlite.prepare('INSERT INTO things (name) VALUES (?)').run(name)
  return name
}
const names = () => database.sqlite.prepare('SELECT name FROM things ORDER BY name').pluck().all()
const unavailable = (message: RegExp) =>
  expect.objectContaining({ code: 'unavailable', message: expect.stringMatching(message) })

describe('writes of one turn', () => {
  it('share a commit, and one that fails undoes itself alone', async () => {
    let commits = 0
    const other = new Sqlite(file)
    const version = () => other.pragma('data_version', { simple: true })
    const before = version()
    const results = await Promise.allSettled([
      database.write(add('a')),
      database.write(() => {
        add('half')()
        throw new KeyferryError('invalid', 'no')
      }),
      database.write(add('b')),
      database.write(() => {
        add('other half')()
        throw new TypeError('a mistake of the program')
      }),
      database.write(add('a')),
      database.write(add('c')),
    ])
    expect(results.map((one) => one.status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ])
    expect(results[1]).toMatchObject({ reason: { code: 'invalid', message: 'no' } })
    expect(results[3]).toMatchObject({ reason: { code: 'unavailable' } })
    expect(names()).toEqual(['a', 'b', 'c'])
    if (version() !== before) commits += 1
    expect(commits).toBe(1)
    other.close()
  })

  it('see each other in order, and give what the job gave', async () => {
    const count = () => database.sqlite.prepare('SELECT count(*) FROM things').pluck().get()
    const all = Array.from({ length: 50 }, (_, index) =>
      database.write(() => {
        add(`thing ${index}`)()
        return count()
      }),
    )
    expect(await Promise.all(all)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
  })

  it('that lost their transaction on the way all fail, and none of them is there', async () => {
    // What SQLite does by itself on a full disk or a failing one: the whole transaction is undone, also what came before.
    const lost = () => {
      database.sqlite.exec('ROLLBACK')
      throw Object.assign(new Error('disk full'), { code: 'SQLITE_FULL' })
    }
    const results = await Promise.allSettled([
      database.write(add('before')),
      database.write(lost),
      database.write(add('after')),
      database.write(add('last')),
    ])
    expect(names()).toEqual([])
    for (const one of results)
      expect(one).toMatchObject({ status: 'rejected', reason: unavailable(/the disk is full/) })
    expect(await database.write(add('next'))).toBe('next')
    expect(names()).toEqual(['next'])
  })

  it('on a full disk are all refused, since SQLite undoes them all, and none of them is there', async () => {
    const pages = database.sqlite.pragma('page_count', { simple: true })
    database.sqlite.pragma(`max_page_count = ${pages}`)
    const big = () => database.sqlite.prepare('INSERT INTO things VALUES (?, zeroblob(1000000))').run('big')
    const jobs = [add('small'), big, add('other')].map((job) => database.write<unknown>(job))
    for (const one of await Promise.allSettled(jobs)) {
      expect(one).toMatchObject({
        status: 'rejected',
        reason: unavailable(/^the disk is full: nothing was changed$/),
      })
    }
    expect(names()).toEqual([])
    database.sqlite.pragma('max_page_count = 1000000')
    expect(await database.write(add('next'))).toBe('next')
  })

  it('after close are refused, and waiting ones too', async () => {
    const waiting = database.write(add('late'))
    database.close()
    await expect(waiting).rejects.toEqual(unavailable(/stopping/))
    await expect(database.write(add('later'))).rejects.toMatchObject({ code: 'unavailable' })
    const again = new Sqlite(file)
    expect(again.prepare('SELECT count(*) FROM things').pluck().get()).toBe(0)
    again.close()
  })
})

describe('another process', () => {
  it('that writes is waited for, without holding up the event loop', async () => {
    const other = new Sqlite(file)
    other.exec('BEGIN IMMEDIATE')
    other.prepare("INSERT INTO things (name) VALUES ('theirs')").run()
    const write = database.write(add('ours'))
    let settled = false
    const ended = write.finally(() => {
      settled = true
    })
    // SQLite itself may hold up the loop for this long an attempt; between attempts the loop turns.
    expect(database.sqlite.pragma('busy_timeout', { simple: true })).toBe(10)
    for (let turns = 0; turns < 60; turns++) await new Promise((go) => setTimeout(go, 5))
    expect(settled).toBe(false)
    other.exec('COMMIT')
    expect(await ended).toBe('ours')
    expect(names()).toEqual(['ours', 'theirs'])
    other.close()
  })

  it('that never lets go is given up on, and nothing is changed', async () => {
    database.close()
    database = new Database(file, 200)
    database.started()
    const other = new Sqlite(file)
    other.exec('BEGIN IMMEDIATE')
    const writes = await Promise.allSettled([database.write(add('a')), database.write(add('b'))])
    for (const one of writes) {
      expect(one).toMatchObject({
        status: 'rejected',
        reason: unavailable(/^the database is locked by another process: nothing was changed$/),
      })
    }
    other.exec('ROLLBACK')
    expect(names()).toEqual([])
    expect(await database.write(add('a'))).toBe('a')
    other.close()
  })

  it('that committed is noticed once, our own writes never', async () => {
    const other = new Sqlite(file)
    expect(database.changedElsewhere()).toBe(false)
    await database.write(add('ours'), 'm')
    expect(database.changedElsewhere()).toBe(false)
    const stamp = database.stamp('m')
    other.prepare("INSERT INTO things (name) VALUES ('theirs')").run()
    expect(database.changedElsewhere()).toBe(true)
    expect(database.stamp('m')).toBeGreaterThan(stamp)
    expect(database.changedElsewhere()).toBe(false)
    other.close()
  })
})

describe('the stamp of a mount', () => {
  it('changes with each write of it and no other, and never comes back', async () => {
    const seen = new Set([database.stamp('m')])
    await database.write(add('x'), 'other')
    expect(database.stamp('m')).toBe([...seen][0])
    for (let index = 0; index < 20_100; index++) {
      if (index % 1000 === 0) {
        await database.write(() => {}, 'm')
        const stamp = database.stamp('m')
        expect(seen.has(stamp)).toBe(false)
        seen.add(stamp)
      } else database.touch(`other ${index}`)
    }
    database.touchAll()
    expect(seen.has(database.stamp('m'))).toBe(false)
  })
})

describe('a file that cannot serve', () => {
  it('is refused with a sentence: garbage, a folder, no folder, a file cut short', async () => {
    const garbage = join(folder, 'garbage.db')
    writeFileSync(garbage, 'this is no database, and long enough to be looked at as one'.repeat(100))
    expect(() => openStore({ file: garbage })).toThrow(
      expect.objectContaining({
        code: 'corrupt',
        message: `the database ${garbage}: it is not an intact SQLite database`,
      }),
    )
    expect(() => openStore({ file: folder })).toThrow(unavailable(/it cannot be opened/))
    expect(() => openStore({ file: join(folder, 'missing', 'x.db') })).toThrow(/keyferry-.*(folder|directory)/)
    const cut = join(folder, 'cut.db')
    openStore({ file: cut }).close()
    truncateSync(cut, 5000)
    expect(() => openStore({ file: cut })).toThrow(expect.objectContaining({ code: 'corrupt' }))
  })

  it('is refused when it was written by a newer keyferry, and left as it is', () => {
    const newer = join(folder, 'newer.db')
    openStore({ file: newer }).close()
    const sqlite = new Sqlite(newer)
    sqlite.prepare("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('x', ?)").run(Date.now() + 1e12)
    const before = sqlite.prepare('SELECT sql FROM sqlite_master ORDER BY name').pluck().all()
    expect(() => openStore({ file: newer })).toThrow(
      unavailable(/^the database .*newer\.db was written by a newer keyferry than this one: run that one$/),
    )
    expect(sqlite.prepare('SELECT sql FROM sqlite_master ORDER BY name').pluck().all()).toEqual(before)
    sqlite.close()
  })

  it('is refused when it cannot be written', async () => {
    const readOnly = join(folder, 'read-only.db')
    openStore({ file: readOnly }).close()
    for (const suffix of ['', '-wal', '-shm']) if (existsSync(readOnly + suffix)) chmodSync(readOnly + suffix, 0o444)
    chmodSync(folder, 0o555)
    // Rights are nothing to root: then somebody else opens it.
    const output = await openElsewhere(readOnly, process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {})
    chmodSync(folder, 0o755)
    expect(output).toMatch(/^unavailable the database .*read-only\.db: it cannot be (written|opened)/)
  })
})

it('processes that start at once on a new file all come up', async () => {
  const fresh = join(folder, 'fresh.db')
  const outputs = await Promise.all([1, 2, 3, 4].map(() => openElsewhere(fresh)))
  expect(outputs).toEqual(Array(4).fill('opened\n'))
})

it('a process that finds another one bringing the schema up to date comes up after it', async () => {
  const upgraded = join(folder, 'upgraded.db')
  const migrations = new URL('../../migrations/', import.meta.url)
  const journal = JSON.parse(readFileSync(new URL('meta/_journal.json', migrations), 'utf8')) as {
    entries: { tag: string; when: number }[]
  }
  const sqlite = new Sqlite(upgraded)
  sqlite.pragma('journal_mode = WAL')
  sqlite.exec('CREATE TABLE __drizzle_migrations (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, created_at NUMERIC)')
  sqlite.exec('BEGIN IMMEDIATE')
  for (const { tag, when } of journal.entries) {
    sqlite.exec(readFileSync(new URL(`${tag}.sql`, migrations), 'utf8'))
    sqlite.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)').run(tag, when)
  }
  const output = openElsewhere(upgraded)
  await new Promise((go) => setTimeout(go, 700))
  sqlite.exec('COMMIT')
  expect(await output).toBe('opened\n')
  sqlite.close()
})

/** Opens the store in a process of its own, and gives what came of it. */
async function openElsewhere(path: string, options: { uid?: number; gid?: number } = {}): Promise<string> {
  const index = new URL('../../src/store/sqlite/index.ts', import.meta.url).href
  const script = `import(${JSON.stringify(index)})
    .then(({ openStore }) => openStore({ file: ${JSON.stringify(path)} }).close())
    .then(() => console.log('opened'), (error) => console.log(error.code, error.message))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], options)
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  await new Promise((done) => child.on('close', done))
  return output
}
