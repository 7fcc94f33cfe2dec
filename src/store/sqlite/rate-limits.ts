import type { RateLimitStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, asc, eq, sql } from './drizzle.ts'
import { rateLimits } from './schema.ts'

export function rateLimitStore(database: Database): RateLimitStore {
  const db = database.drizzle
  const list = db
    .select()
    .from(rateLimits)
    .where(eq(rateLimits.namespaceId, sql.placeholder('namespaceId')))
    .orderBy(asc(rateLimits.name))
    .prepare()
  return {
    list: (namespaceId) => list.all({ namespaceId }),
    all: () => db.select().from(rateLimits).all(),
    put: (row) =>
      database.write(() => {
        const { namespaceId: _, name: __, ...set } = row
        db.insert(rateLimits)
          .values(row)
          .onConflictDoUpdate({ target: [rateLimits.namespaceId, rateLimits.name], set })
          .run()
      }),
    remove: (namespaceId, name) =>
      database.write(() => {
        db.delete(rateLimits)
          .where(and(eq(rateLimits.namespaceId, namespaceId), eq(rateLimits.name, name)))
          .run()
      }),
  }
}
