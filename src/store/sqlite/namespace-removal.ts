import type { Detached } from '../../core/store.ts'
import type { Database } from './database.ts'
import { detachCopies } from './detach.ts'
import { eq } from './drizzle.ts'
import {
  authMounts,
  copies,
  dataKeys,
  idempotentRequests,
  keys,
  keyVersions,
  kms,
  mounts,
  namespaces,
  operations,
  policies,
  rateLimits,
  roles,
  secretIds,
  tokens,
  usage,
  wrapped,
} from './schema.ts'

/** Every table whose rows belong to a namespace and go with it. What removals still need goes last: `endNamespace`. */
export const owned = [
  keyVersions,
  keys,
  kms,
  mounts,
  tokens,
  policies,
  roles,
  secretIds,
  authMounts,
  wrapped,
  rateLimits,
  idempotentRequests,
]

/**
 * Inside a write: takes everything of a namespace away but what its removals still need, turns its copies into removals with the
 * settings given, and ends it at once where there is none.
 */
export function forgetNamespace(database: Database, id: string, detached: Detached): void {
  const db = database.drizzle
  for (const mount of db.select({ id: mounts.id }).from(mounts).where(eq(mounts.namespaceId, id)).all())
    database.touch(mount.id)
  detachCopies(database, detached)
  for (const table of owned) db.delete(table).where(eq(table.namespaceId, id)).run()
  db.update(namespaces).set({ deletedAt: detached.now }).where(eq(namespaces.id, id)).run()
  endNamespace(database, id)
}

/** Inside a write: where a deleted namespace has no removal left, its last rows go. */
export function endNamespace(database: Database, id: string): void {
  const db = database.drizzle
  const row = db.select().from(namespaces).where(eq(namespaces.id, id)).get()
  if (row?.deletedAt == null) return
  if (db.select({ id: copies.id }).from(copies).where(eq(copies.namespaceId, id)).limit(1).get()) return
  db.delete(operations).where(eq(operations.namespaceId, id)).run()
  db.delete(usage).where(eq(usage.namespaceId, id)).run()
  db.delete(dataKeys).where(eq(dataKeys.namespaceId, id)).run()
  db.delete(namespaces).where(eq(namespaces.id, id)).run()
}
