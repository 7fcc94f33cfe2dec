/**
 * The database. Every row of a tenant carries its namespace; times are ms since 1970; whatever is secret is a sealed box
 * (core/seal/box.ts). The migrations in migrations/ are generated from this file: `npm run migrations`.
 */

export * from './schema/access.ts'
export * from './schema/copies.ts'
export * from './schema/instance.ts'
export * from './schema/keys.ts'
