import { blob, index, integer, sqliteTable, text, uniqueIndex } from '../drizzle.ts'

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
