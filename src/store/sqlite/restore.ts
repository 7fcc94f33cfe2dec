import type { Hold, RestoreStore } from '../../core/backup/restore-store.ts'
import { invalid } from '../../core/errors.ts'
import type { CopyRow } from '../../core/store.ts'
import { typedCopy } from './copy-queries.ts'
import type { Database } from './database.ts'
import { and, asc, eq, gt, isNotNull, ne } from './drizzle.ts'
import { metaRows } from './meta-rows.ts'
import { copies, copyVersions, secretIds, signingKeys, tokens, wrapped } from './schema.ts'
import { processPrefix } from './sealed-places.ts'

/** The name in meta while copies are held: nobody gets a lease of one. */
export const holdName = 'hold'
/** Names in meta: the number that new versions of a key must be above. */
const floorPrefix = 'version_floor:'

/** The number that the next version of a key must be above, beside its latest: set by a restore. To be called inside a write. */
export function versionFloor(database: Database): (keyId: string) => number {
  const meta = metaRows(database)
  return (keyId) => Number(meta.get(floorPrefix + keyId) ?? 0)
}

export function restoreStore(database: Database): RestoreStore {
  const db = database.drizzle
  const meta = metaRows(database)
  const hold = (): Hold | undefined => {
    const value = meta.get(holdName)
    return value === undefined ? undefined : JSON.parse(value)
  }
  return {
    restored: (change) =>
      database.write(() => {
        const revoked = {
          tokens: db.delete(tokens).run().changes,
          secretIds: db.delete(secretIds).run().changes,
          wrapped: db.delete(wrapped).run().changes,
        }
        db.delete(signingKeys).run()
        db.insert(signingKeys).values(change.signingKey).run()
        db.insert(tokens).values(change.token).run()
        db.update(copies).set({ leaseOwner: null, leaseUntil: 0 }).run()
        for (const { key } of meta.under(processPrefix)) meta.remove(processPrefix + key)
        meta.put(holdName, JSON.stringify(change.hold))
        return revoked
      }),
    hold,
    presentCopies: (after, limit) =>
      db
        .select()
        .from(copies)
        .where(and(gt(copies.id, after), eq(copies.desired, 'present'), isNotNull(copies.kmsId)))
        .orderBy(asc(copies.id))
        .limit(limit)
        .all()
        .map((row) => typedCopy(row) as CopyRow),
    raiseVersions: (floors) =>
      database.write(() => {
        for (const { keyId, version } of floors) {
          if (version > Number(meta.get(floorPrefix + keyId) ?? 0)) meta.put(floorPrefix + keyId, String(version))
        }
      }),
    release: (lost, now) =>
      database.write(() => {
        if (!hold()) throw invalid('nothing is held: there was no restore, or it was released before')
        for (const { copyId, version, importId, remoteVersion, enabled } of lost) {
          const row = db.select().from(copies).where(eq(copies.id, copyId)).get()
          if (row?.desired !== 'present') continue
          db.insert(copyVersions)
            .values({
              copyId,
              version,
              namespaceId: row.namespaceId,
              importId,
              remoteVersion,
              enabled,
              sentAt: null,
              seenAt: now,
            })
            .onConflictDoNothing()
            .run()
        }
        meta.remove(holdName)
        database.touchAll()
        const due = { state: 'pending' as const, nextAttemptAt: now, attempts: 0 }
        const looked = db
          .update(copies)
          .set(due)
          .where(and(eq(copies.desired, 'present'), ne(copies.state, 'pending')))
          .run()
        return { copies: looked.changes }
      }),
  }
}
