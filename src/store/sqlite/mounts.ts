import { KeyferryError } from '../../core/errors.ts'
import type { MountStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { attachedToMount, detachCopies } from './detach.ts'
import { and, eq, inArray, isNull, sql } from './drizzle.ts'
import { copies, copyVersions, keys, keyVersions, kms, mounts, namespaces, operations, remoteNames } from './schema.ts'

export function mountStore(database: Database): MountStore {
  const db = database.drizzle
  const list = db
    .select()
    .from(mounts)
    .where(eq(mounts.namespaceId, sql.placeholder('namespaceId')))
    .orderBy(mounts.path)
    .prepare()
  const living = db
    .select({ id: namespaces.id })
    .from(namespaces)
    .where(and(eq(namespaces.path, sql.placeholder('path')), isNull(namespaces.deletedAt)))
    .prepare()
  const checkFree = ({ id, namespaceId, path }: { id: string; namespaceId: string; path: string }) => {
    const clash = list
      .all({ namespaceId })
      .find((one) => one.id !== id && (one.path.startsWith(path) || path.startsWith(one.path)))
    if (clash) throw new KeyferryError('already_exists', `the path ${path} is in use by the mount ${clash.path}`)
    // A path would lead to the mount, and the same path to the namespace for whoever names it in the header.
    const above = db.select().from(namespaces).where(eq(namespaces.id, namespaceId)).get()?.path
    const child = `${above ? `${above}/` : ''}${path.slice(0, path.indexOf('/'))}`
    if (living.get({ path: child }))
      throw new KeyferryError('already_exists', `the path ${path} is in use by a namespace`)
  }
  const attached = attachedToMount(database)
  return {
    list: (namespaceId) => list.all({ namespaceId }),
    create: (mount) =>
      database.write(() => {
        checkFree(mount)
        db.insert(mounts).values(mount).run()
      }, mount.id),
    tune: (namespaceId, id, change) =>
      database.write(() => {
        if (Object.keys(change).length === 0) return
        db.update(mounts)
          .set(change)
          .where(and(eq(mounts.namespaceId, namespaceId), eq(mounts.id, id)))
          .run()
      }, id),
    move: (namespaceId, id, path) =>
      database.write(() => {
        const mine = and(eq(mounts.namespaceId, namespaceId), eq(mounts.id, id))
        if (!db.select().from(mounts).where(mine).get()) throw new KeyferryError('not_found', 'the mount is gone')
        checkFree({ id, namespaceId, path })
        db.update(mounts).set({ path }).where(mine).run()
      }, id),
    attachedCopies: (namespaceId, id) => attached(namespaceId, id),
    remove: (namespaceId, id, detached) =>
      database.write(() => {
        const mine = and(eq(mounts.namespaceId, namespaceId), eq(mounts.id, id))
        if (!db.select().from(mounts).where(mine).get()) return []
        if (detached) {
          if (attached(namespaceId, id).some(({ copy }) => !detached.settings.has(copy.id)))
            throw new KeyferryError('conflict', 'the mount has distributed keys')
          detachCopies(database, detached)
        }
        // Removals that go on by themselves belong to the namespace and stay; all other copies are let go where they are.
        const left = db
          .select({ id: copies.id, name: copies.remoteName, collection: copies.collection })
          .from(copies)
          .where(and(eq(copies.mountId, id), sql`${copies.settingsBox} is null`))
          .all()
        const ids = sql`(select id from copies where mount_id = ${id} and settings_box is null)`
        db.delete(copyVersions).where(sql`${copyVersions.copyId} in ${ids}`).run()
        db.delete(remoteNames).where(sql`${remoteNames.holder} in ${ids}`).run()
        db.delete(operations).where(sql`${operations.copyId} in ${ids}`).run()
        db.delete(copies)
          .where(and(eq(copies.mountId, id), sql`${copies.settingsBox} is null`))
          .run()
        const keyIds = db.select({ id: keys.id }).from(keys).where(eq(keys.mountId, id))
        db.delete(keyVersions).where(inArray(keyVersions.keyId, keyIds)).run()
        db.delete(keys).where(eq(keys.mountId, id)).run()
        db.delete(kms).where(eq(kms.mountId, id)).run()
        db.delete(mounts).where(mine).run()
        return left.map((copy) => `${copy.collection}/${copy.name}`)
      }, id),
  }
}
