import type BetterSqlite3 from 'better-sqlite3'
import { retiredPrefix, rootIdName, sealedPlaces, sealedUnderSql } from './sealed-places.ts'

/** The beginning of what SQLite says when the guard refuses a change. */
export const guardMessage = 'sealed under a key that is not in use'

/**
 * Makes this connection refuse, inside the very change, what is sealed under a key that was rotated away meanwhile: a data key that is
 * not under the root key that the store names, and a box under a data key that its namespace does not have or that is retired. Whoever
 * wrote it had the keys from before, and what they wrote could not be opened once those are gone.
 *
 * Temporary triggers belong to the connection, not to the file: the file stays one that any SQLite tool can restore.
 */
export function guardSeals(sqlite: BetterSqlite3.Database): void {
  for (const event of ['INSERT', 'UPDATE']) {
    sqlite.exec(`CREATE TEMP TRIGGER guard_data_keys_${event} BEFORE ${event} ON main.data_keys
      WHEN NEW.root_id IS NOT (SELECT value FROM main.meta WHERE key = '${rootIdName}')
      BEGIN SELECT RAISE(ABORT, '${guardMessage}'); END`)
    for (const { table, box, namespaceId } of sealedPlaces) {
      const owner = namespaceId.startsWith(`'`) ? namespaceId : `NEW.${namespaceId}`
      const under = sealedUnderSql(`NEW.${box}`)
      sqlite.exec(`CREATE TEMP TRIGGER guard_${table}_${event} BEFORE ${event === 'UPDATE' ? `UPDATE OF ${box}` : event} ON main.${table}
        WHEN NEW.${box} IS NOT NULL AND (
          NOT EXISTS (SELECT 1 FROM main.data_keys WHERE id = ${under} AND namespace_id = ${owner})
          OR EXISTS (SELECT 1 FROM main.meta WHERE key = '${retiredPrefix}' || ${under}))
        BEGIN SELECT RAISE(ABORT, '${guardMessage}'); END`)
    }
  }
}
