import type { TokenStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { eq, sql } from './drizzle.ts'
import { signingKeys, tokens } from './schema.ts'

export function tokenStore(database: Database): TokenStore {
  const db = database.drizzle
  const byId = db
    .select()
    .from(tokens)
    .where(eq(tokens.id, sql.placeholder('id')))
    .prepare()
  const byDigest = db
    .select()
    .from(tokens)
    .where(eq(tokens.digest, sql.placeholder('digest')))
    .prepare()
  const typed = <T extends { type: string }>(row: T | undefined) =>
    row && { ...row, type: row.type === 'batch' ? ('batch' as const) : ('service' as const) }
  return {
    byId: (id) => typed(byId.get({ id })),
    byDigest: (digest) => typed(byDigest.get({ digest })),
    create: (token) =>
      database.write(() => {
        db.insert(tokens).values(token).run()
      }),
    replace: (path, token) =>
      database.write(() => {
        db.delete(tokens).where(eq(tokens.path, path)).run()
        db.insert(tokens).values(token).run()
      }),
    signingKeys: () => db.select().from(signingKeys).orderBy(sql`${signingKeys.createdAt} desc`).all(),
  }
}
