import { KeyferryError } from '../../core/errors.ts'
import type { RoleRow, RoleStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, asc, eq, sql } from './drizzle.ts'
import { roles, secretIds } from './schema.ts'

export function roleStore(database: Database): RoleStore {
  const db = database.drizzle
  const ofDoor = [eq(roles.namespaceId, sql.placeholder('namespaceId')), eq(roles.door, sql.placeholder('door'))]
  const find = db
    .select()
    .from(roles)
    .where(and(...ofDoor, eq(roles.name, sql.placeholder('name'))))
    .prepare()
  const byRoleId = db
    .select()
    .from(roles)
    .where(eq(roles.roleId, sql.placeholder('roleId')))
    .prepare()
  const names = db
    .select({ name: roles.name })
    .from(roles)
    .where(and(...ofDoor))
    .orderBy(asc(roles.name))
    .prepare()
  const put = (role: RoleRow) => {
    const known = find.get({ namespaceId: role.namespaceId, door: role.door, name: role.name })
    const holder = role.roleId === null ? undefined : byRoleId.get({ roleId: role.roleId })
    if (holder && holder.id !== known?.id) throw new KeyferryError('conflict', 'the role id is taken: choose another')
    const { config, roleId } = role
    if (known) db.update(roles).set({ config, roleId }).where(eq(roles.id, known.id)).run()
    else db.insert(roles).values(role).run()
  }
  return {
    find: (namespaceId, door, name) => find.get({ namespaceId, door, name }),
    byRoleId: (roleId) => byRoleId.get({ roleId }),
    names: (namespaceId, door) => names.all({ namespaceId, door }).map((row) => row.name),
    put: (role) => database.write(() => put(role)),
    change: (namespaceId, door, name, decide) =>
      database.write(() => put(decide(find.get({ namespaceId, door, name })))),
    remove: (namespaceId, door, name) =>
      database.write(() => {
        const known = find.get({ namespaceId, door, name })
        if (!known) return
        db.delete(secretIds).where(eq(secretIds.role, known.id)).run()
        db.delete(roles).where(eq(roles.id, known.id)).run()
      }),
  }
}
