import type { Protection, Purpose } from '../../core/kms/provider.ts'
import type { CopyOptions, CopyRow } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, asc, eq, gt, sql } from './drizzle.ts'
import { copies, copyVersions, keys, kms } from './schema.ts'

export type CopyRecord = typeof copies.$inferSelect

/** The prepared reads of copies. */
export function copyQueries({ drizzle: db }: Database) {
  return {
    byId: db
      .select()
      .from(copies)
      .where(eq(copies.id, sql.placeholder('id')))
      .prepare(),
    find: db
      .select()
      .from(copies)
      .where(and(eq(copies.keyId, sql.placeholder('keyId')), eq(copies.kmsId, sql.placeholder('kmsId'))))
      .prepare(),
    versions: db
      .select()
      .from(copyVersions)
      .where(eq(copyVersions.copyId, sql.placeholder('copyId')))
      .orderBy(asc(copyVersions.version))
      .prepare(),
    kmsNames: db
      .select({ name: kms.name })
      .from(copies)
      .innerJoin(kms, eq(kms.id, copies.kmsId))
      .where(and(eq(copies.keyId, sql.placeholder('keyId')), eq(copies.desired, 'present')))
      .orderBy(asc(kms.name))
      .prepare(),
    keyNames: db
      .select({ name: keys.name })
      .from(copies)
      .innerJoin(keys, eq(keys.id, copies.keyId))
      .where(and(eq(copies.kmsId, sql.placeholder('kmsId')), eq(copies.desired, 'present')))
      .orderBy(asc(keys.name))
      .prepare(),
    anyDelivered: db
      .select({ id: copies.id })
      .from(copies)
      .where(and(eq(copies.kmsId, sql.placeholder('kmsId')), gt(copies.seenGeneration, 0)))
      .limit(1)
      .prepare(),
  }
}

/** The words of a row, as the core knows them: nothing but the core ever wrote them. */
export function typedCopy(row: CopyRecord | undefined): CopyRow | undefined {
  return (
    row && {
      ...row,
      protection: row.protection as Protection,
      purposes: row.purposes as Purpose[],
      options: row.options as CopyOptions,
    }
  )
}
