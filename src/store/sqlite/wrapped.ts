import type { WrappedStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { eq, sql } from './drizzle.ts'
import { wrapped } from './schema.ts'

export function wrappedStore(database: Database): WrappedStore {
  const db = database.drizzle
  const byId = db
    .select()
    .from(wrapped)
    .where(eq(wrapped.id, sql.placeholder('id')))
    .prepare()
  const anyExpired = database.sqlite.prepare<[number]>('SELECT 1 FROM wrapped WHERE expires_at <= ? LIMIT 1')
  const expire = database.sqlite.prepare(
    'DELETE FROM wrapped WHERE id IN (SELECT id FROM wrapped WHERE expires_at <= ? LIMIT ?)',
  )
  return {
    byId: (id) => byId.get({ id }),
    create: (row) =>
      database.write(() => {
        db.insert(wrapped).values(row).run()
      }),
    take: (id) =>
      database.write(() => {
        const row = byId.get({ id })
        db.delete(wrapped).where(eq(wrapped.id, id)).run()
        return row
      }),
    expire: async (now, limit) =>
      anyExpired.get(now) ? await database.write(() => expire.run(now, limit).changes) : 0,
  }
}
