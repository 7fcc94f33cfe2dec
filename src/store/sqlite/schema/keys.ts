import { blob, index, integer, primaryKey, sql, sqliteTable, text, uniqueIndex } from '../drizzle.ts'

export const keys = sqliteTable(
  'keys',
  {
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    mountId: text('mount_id').notNull(),
    name: text().notNull(),
    type: text().notNull(),
    latestVersion: integer('latest_version').notNull(),
    minEnabledVersion: integer('min_enabled_version').notNull(),
    deletionAllowed: integer('deletion_allowed', { mode: 'boolean' }).notNull(),
    replicaRegions: text('replica_regions', { mode: 'json' }).$type<string[]>(),
    createdAt: integer('created_at').notNull(),
    /** In seconds; 0: only when somebody asks. */
    autoRotatePeriod: integer('auto_rotate_period').notNull().default(0),
    nextRotationAt: integer('next_rotation_at'),
    /** After a rotation at most so many are enabled; 0: any number. */
    maxEnabledVersions: integer('max_enabled_versions').notNull().default(0),
  },
  (t) => [
    uniqueIndex('keys_name').on(t.mountId, t.name),
    index('keys_next_rotation').on(t.nextRotationAt).where(sql`next_rotation_at IS NOT NULL`),
  ],
)

export const keyVersions = sqliteTable(
  'key_versions',
  {
    keyId: text('key_id').notNull(),
    version: integer().notNull(),
    namespaceId: text('namespace_id').notNull(),
    publicKey: text('public_key'),
    box: blob({ mode: 'buffer' }).notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.keyId, t.version] })],
)

export const kms = sqliteTable(
  'kms',
  {
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    mountId: text('mount_id').notNull(),
    name: text().notNull(),
    provider: text().notNull(),
    keyCollection: text('key_collection').notNull(),
    /** Provider, key_collection and credentials, sealed: a row that was pointed elsewhere does not open. */
    settingsBox: blob('settings_box', { mode: 'buffer' }).notNull(),
    credentialsGeneration: integer('credentials_generation').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [uniqueIndex('kms_name').on(t.mountId, t.name)],
)

/** Key encryption keys that were made in (or named for) a collection: one in use each, over all namespaces. */
export const wrappingKeys = sqliteTable(
  'wrapping_keys',
  {
    id: text().primaryKey(),
    collection: text().notNull(),
    name: text().notNull(),
    state: text({ enum: ['planned', 'pinned', 'retired'] }).notNull(),
    keyId: text('key_id'),
    fingerprint: text(),
    reason: text(),
    /** What the HSM states about the key, where it does. */
    attestation: text({ mode: 'json' }).$type<Record<string, string>>(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [uniqueIndex('wrapping_keys_current').on(t.collection).where(sql`state <> 'retired'`)],
)
