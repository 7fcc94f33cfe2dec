import { blob, index, integer, primaryKey, real, sql, sqliteTable, text, uniqueIndex } from './drizzle.ts'

/**
 * The database. Every row of a tenant carries its namespace; times are ms since 1970; whatever is secret is a sealed box
 * (core/seal/box.ts). The migrations in migrations/ are generated from this file: `npm run migrations`.
 */

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
  },
  (t) => [uniqueIndex('keys_name').on(t.mountId, t.name)],
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
    createdAt: integer('created_at').notNull(),
  },
  (t) => [uniqueIndex('wrapping_keys_current').on(t.collection).where(sql`state <> 'retired'`)],
)

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
    /** When a delete was first sent whose effect is not known; null: none is out. */
    deleteSentAt: integer('delete_sent_at'),
    leaseOwner: text('lease_owner'),
    leaseUntil: integer('lease_until').notNull(),
    fence: integer().notNull(),
  },
  (t) => [
    uniqueIndex('copies_pair').on(t.keyId, t.kmsId),
    index('copies_kms').on(t.kmsId),
    index('copies_mount').on(t.mountId),
    index('copies_due').on(t.nextAttemptAt).where(sql`state = 'pending'`),
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
    index('operations_finished').on(t.finishedAt),
  ],
)

export const tokens = sqliteTable(
  'tokens',
  {
    /** The JWT's jti, random. */
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    accessor: text().notNull(),
    parentId: text('parent_id'),
    type: text().notNull(),
    displayName: text('display_name').notNull(),
    policies: text({ mode: 'json' }).$type<string[]>().notNull(),
    meta: text({ mode: 'json' }).$type<Record<string, string>>().notNull(),
    path: text().notNull(),
    role: text().notNull(),
    renewable: integer({ mode: 'boolean' }).notNull(),
    /** Seconds; 0: none. */
    creationTtl: integer('creation_ttl').notNull(),
    explicitMaxTtl: integer('explicit_max_ttl').notNull(),
    period: integer().notNull(),
    /** What is left of them; 0: any number. */
    numUses: integer('num_uses').notNull(),
    boundCidrs: text('bound_cidrs', { mode: 'json' }).$type<string[]>().notNull(),
    createdAt: integer('created_at').notNull(),
    renewedAt: integer('renewed_at'),
    /** Null: never. */
    expiresAt: integer('expires_at'),
    /** What renewal cannot go beyond: the `exp` of the JWT. */
    outerBound: integer('outer_bound').notNull(),
    /** SHA-256 of an opaque token (dev only), hex; null for JWTs. */
    digest: text(),
  },
  (t) => [
    uniqueIndex('tokens_accessor').on(t.accessor),
    uniqueIndex('tokens_digest').on(t.digest),
    index('tokens_parent').on(t.parentId),
    index('tokens_namespace').on(t.namespaceId),
    index('tokens_expiry').on(t.expiresAt),
  ],
)

/** The keys that sign tokens; the private half sealed under the root namespace's data key. */
export const signingKeys = sqliteTable('signing_keys', {
  kid: text().primaryKey(),
  algorithm: text().notNull(),
  publicJwk: text('public_jwk', { mode: 'json' }).$type<Record<string, string>>().notNull(),
  box: blob({ mode: 'buffer' }).notNull(),
  createdAt: integer('created_at').notNull(),
  retiredAt: integer('retired_at'),
})

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

/** Roles of doors (token, AppRole, JWT): what a token made through one is like. */
export const roles = sqliteTable(
  'roles',
  {
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    /** The door: `token`, or the id of an auth mount. */
    door: text().notNull(),
    name: text().notNull(),
    config: text({ mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    /** AppRole's role id, the OAuth client id: unique over all namespaces. */
    roleId: text('role_id'),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [uniqueIndex('roles_name').on(t.namespaceId, t.door, t.name), uniqueIndex('roles_role_id').on(t.roleId)],
)

/** Secret ids of AppRoles: only a hash of each. */
export const secretIds = sqliteTable(
  'secret_ids',
  {
    accessor: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    /** The row of the role, not its role id. */
    role: text().notNull(),
    digest: text().notNull(),
    meta: text({ mode: 'json' }).$type<Record<string, string>>().notNull(),
    cidrs: text({ mode: 'json' }).$type<string[]>().notNull(),
    tokenCidrs: text('token_cidrs', { mode: 'json' }).$type<string[]>().notNull(),
    /** Uses left; 0: any number. */
    numUses: integer('num_uses').notNull(),
    ttl: integer().notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at'),
  },
  (t) => [uniqueIndex('secret_ids_digest').on(t.role, t.digest), index('secret_ids_expiry').on(t.expiresAt)],
)

/** Doors other than tokens: where `auth/<path>/login` leads. */
export const authMounts = sqliteTable(
  'auth_mounts',
  {
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    /** With its final slash: `approle/`. */
    path: text().notNull(),
    type: text().notNull(),
    accessor: text().notNull(),
    description: text().notNull(),
    tune: text({ mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    /** What `auth/<path>/config` holds: nothing secret. */
    config: text({ mode: 'json' }).$type<Record<string, unknown>>().notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [uniqueIndex('auth_mounts_path').on(t.namespaceId, t.path)],
)

/** Answers that wait, sealed, to be unwrapped once. */
export const wrapped = sqliteTable(
  'wrapped',
  {
    /** The id of the wrapping token. */
    id: text().primaryKey(),
    namespaceId: text('namespace_id').notNull(),
    accessor: text().notNull(),
    creationPath: text('creation_path').notNull(),
    box: blob({ mode: 'buffer' }).notNull(),
    ttl: integer().notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (t) => [index('wrapped_expiry').on(t.expiresAt)],
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
