import type { DriftEntry } from '../../../core/store.ts'
import { blob, index, integer, primaryKey, sql, sqliteTable, text, uniqueIndex } from '../drizzle.ts'

/** Who holds a name in a collection, over all namespaces; names are compared in lower case. */
export const remoteNames = sqliteTable(
  'remote_names',
  { collection: text().notNull(), name: text().notNull(), holder: text().notNull() },
  (t) => [primaryKey({ columns: [t.collection, t.name] }), index('remote_names_holder').on(t.holder)],
)

/** A key in a KMS: what should be there, and how far it got. A removal that outlived its request has no key or KMS any more. */
export const copies = sqliteTable(
  'copies',
  {
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    mountId: text('mount_id').notNull(),
    keyId: text('key_id'),
    kmsId: text('kms_id'),
    collection: text().notNull(),
    remoteName: text('remote_name').notNull(),
    protection: text().notNull(),
    purposes: text({ mode: 'json' }).$type<string[]>().notNull(),
    options: text({ mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    desired: text({ enum: ['present', 'absent'] }).notNull(),
    generation: integer().notNull(),
    seenGeneration: integer('seen_generation').notNull(),
    state: text({ enum: ['pending', 'settled', 'stopped'] }).notNull(),
    reason: text(),
    attempts: integer().notNull(),
    nextAttemptAt: integer('next_attempt_at').notNull(),
    distributedAt: integer('distributed_at').notNull(),
    /** Only of a removal without a KMS: the settings to remove with. */
    settingsBox: blob('settings_box', { mode: 'buffer' }),
    /** When a delete was last sent whose effect is not known; null: none is out. */
    deleteSentAt: integer('delete_sent_at'),
    /** When a recovery of the deleted key was last sent that may still have its effect; null: none is out. */
    recoverySentAt: integer('recovery_sent_at'),
    leaseOwner: text('lease_owner'),
    leaseUntil: integer('lease_until').notNull(),
    fence: integer().notNull(),
    repair: text({ enum: ['report', 'restore'] })
      .notNull()
      .default('report'),
    /** What was found in the cloud that should be otherwise. */
    drift: text({ mode: 'json' }).$type<DriftEntry[]>().notNull().default([]),
    nextLookAt: integer('next_look_at').notNull().default(0),
    lookedAt: integer('looked_at'),
  },
  (t) => [
    uniqueIndex('copies_pair').on(t.keyId, t.kmsId),
    index('copies_kms').on(t.kmsId),
    index('copies_mount').on(t.mountId),
    index('copies_due').on(t.nextAttemptAt).where(sql`state = 'pending'`),
    index('copies_lane').on(t.namespaceId, t.collection, t.nextAttemptAt).where(sql`state = 'pending'`),
    index('copies_drifted').on(t.drift).where(sql`drift <> '[]'`),
    index('copies_look').on(t.collection, t.nextLookAt).where(sql`state <> 'pending' AND desired = 'present'`),
  ],
)

export const copyVersions = sqliteTable(
  'copy_versions',
  {
    copyId: text('copy_id').notNull(),
    version: integer().notNull(),
    namespaceId: text('namespace_id').notNull(),
    importId: text('import_id').notNull(),
    /** When an import was last sent whose answer is not known; null: none is out. */
    sentAt: integer('sent_at'),
    remoteVersion: text('remote_version'),
    seenAt: integer('seen_at'),
    enabled: integer({ mode: 'boolean' }),
  },
  (t) => [primaryKey({ columns: [t.copyId, t.version] })],
)

/** Somebody waiting for a generation of a copy to be seen. */
export const operations = sqliteTable(
  'operations',
  {
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    mountId: text('mount_id').notNull(),
    copyId: text('copy_id').notNull(),
    generation: integer().notNull(),
    kind: text().notNull(),
    state: text({ enum: ['pending', 'succeeded', 'failed', 'superseded'] }).notNull(),
    reason: text(),
    successor: text(),
    createdAt: integer('created_at').notNull(),
    finishedAt: integer('finished_at'),
  },
  (t) => [
    index('operations_copy').on(t.copyId, t.generation),
    index('operations_namespace').on(t.namespaceId, t.createdAt),
    index('operations_mount').on(t.mountId, t.id),
    index('operations_finished').on(t.finishedAt),
    index('operations_pending').on(t.kind).where(sql`state = 'pending'`),
  ],
)
