import type { MigrationMeta } from 'drizzle-orm/migrator'
import type { SQLiteSyncDialect } from 'drizzle-orm/sqlite-core'
import { KeyferryError } from '../../core/errors.ts'
import type { Database, Drizzle } from './database.ts'
import { explained } from './errors.ts'
import { readMigrations } from './migration-files.ts'

/**
 * Brings the file to the schema that this program knows. Throws `unavailable` when the file was written by a newer program, whose
 * schema this one does not know; then nothing is changed.
 */
export function bringUpToDate(database: Database, file: string): void {
  const migrations = readMigrations()
  const newest = Math.max(...migrations.map((migration) => migration.folderMillis))
  try {
    const applied = appliedTo(database)
    if (applied !== null && applied > newest) {
      throw new KeyferryError(
        'unavailable',
        `the database ${file} was written by a newer keyferry than this one: run that one`,
      )
    }
    if (applied !== newest) apply(database.drizzle, migrations)
  } catch (error) {
    if (error instanceof KeyferryError) throw error
    // Another process that started at the same time may have done it: then all is well.
    if (appliedTo(database, true) !== newest) throw explained(file, error)
  }
}

/** The time stamp of the last migration that was applied; null on a new file, or on one that cannot be read where `quiet`. */
function appliedTo({ sqlite }: Database, quiet = false): number | null {
  try {
    if (!sqlite.prepare(`SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'`).get()) return null
    return sqlite.prepare('SELECT max(created_at) FROM __drizzle_migrations').pluck().get() as number | null
  } catch (error) {
    if (quiet) return null
    throw error
  }
}

/** What drizzle's own `migrate` does once it has read its folder: its types leave the two properties out. */
function apply(drizzle: Drizzle, migrations: MigrationMeta[]): void {
  const { dialect, session } = drizzle as unknown as { dialect: SQLiteSyncDialect; session: Session }
  dialect.migrate(migrations, session)
}
type Session = Parameters<SQLiteSyncDialect['migrate']>[1]
