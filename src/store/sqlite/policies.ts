import type { PolicyStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, asc, eq, sql } from './drizzle.ts'
import { policies } from './schema.ts'

export function policyStore(database: Database): PolicyStore {
  const db = database.drizzle
  const mine = and(eq(policies.namespaceId, sql.placeholder('namespaceId')), eq(policies.name, sql.placeholder('name')))
  const get = db.select({ rules: policies.rules }).from(policies).where(mine).prepare()
  const names = db
    .select({ name: policies.name })
    .from(policies)
    .where(eq(policies.namespaceId, sql.placeholder('namespaceId')))
    .orderBy(asc(policies.name))
    .prepare()
  return {
    get: (namespaceId, name) => get.get({ namespaceId, name })?.rules,
    names: (namespaceId) => names.all({ namespaceId }).map((row) => row.name),
    put: (namespaceId, name, rules) =>
      database.write(() => {
        db.insert(policies)
          .values({ namespaceId, name, rules })
          .onConflictDoUpdate({ target: [policies.namespaceId, policies.name], set: { rules } })
          .run()
      }),
    remove: (namespaceId, name) =>
      database.write(() => {
        db.delete(policies)
          .where(and(eq(policies.namespaceId, namespaceId), eq(policies.name, name)))
          .run()
      }),
  }
}
