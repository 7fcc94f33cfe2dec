import { KeyferryError } from '../../core/errors.ts'
import type { Database } from './database.ts'
import { getTableName } from './drizzle.ts'
import { owned } from './namespace-removal.ts'

/**
 * Makes this connection refuse, inside the very change, what is added to a namespace that was deleted meanwhile, here or by another
 * process: it would be in nobody's way and stay for ever. Temporary triggers, as in seal-guard.ts.
 */
export function guardNamespaces({ sqlite }: Database): void {
  sqlite.function('namespace_gone', () => {
    throw new KeyferryError('not_found', 'the namespace is gone')
  })
  for (const name of owned.map((table) => getTableName(table))) {
    sqlite.exec(`CREATE TEMP TRIGGER living_${name} BEFORE INSERT ON main.${name}
      WHEN NOT EXISTS (SELECT 1 FROM main.namespaces WHERE id = NEW.namespace_id AND deleted_at IS NULL)
      BEGIN SELECT namespace_gone(); END`)
  }
}
