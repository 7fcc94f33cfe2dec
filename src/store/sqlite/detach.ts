import type { AttachedCopy, CopyRow, Detached, KmsRow } from '../../core/store.ts'
import { type CopyRecord, typedCopy } from './copy-queries.ts'
import type { Database } from './database.ts'
import { and, eq, sql } from './drizzle.ts'
import { operationChanges } from './operations.ts'
import { copies, kms } from './schema.ts'

/** Copies of a namespace that still have a key and a KMS, with the settings of each. */
export function attachedToNamespace(database: Database): (namespaceId: string) => AttachedCopy[] {
  const query = attached(database, ofNamespace)
  return (namespaceId) => typed(query.all({ namespaceId }))
}

/** The same, of one mount of it. */
export function attachedToMount(database: Database): (namespaceId: string, mountId: string) => AttachedCopy[] {
  const query = attached(database, and(ofNamespace, eq(copies.mountId, sql.placeholder('mountId'))))
  return (namespaceId, mountId) => typed(query.all({ namespaceId, mountId }))
}

const ofNamespace = eq(copies.namespaceId, sql.placeholder('namespaceId'))

function attached({ drizzle: db }: Database, which: typeof ofNamespace | undefined) {
  return db.select({ copy: copies, kms }).from(copies).innerJoin(kms, eq(kms.id, copies.kmsId)).where(which).prepare()
}

function typed(rows: { copy: CopyRecord; kms: KmsRow }[]): AttachedCopy[] {
  return rows.map((row) => ({ ...row, copy: typedCopy(row.copy) as CopyRow }))
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
