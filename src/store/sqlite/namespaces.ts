import type { NamespaceStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { eq, sql } from './drizzle.ts'
import { dataKeys, namespaces } from './schema.ts'

export function namespaceStore(database: Database): NamespaceStore {
  const db = database.drizzle
  const byPath = db
    .select()
    .from(namespaces)
    .where(eq(namespaces.path, sql.placeholder('path')))
    .prepare()
  const byId = db
    .select()
    .from(namespaces)
    .where(eq(namespaces.id, sql.placeholder('id')))
    .prepare()
  const keysOf = db
    .select()
    .from(dataKeys)
    .where(eq(dataKeys.namespaceId, sql.placeholder('namespaceId')))
    .orderBy(sql`${dataKeys.createdAt} desc, ${dataKeys.id}`)
    .prepare()
  return {
    byPath: (path) => byPath.get({ path }),
    byId: (id) => byId.get({ id }),
    dataKeys: (namespaceId) => keysOf.all({ namespaceId }),
  }
}
