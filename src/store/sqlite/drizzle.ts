import { createRequire } from 'node:module'

/**
 * The one place that loads drizzle. By `require`, since importing it makes Node resolve all of its several hundred exports as ES
 * modules, which costs 0.3 s and 200 MB at start; required, it costs 0.06 s and 10 to 20 MB.
 */
const require = createRequire(import.meta.url)

export const { drizzle } = require('drizzle-orm/better-sqlite3') as typeof import('drizzle-orm/better-sqlite3')
export const {
  and,
  asc,
  desc,
  eq,
  getTableColumns,
  getTableName,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lte,
  ne,
  or,
  sql,
} = require('drizzle-orm') as typeof import('drizzle-orm')
export const { blob, index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } =
  require('drizzle-orm/sqlite-core') as typeof import('drizzle-orm/sqlite-core')
