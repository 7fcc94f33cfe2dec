import type BetterSqlite3 from 'better-sqlite3'
import { type CountedKind, limitReached, type NamespaceLimits } from '../../core/access/limits.ts'
import type { UsageStore } from '../../core/store.ts'
import type { Database } from './database.ts'

/** The tables whose rows are counted, and as what. */
const counted: readonly [table: string, kind: CountedKind][] = [
  ['keys', 'keys'],
  ['key_versions', 'versions'],
  ['kms', 'kms'],
  ['tokens', 'tokens'],
  ['wrapped', 'tokens'],
]

/** The namespace of the first level that a namespace (by its path) is below; null for those of the first level themselves. */
const tenantOf = (path: string) => `(SELECT id FROM namespaces AS tenant
  WHERE instr(${path}, '/') > 0 AND tenant.path = substr(${path}, 1, instr(${path}, '/') - 1) AND tenant.deleted_at IS NULL)`

/**
 * Counts what each namespace has, inside the very changes, so that asking costs the same however much that is; and refuses the change
 * that goes beyond a limit. By triggers, so that no way to add something can be forgotten; temporary ones, as in seal-guard.ts.
 */
export function usageStore(database: Database): UsageStore {
  let limits: NamespaceLimits = {}
  database.sqlite.function('check_limit', (kind: CountedKind, used: number) => {
    const limit = limits[kind]
    // SQLite hands the error on as it is, and undoes the statement.
    if (limit !== undefined && used > limit) throw limitReached(kind, limit)
    return null
  })
  countUsage(database.sqlite)
  const all = database.sqlite.prepare<[string], { kind: CountedKind; used: number }>(
    'SELECT kind, used FROM usage WHERE namespace_id = ?',
  )
  return {
    limit: (to) => {
      limits = to
    },
    of: (namespaceId) => Object.fromEntries(all.all(namespaceId).map(({ kind, used }) => [kind, used])),
  }
}

function countUsage(sqlite: BetterSqlite3.Database): void {
  for (const [table, kind] of counted) {
    trigger(sqlite, `${table}_added`, `AFTER INSERT ON main.${table}`, more('NEW.namespace_id', kind))
    trigger(sqlite, `${table}_gone`, `AFTER DELETE ON main.${table}`, less('OLD.namespace_id', kind))
  }
  // Only what a caller asks for is refused: removals and changes of keys' settings take something away.
  const wanted = `NEW.kind IN ('distribute', 'rotate')`
  const pending = (row: string) => `${row}.state = 'pending'`
  trigger(
    sqlite,
    'operations_added',
    `AFTER INSERT ON main.operations WHEN ${pending('NEW')}`,
    more('NEW.namespace_id', 'operations', wanted),
  )
  trigger(
    sqlite,
    'operations_ended',
    `AFTER UPDATE OF state ON main.operations WHEN ${pending('OLD')} AND NOT ${pending('NEW')}`,
    less('OLD.namespace_id', 'operations'),
  )
  trigger(
    sqlite,
    'operations_gone',
    `AFTER DELETE ON main.operations WHEN ${pending('OLD')}`,
    less('OLD.namespace_id', 'operations'),
  )
  trigger(sqlite, 'namespaces_added', 'AFTER INSERT ON main.namespaces', more(tenantOf('NEW.path'), 'namespaces'))
  trigger(
    sqlite,
    'namespaces_ended',
    'AFTER UPDATE OF deleted_at ON main.namespaces WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL',
    less(tenantOf('OLD.path'), 'namespaces'),
  )
}

function trigger(sqlite: BetterSqlite3.Database, name: string, when: string, body: string): void {
  sqlite.exec(`CREATE TEMP TRIGGER usage_${name} ${when} BEGIN ${body} END`)
}

function more(namespaceId: string, kind: CountedKind, checked = 'true'): string {
  return `
    INSERT INTO usage (namespace_id, kind, used) SELECT ${namespaceId}, '${kind}', 1 WHERE ${namespaceId} IS NOT NULL
      ON CONFLICT (namespace_id, kind) DO UPDATE SET used = used + 1;
    SELECT check_limit('${kind}', used) FROM usage WHERE namespace_id = ${namespaceId} AND kind = '${kind}' AND ${checked};`
}

function less(namespaceId: string, kind: CountedKind): string {
  return `UPDATE usage SET used = used - 1 WHERE namespace_id = ${namespaceId} AND kind = '${kind}';`
}
