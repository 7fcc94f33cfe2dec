import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { Database } from '../../src/store/sqlite/database.ts'
import { bringUpToDate } from '../../src/store/sqlite/migrations.ts'
import * as schema from '../../src/store/sqlite/schema.ts'

const require = createRequire(import.meta.url)
const meta = new URL('../../migrations/meta/', import.meta.url)

/** Tables of the whole instance, that no tenant's row is in; each with why. */
const global = {
  meta: 'what the file says of itself',
  namespaces: 'the tenants themselves',
  signing_keys: 'the keys that sign the tokens of all',
  wrapping_keys: 'one key encryption key a vault, whoever uses it',
  audit_heads: 'the ends of the audit chains, one a sink',
  instance_secrets: 'what the whole instance seals for itself',
  remote_names: 'one holder a name in a vault, over all namespaces',
}

const database = new Database(':memory:')
bringUpToDate(database, ':memory:')
const tables = database.sqlite
  .prepare<[], string>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'",
  )
  .pluck()
  .all()
const columns = (table: string) =>
  database.sqlite
    .prepare<[string], { name: string; notnull: number }>('SELECT name, "notnull" FROM pragma_table_info(?)')
    .all(table)

describe('the migrations', () => {
  it('make what schema.ts says: generating them would give nothing new', async () => {
    const kit = require('drizzle-kit/api') as typeof import('drizzle-kit/api')
    const latest = readdirSync(meta)
      .filter((name) => name.endsWith('_snapshot.json'))
      .sort()
      .at(-1)
    const snapshot = JSON.parse(readFileSync(new URL(latest ?? '', meta), 'utf8'))
    const now = await kit.generateSQLiteDrizzleJson(schema, snapshot.id)
    expect(await kit.generateSQLiteMigration(snapshot, now)).toEqual([])
  })

  it('are all in the journal, and leave each file with its tables', () => {
    const journal = JSON.parse(readFileSync(new URL('_journal.json', meta), 'utf8')) as { entries: { tag: string }[] }
    const files = readdirSync(new URL('../', meta))
      .filter((name) => name.endsWith('.sql'))
      .sort()
    expect(journal.entries.map((entry) => `${entry.tag}.sql`)).toEqual(files)
    expect(tables.length).toBeGreaterThan(10)
  })

  it('done again change nothing', () => {
    const before = database.sqlite.prepare('SELECT * FROM sqlite_master').all()
    bringUpToDate(database, ':memory:')
    expect(database.sqlite.prepare('SELECT * FROM sqlite_master').all()).toEqual(before)
  })
})

describe('a row', () => {
  it.each(tables)('of %s names its namespace, unless it is of the whole instance', (table) => {
    const namespace = columns(table).find((column) => column.name === 'namespace_id')
    if (Object.hasOwn(global, table)) expect(namespace).toBeUndefined()
    else expect(namespace).toMatchObject({ notnull: 1 })
  })

  it('of every table that is said to be global is of a table that there is', () => {
    expect(tables).toEqual(expect.arrayContaining(Object.keys(global)))
  })
})
