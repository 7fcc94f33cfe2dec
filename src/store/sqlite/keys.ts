import { importIdOf } from '../../core/distribution/import-id.ts'
import { KeyferryError } from '../../core/errors.ts'
import type { KeyType } from '../../core/keys/types.ts'
import type { KeyRow, KeyStore, OperationKind, Touched } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, asc, eq, gte, lte, sql } from './drizzle.ts'
import { operationChanges } from './operations.ts'
import { versionFloor } from './restore.ts'
import { copies, copyVersions, keys, keyVersions, mounts } from './schema.ts'

export function keyStore(database: Database, uuid: () => string): KeyStore {
  const db = database.drizzle
  const change = operationChanges(database)
  const floor = versionFloor(database)
  const find = db
    .select()
    .from(keys)
    .where(and(eq(keys.mountId, sql.placeholder('mountId')), eq(keys.name, sql.placeholder('name'))))
    .prepare()
  const byId = db
    .select()
    .from(keys)
    .where(eq(keys.id, sql.placeholder('id')))
    .prepare()
  // Not through drizzle, which makes two objects of each row: a list of thousands would keep the garbage collector busy.
  const names = database.sqlite
    .prepare<{ mountId: string; after: string; limit: number }, string>(
      'SELECT name FROM keys WHERE mount_id = :mountId AND name > :after ORDER BY name LIMIT :limit',
    )
    .pluck()
  const {
    box: _,
    namespaceId: __,
    ...shown
  } = {
    keyId: keyVersions.keyId,
    version: keyVersions.version,
    publicKey: keyVersions.publicKey,
    createdAt: keyVersions.createdAt,
    box: keyVersions.box,
    namespaceId: keyVersions.namespaceId,
  }
  const versions = db
    .select(shown)
    .from(keyVersions)
    .where(and(eq(keyVersions.keyId, sql.placeholder('keyId')), gte(keyVersions.version, sql.placeholder('from'))))
    .orderBy(asc(keyVersions.version))
    .prepare()
  const version = db
    .select({ ...shown, box: keyVersions.box })
    .from(keyVersions)
    .where(and(eq(keyVersions.keyId, sql.placeholder('keyId')), eq(keyVersions.version, sql.placeholder('version'))))
    .prepare()
  const mount = db
    .select({ id: mounts.id })
    .from(mounts)
    .where(eq(mounts.id, sql.placeholder('id')))
    .prepare()
  const insertKey = db
    .insert(keys)
    .values({
      id: sql.placeholder('id'),
      namespaceId: sql.placeholder('namespaceId'),
      mountId: sql.placeholder('mountId'),
      name: sql.placeholder('name'),
      type: sql.placeholder('type'),
      latestVersion: sql.placeholder('latestVersion'),
      minEnabledVersion: sql.placeholder('minEnabledVersion'),
      deletionAllowed: sql.placeholder('deletionAllowed'),
      replicaRegions: sql.placeholder('replicaRegions'),
      createdAt: sql.placeholder('createdAt'),
      autoRotatePeriod: sql.placeholder('autoRotatePeriod'),
      nextRotationAt: sql.placeholder('nextRotationAt'),
      maxEnabledVersions: sql.placeholder('maxEnabledVersions'),
    })
    .prepare()
  const insertVersion = db
    .insert(keyVersions)
    .values({
      keyId: sql.placeholder('keyId'),
      version: sql.placeholder('version'),
      namespaceId: sql.placeholder('namespaceId'),
      publicKey: sql.placeholder('publicKey'),
      box: sql.placeholder('box'),
      createdAt: sql.placeholder('createdAt'),
    })
    .prepare()
  const setLatest = db
    .update(keys)
    .set({
      latestVersion: sql`${sql.placeholder('latest')}`,
      minEnabledVersion: sql`${sql.placeholder('minEnabledVersion')}`,
      nextRotationAt: sql`${sql.placeholder('nextRotationAt')}`,
    })
    .where(eq(keys.id, sql.placeholder('id')))
    .prepare()
  const setSettings = db
    .update(keys)
    .set({
      deletionAllowed: sql`${sql.placeholder('deletionAllowed')}`,
      minEnabledVersion: sql`${sql.placeholder('minEnabledVersion')}`,
      autoRotatePeriod: sql`${sql.placeholder('autoRotatePeriod')}`,
      nextRotationAt: sql`${sql.placeholder('nextRotationAt')}`,
      maxEnabledVersions: sql`${sql.placeholder('maxEnabledVersions')}`,
    })
    .where(eq(keys.id, sql.placeholder('id')))
    .prepare()
  const dueForRotation = db
    .select()
    .from(keys)
    // `next_rotation_at <= x` is never true of null, which the index leaves out.
    .where(lte(keys.nextRotationAt, sql.placeholder('now')))
    .orderBy(asc(keys.nextRotationAt))
    .limit(sql.placeholder('limit'))
    .prepare()
  const postponeRotation = db
    .update(keys)
    .set({ nextRotationAt: sql`${sql.placeholder('until')}` })
    .where(and(eq(keys.id, sql.placeholder('id')), eq(keys.nextRotationAt, sql.placeholder('due'))))
    .prepare()
  const copiesOf = db
    .select()
    .from(copies)
    .where(eq(copies.keyId, sql.placeholder('keyId')))
    .prepare()
  const deleteVersions = db
    .delete(keyVersions)
    .where(eq(keyVersions.keyId, sql.placeholder('id')))
    .prepare()
  const deleteKey = db
    .delete(keys)
    .where(eq(keys.id, sql.placeholder('id')))
    .prepare()

  const typed = (row: (Omit<KeyRow, 'type'> & { type: string }) | undefined): KeyRow | undefined =>
    row && { ...row, type: row.type as KeyType }
  const existing = (id: string): KeyRow => {
    const row = typed(byId.get({ id }))
    if (!row) throw new KeyferryError('not_found', 'the key is gone')
    return row
  }
  /** What should be changed for every copy: a new generation, to be seen to at once, and somebody to wait for it. */
  const renewCopies = (keyId: string, kind: OperationKind, now: number, newVersion?: number): Touched[] =>
    copiesOf
      .all({ keyId })
      .filter((copy) => copy.desired === 'present')
      .map((copy) => {
        const generation = copy.generation + 1
        const operationId = uuid()
        db.update(copies)
          .set({ generation, state: 'pending', reason: null, attempts: 0, nextAttemptAt: now })
          .where(eq(copies.id, copy.id))
          .run()
        if (newVersion !== undefined) {
          const { id: copyId, namespaceId } = copy
          db.insert(copyVersions)
            .values({ copyId, version: newVersion, namespaceId, importId: importIdOf(newVersion, uuid()) })
            .run()
        }
        change.begin({ ...copy, generation }, kind, operationId, now)
        return { copyId: copy.id, operationId }
      })

  return {
    find: (mountId, name) => typed(find.get({ mountId, name })),
    byId: (id) => typed(byId.get({ id })),
    names: (mountId, page) => names.all({ mountId, after: page?.after ?? '', limit: page?.limit ?? -1 }),
    versions: (keyId, from) => versions.all({ keyId, from }),
    version: (keyId, number) => version.get({ keyId, version: number }),
    create: (key, first) =>
      database.write(() => {
        if (!mount.get({ id: key.mountId })) throw new KeyferryError('not_found', 'the mount is gone')
        if (find.get({ mountId: key.mountId, name: key.name }))
          throw new KeyferryError('already_exists', `key "${key.name}" exists`)
        insertKey.run({ ...key })
        insertVersion.run({ ...first, keyId: key.id, version: 1, namespaceId: key.namespaceId })
      }, key.mountId),
    addVersion: (keyId, make, now, schedule) =>
      database.write(() => {
        const key = existing(keyId)
        if (schedule?.due !== undefined && key.nextRotationAt !== schedule.due)
          throw new KeyferryError('conflict', 'the key was rotated meanwhile')
        const next = Math.max(key.latestVersion, floor(keyId)) + 1
        insertVersion.run({ ...make(next), keyId, version: next, namespaceId: key.namespaceId })
        const least = key.maxEnabledVersions > 0 ? next - key.maxEnabledVersions + 1 : 0
        setLatest.run({
          id: keyId,
          latest: next,
          minEnabledVersion: Math.max(key.minEnabledVersion, least),
          nextRotationAt: schedule ? schedule.next(key) : key.nextRotationAt,
        })
        database.touch(key.mountId)
        return { version: next, touched: renewCopies(keyId, 'rotate', now, next) }
      }),
    update: (keyId, decide, now) =>
      database.write(() => {
        const key = existing(keyId)
        const changed = { ...key, ...decide(key) }
        setSettings.run({
          id: keyId,
          deletionAllowed: changed.deletionAllowed ? 1 : 0,
          minEnabledVersion: changed.minEnabledVersion,
          autoRotatePeriod: changed.autoRotatePeriod,
          nextRotationAt: changed.nextRotationAt,
          maxEnabledVersions: changed.maxEnabledVersions,
        })
        database.touch(key.mountId)
        return changed.minEnabledVersion === key.minEnabledVersion ? [] : renewCopies(keyId, 'update', now)
      }),
    dueForRotation: (now, limit) => dueForRotation.all({ now, limit }).map((row) => typed(row) as KeyRow),
    postponeRotation: (id, due, until) =>
      database.write(() => {
        const row = byId.get({ id })
        if (row && postponeRotation.run({ id, due, until }).changes > 0) database.touch(row.mountId)
      }),
    remove: (keyId, check) =>
      database.write(() => {
        const key = typed(byId.get({ id: keyId }))
        if (!key) return
        check(key, copiesOf.all({ keyId }).length)
        deleteVersions.run({ id: keyId })
        deleteKey.run({ id: keyId })
        database.touch(key.mountId)
      }),
  }
}
