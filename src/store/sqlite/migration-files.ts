import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { MigrationMeta } from 'drizzle-orm/migrator'

const require = createRequire(import.meta.url)

/**
 * The migrations, oldest first, from the folder that drizzle-kit writes. A bundle has no such folder: there, a module with what this
 * gave at build time takes this file's place.
 */
export function readMigrations(): MigrationMeta[] {
  const { readMigrationFiles } = require('drizzle-orm/migrator') as typeof import('drizzle-orm/migrator')
  return readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../../migrations', import.meta.url)) })
}
