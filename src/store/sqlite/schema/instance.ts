import { blob, index, integer, primaryKey, real, sql, sqliteTable, text, uniqueIndex } from '../drizzle.ts'

/** What the file says of itself: `root_id` (which root key seals it) and `instance_id`. */
export const meta = sqliteTable('meta', { key: text().primaryKey(), value: text().notNull() })

export const namespaces = sqliteTable(
  'namespaces',
  {
    id: text().primaryKey(),
    parentId: text('parent_id'),
    /** Without slashes at its ends; '' is the root. */
    path: text().notNull(),
    customMetadata: text('custom_metadata', { mode: 'json' }).$type<Record<string, string>>().notNull(),
    createdAt: integer('created_at').notNull(),
    /** Set once it is deleted while keys of it are still being removed from clouds: then nobody can reach it. */
    deletedAt: integer('deleted_at'),
  },
  (t) => [
    uniqueIndex('namespaces_path').on(t.path).where(sql`deleted_at is null`),
    index('namespaces_parent').on(t.parentId),
  ],
)

/** Per-namespace keys that seal everything else, themselves sealed under the root key. */
export const dataKeys = sqliteTable(
  'data_keys',
  {
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    rootId: text('root_id').notNull(),
    box: blob({ mode: 'buffer' }).notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [index('data_keys_namespace').on(t.namespaceId, t.createdAt)],
)

export const mounts = sqliteTable(
  'mounts',
  {
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    /** With its final slash, as Vault shows it: `keymgmt/`. */
    path: text().notNull(),
    type: text().notNull(),
    accessor: text().notNull(),
    description: text().notNull(),
    config: text({ mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [uniqueIndex('mounts_path').on(t.namespaceId, t.path)],
)

/** ACL policies, as they were written. */
export const policies = sqliteTable(
  'policies',
  {
    namespaceId: text('namespace_id').notNull(),
    name: text().notNull(),
    rules: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.namespaceId, t.name] })],
)

/** Requests with an `Idempotency-Key`: each row is written with the first change that its request makes. */
export const idempotentRequests = sqliteTable(
  'idempotent_requests',
  {
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    /** The process that is at work on the answer; null once there is one. */
    owner: text(),
    /** What tells another body apart, and the answer. */
    box: blob({ mode: 'buffer' }).notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (t) => [
    index('idempotent_requests_expiry').on(t.expiresAt),
    index('idempotent_requests_namespace').on(t.namespaceId),
  ],
)

/** How much of each kind a namespace has: kept in the same changes as what is counted. */
export const usage = sqliteTable(
  'usage',
  {
    namespaceId: text('namespace_id').notNull(),
    kind: text({ enum: ['namespaces', 'keys', 'versions', 'kms', 'tokens', 'operations'] }).notNull(),
    used: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.namespaceId, t.kind] })],
)

/** Rate limits: by namespace and mount. */
export const rateLimits = sqliteTable(
  'rate_limits',
  {
    namespaceId: text('namespace_id').notNull(),
    name: text().notNull(),
    /** Path under the namespace that it is for; '' is all. */
    path: text().notNull(),
    rate: real().notNull(),
    /** Seconds. */
    interval: integer().notNull(),
    /** Seconds during which a caller that went over is refused; 0: none. */
    blockInterval: integer('block_interval').notNull(),
    role: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.namespaceId, t.name] })],
)

/** Secrets of the instance that are no namespace's: `audit` salts and chains the audit log. Sealed under the root namespace's key. */
export const instanceSecrets = sqliteTable('instance_secrets', {
  name: text().primaryKey(),
  box: blob({ mode: 'buffer' }).notNull(),
})

/** How far each chain of the audit log got, so that a cut-off end shows. */
export const auditHeads = sqliteTable(
  'audit_heads',
  {
    sink: text().notNull(),
    run: text().notNull(),
    sequence: integer().notNull(),
    mac: text().notNull(),
    at: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.sink, t.run] })],
)
