import { KeyferryError } from '../../core/errors.ts'
import type { KmsStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, eq, gt, ne, sql } from './drizzle.ts'
import { copies, kms, mounts } from './schema.ts'

export function kmsStore(database: Database): KmsStore {
  const db = database.drizzle
  const find = db
    .select()
    .from(kms)
    .where(and(eq(kms.mountId, sql.placeholder('mountId')), eq(kms.name, sql.placeholder('name'))))
    .prepare()
  const byId = db
    .select()
    .from(kms)
    .where(eq(kms.id, sql.placeholder('id')))
    .prepare()
  const names = db
    .select({ name: kms.name })
    .from(kms)
    .where(and(eq(kms.mountId, sql.placeholder('mountId')), gt(kms.name, sql.placeholder('after'))))
    .orderBy(kms.name)
    .limit(sql.placeholder('limit'))
    .prepare()
  const copiesIn = db
    .select({ count: sql<number>`count(*)` })
    .from(copies)
    .where(eq(copies.kmsId, sql.placeholder('id')))
    .prepare()
  return {
    find: (mountId, name) => find.get({ mountId, name }),
    byId: (id) => byId.get({ id }),
    names: (mountId, page) =>
      names.all({ mountId, after: page?.after ?? '', limit: page?.limit ?? -1 }).map((row) => row.name),
    create: (row) =>
      database.write(() => {
        if (!db.select().from(mounts).where(eq(mounts.id, row.mountId)).get()) {
          throw new KeyferryError('not_found', 'the mount is gone')
        }
        if (find.get({ mountId: row.mountId, name: row.name }))
          throw new KeyferryError('already_exists', `KMS "${row.name}" exists`)
        db.insert(kms).values(row).run()
      }, row.mountId),
    replaceSettings: (id, settingsBox) =>
      database.write(() => {
        const row = byId.get({ id })
        if (!row) throw new KeyferryError('not_found', 'the KMS is gone')
        db.update(kms)
          .set({ settingsBox, credentialsGeneration: row.credentialsGeneration + 1 })
          .where(eq(kms.id, id))
          .run()
        // What is not done yet is worth another try at once; a new generation, so that a refusal of the old credentials that is on its way is none.
        db.update(copies)
          .set({ state: 'pending', generation: sql`generation + 1`, attempts: 0, nextAttemptAt: 0 })
          .where(and(eq(copies.kmsId, id), ne(copies.state, 'settled')))
          .run()
        database.touch(row.mountId)
      }),
    remove: (id, check) =>
      database.write(() => {
        const row = byId.get({ id })
        if (!row) return
        check(copiesIn.get({ id })?.count ?? 0)
        db.delete(kms).where(eq(kms.id, id)).run()
        database.touch(row.mountId)
      }),
  }
}
