import type BetterSqlite3 from 'better-sqlite3'
import { KeyferryError } from '../../core/errors.ts'
import { openSqlite } from './database.ts'
import { explained } from './errors.ts'
import { readMigrations } from './migration-files.ts'

/** What a database says of itself. */
export interface DatabaseFacts {
  instanceId: string
  rootId: string
  /** Time stamp of the last migration that it has. */
  schema: number
}

/**
 * Copies a database into a new file, as it is at one moment, while others read and write it. SQLite's VACUUM INTO reads in one transaction,
 * which the backup API's steps do not: a busy writer would make those begin again and again. It also leaves out what was deleted. The copy
 * is checked from end to end. Throws `corrupt` or `unavailable` with a sentence.
 */
export function copyDatabase(file: string, to: string): DatabaseFacts {
  try {
    const source = openSqlite(file, { fileMustExist: true })
    try {
      source.prepare('VACUUM INTO ?').run(to)
    } finally {
      source.close()
    }
  } catch (error) {
    throw explained(file, error)
  }
  return checkDatabase(to)
}

/** Checks a database file from end to end, and gives what it says of itself. Throws `corrupt`. */
export function checkDatabase(file: string): DatabaseFacts {
  let database: BetterSqlite3.Database | undefined
  try {
    database = openSqlite(file, { readonly: true, fileMustExist: true })
    const found = database.pragma('integrity_check(1)', { simple: true })
    if (found !== 'ok') throw new KeyferryError('corrupt', `the database ${file} is damaged: ${String(found)}`)
    const value = database.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck()
    const schema = database.prepare('SELECT max(created_at) FROM __drizzle_migrations').pluck().get()
    const [instanceId, rootId] = [value.get('instance_id'), value.get('root_id')]
    if (instanceId === undefined || rootId === undefined || typeof schema !== 'number')
      throw new KeyferryError('corrupt', `the database ${file} was never initialised`)
    return { instanceId, rootId, schema }
  } catch (error) {
    throw error instanceof KeyferryError ? error : explained(file, error)
  } finally {
    database?.close()
  }
}

/** The newest schema that this program knows, as the time stamp of its migration. */
export function knownSchema(): number {
  return Math.max(...readMigrations().map((migration) => migration.folderMillis))
}
