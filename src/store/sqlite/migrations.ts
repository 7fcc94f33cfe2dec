import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { KeyferryError } from '../../core/errors.ts'
import { type Database, explained } from './database.ts'
import { migrate } from './drizzle.ts'

const folder = fileURLToPath(new URL('../../../migrations', import.meta.url))

/**
 * Brings the file to the schema that this program knows. Throws `unavailable` when the file was written by a newer program, whose
 * schema this one does not know; then nothing is changed.
 */
export function bringUpToDate(database: Database, file: string): void {
  const journal = JSON.parse(readFileSync(`${folder}/meta/_journal.json`, 'utf8')) as { entries: { when: number }[] }
  const newest = Math.max(...journal.entries.map((entry) => entry.when))
  try {
    const table = database.sqlite.prepare(`SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'`).get()
    const applied = table
      ? (database.sqlite.prepare('SELECT max(created_at) FROM __drizzle_migrations').pluck().get() as number | null)
      : null
    if (applied !== null && applied > newest) {
      throw new KeyferryError(
        'unavailable',
        `the database ${file} was written by a newer keyferry than this one: run that one`,
      )
    }
    if (applied !== newest) migrate(database.drizzle, { migrationsFolder: folder })
  } catch (error) {
    throw error instanceof KeyferryError ? error : explained(file, error)
  }
}
