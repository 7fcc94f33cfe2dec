import { KeyferryError } from '../../core/errors.ts'
import type { NamespaceStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { attachedToNamespace } from './detach.ts'
import { and, asc, eq, isNull, sql } from './drizzle.ts'
import { forgetNamespace } from './namespace-removal.ts'
import { dataKeys, mounts, namespaces } from './schema.ts'

export function namespaceStore(database: Database): NamespaceStore {
  const db = database.drizzle
  const alive = isNull(namespaces.deletedAt)
  const byPath = db
    .select()
    .from(namespaces)
    .where(and(eq(namespaces.path, sql.placeholder('path')), alive))
    .prepare()
  const byId = db
    .select()
    .from(namespaces)
    .where(eq(namespaces.id, sql.placeholder('id')))
    .prepare()
  const children = db
    .select()
    .from(namespaces)
    .where(and(eq(namespaces.parentId, sql.placeholder('parentId')), alive))
    .orderBy(asc(namespaces.path))
    .prepare()
  const keysOf = db
    .select()
    .from(dataKeys)
    .where(eq(dataKeys.namespaceId, sql.placeholder('namespaceId')))
    .orderBy(sql`${dataKeys.createdAt} desc, ${dataKeys.id}`)
    .prepare()
  const mountsOf = db
    .select({ path: mounts.path })
    .from(mounts)
    .where(eq(mounts.namespaceId, sql.placeholder('id')))
    .prepare()
  const attached = attachedToNamespace(database)
  return {
    byPath: (path) => byPath.get({ path }),
    byId: (id) => byId.get({ id }),
    children: (parentId) => children.all({ parentId }),
    dataKeys: (namespaceId) => keysOf.all({ namespaceId }),
    create: (row, dataKey) =>
      database.write(() => {
        if (byPath.get({ path: row.path })) throw new KeyferryError('already_exists', 'the namespace exists')
        if (byId.get({ id: row.parentId })?.deletedAt !== null)
          throw new KeyferryError('not_found', 'the parent namespace is gone')
        const name = `${row.path.slice(row.path.lastIndexOf('/') + 1)}/`
        const clash = mountsOf.all({ id: row.parentId }).find(({ path }) => path.startsWith(name))
        if (clash) throw new KeyferryError('conflict', `path is already in use at ${clash.path}`)
        db.insert(namespaces).values(row).run()
        db.insert(dataKeys).values(dataKey).run()
      }),
    setMetadata: (id, decide) =>
      database.write(() => {
        const row = byId.get({ id })
        if (row?.deletedAt !== null) throw new KeyferryError('not_found', 'the namespace is gone')
        const customMetadata = decide(row.customMetadata)
        db.update(namespaces).set({ customMetadata }).where(eq(namespaces.id, id)).run()
        return customMetadata
      }),
    attachedCopies: (id) => attached(id),
    remove: (id, detached) =>
      database.write(() => {
        if (children.all({ parentId: id }).length > 0) throw new KeyferryError('conflict', 'the namespace has children')
        if (attached(id).some(({ copy }) => !detached.settings.has(copy.id)))
          throw new KeyferryError('conflict', 'the namespace has distributed keys')
        forgetNamespace(database, id, detached)
      }),
  }
}
