import { KeyferryError } from '../../core/errors.ts'
import type { AuthMountStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, eq, inArray, sql } from './drizzle.ts'
import { authMounts, namespaces, roles, secretIds } from './schema.ts'

export function authMountStore(database: Database): AuthMountStore {
  const db = database.drizzle
  const list = db
    .select()
    .from(authMounts)
    .where(eq(authMounts.namespaceId, sql.placeholder('namespaceId')))
    .orderBy(authMounts.path)
    .prepare()
  const byId = db
    .select()
    .from(authMounts)
    .where(eq(authMounts.id, sql.placeholder('id')))
    .prepare()
  const one = (namespaceId: string, id: string) => {
    const row = byId.get({ id })
    if (row?.namespaceId !== namespaceId) throw new KeyferryError('not_found', 'the auth mount is gone')
    return row
  }
  const revokeMadeBy = database.sqlite.prepare<[string, string]>(
    `WITH RECURSIVE tree(id) AS (
       SELECT id FROM tokens WHERE namespace_id = ? AND path = ?
       UNION SELECT child.id FROM tokens AS child JOIN tree ON child.parent_id = tree.id
     ) DELETE FROM tokens WHERE id IN tree`,
  )
  return {
    list: (namespaceId) => list.all({ namespaceId }),
    byId: (id) => byId.get({ id }),
    create: (mount) =>
      database.write(() => {
        const namespace = db.select().from(namespaces).where(eq(namespaces.id, mount.namespaceId)).get()
        if (namespace?.deletedAt !== null) throw new KeyferryError('not_found', 'the namespace is gone')
        const clash = list
          .all({ namespaceId: mount.namespaceId })
          .find((row) => row.path.startsWith(mount.path) || mount.path.startsWith(row.path))
        if (clash) throw new KeyferryError('already_exists', `the path ${mount.path} is in use by ${clash.path}`)
        db.insert(authMounts).values(mount).run()
      }),
    change: (namespaceId, id, decide) =>
      database.write(() => {
        const change = decide(one(namespaceId, id))
        if (Object.keys(change).length > 0) db.update(authMounts).set(change).where(eq(authMounts.id, id)).run()
      }),
    remove: (namespaceId, id, tokenPath) =>
      database.write(() => {
        one(namespaceId, id)
        const mine = and(eq(roles.namespaceId, namespaceId), eq(roles.door, id))
        const roleIds = db.select({ id: roles.id }).from(roles).where(mine)
        db.delete(secretIds).where(inArray(secretIds.role, roleIds)).run()
        db.delete(roles).where(mine).run()
        db.delete(authMounts).where(eq(authMounts.id, id)).run()
        revokeMadeBy.run(namespaceId, tokenPath)
      }),
  }
}
