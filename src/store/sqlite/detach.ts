import type { AttachedCopy, CopyRow, Detached } from '../../core/store.ts'
import { typedCopy } from './copy-queries.ts'
import type { Database } from './database.ts'
import { and, eq, sql } from './drizzle.ts'
import { operationChanges } from './operations.ts'
import { copies, kms } from './schema.ts'

/** Copies that still have a key and a KMS, with the settings of each: of a whole namespace, or of one of its mounts. */
export function attachedCopies(database: Database) {
  const query = database.drizzle
    .select({ copy: copies, kms })
    .from(copies)
    .innerJoin(kms, eq(kms.id, copies.kmsId))
    .where(
      and(
        eq(copies.namespaceId, sql.placeholder('namespaceId')),
        sql`(${copies.mountId} = ${sql.placeholder('mountId')} or ${sql.placeholder('all')})`,
      ),
    )
    .prepare()
  return (namespaceId: string, mountId?: string): AttachedCopy[] =>
    query
      .all({ namespaceId, mountId: mountId ?? '', all: mountId === undefined ? 1 : 0 })
      .map((row) => ({ ...row, copy: typedCopy(row.copy) as CopyRow }))
}

/** Inside a write: turns copies into removals that need neither their key nor their KMS any more, each with settings of its own. */
export function detachCopies(database: Database, { settings, operationIds, now }: Detached): void {
  const db = database.drizzle
  const change = operationChanges(database)
  for (const [copyId, settingsBox] of settings) {
    const row = db.select().from(copies).where(eq(copies.id, copyId)).get()
    if (!row) continue
    const generation = row.generation + 1
    db.update(copies)
      .set({
        keyId: null,
        kmsId: null,
        settingsBox,
        desired: 'absent',
        generation,
        state: 'pending',
        reason: null,
        attempts: 0,
        nextAttemptAt: now,
      })
      .where(eq(copies.id, copyId))
      .run()
    change.begin({ ...row, generation }, 'remove', operationIds(), now)
  }
}
