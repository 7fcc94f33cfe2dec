import { KeyferryError } from '../../core/errors.ts'
import type { SecretIdStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, asc, eq, sql } from './drizzle.ts'
import { roles, secretIds } from './schema.ts'

export function secretIdStore(database: Database): SecretIdStore {
  const db = database.drizzle
  const ofRole = eq(secretIds.role, sql.placeholder('role'))
  const find = db
    .select()
    .from(secretIds)
    .where(and(ofRole, eq(secretIds.digest, sql.placeholder('digest'))))
    .prepare()
  const byAccessor = db
    .select()
    .from(secretIds)
    .where(and(ofRole, eq(secretIds.accessor, sql.placeholder('accessor'))))
    .prepare()
  const accessors = db
    .select({ accessor: secretIds.accessor })
    .from(secretIds)
    .where(ofRole)
    .orderBy(asc(secretIds.accessor))
    .prepare()
  const remove = db
    .delete(secretIds)
    .where(eq(secretIds.accessor, sql.placeholder('accessor')))
    .prepare()
  const leave = database.sqlite.prepare<[number, string]>('UPDATE secret_ids SET num_uses = ? WHERE accessor = ?')
  const anyExpired = database.sqlite.prepare<[number]>('SELECT 1 FROM secret_ids WHERE expires_at <= ? LIMIT 1')
  const expire = database.sqlite.prepare<[number, number]>(
    `DELETE FROM secret_ids WHERE accessor IN
       (SELECT accessor FROM secret_ids WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
  )
  return {
    find: (role, digest) => find.get({ role, digest }),
    byAccessor: (role, accessor) => byAccessor.get({ role, accessor }),
    accessors: (role) => accessors.all({ role }).map((row) => row.accessor),
    create: (secretId) =>
      database.write(() => {
        const role = db.select({ id: roles.id }).from(roles).where(eq(roles.id, secretId.role)).get()
        if (!role) throw new KeyferryError('not_found', 'the role is gone')
        if (find.get({ role: secretId.role, digest: secretId.digest })) {
          throw new KeyferryError('already_exists', 'the secret id is registered already')
        }
        db.insert(secretIds).values(secretId).run()
      }),
    use: (role, digest, now, check) =>
      database.write(() => {
        const row = find.get({ role, digest })
        if (!row || (row.expiresAt !== null && row.expiresAt <= now) || !check(row)) return undefined
        if (row.numUses === 1) remove.run({ accessor: row.accessor })
        else if (row.numUses > 1) leave.run(row.numUses - 1, row.accessor)
        return row
      }),
    remove: (role, accessor) =>
      database.write(() => {
        const row = byAccessor.get({ role, accessor })
        return row !== undefined && remove.run({ accessor: row.accessor }).changes > 0
      }),
    expire: async (now, limit) =>
      anyExpired.get(now) ? await database.write(() => expire.run(now, limit).changes) : 0,
  }
}
