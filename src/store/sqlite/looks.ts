import type { CopyRow, LookStore } from '../../core/store.ts'
import { type CopyRecord, typedCopy } from './copy-queries.ts'
import type { Database } from './database.ts'
import { and, asc, eq, gt, lte, sql } from './drizzle.ts'
import { metaRows } from './meta-rows.ts'
import { holdName } from './restore.ts'
import { copies } from './schema.ts'

export function lookStore(database: Database): LookStore {
  const db = database.drizzle
  const meta = metaRows(database)
  // In the words of the index `copies_look`, without which each look for due copies would read all of them.
  const lookable = sql`state <> 'pending' AND desired = 'present'`
  const nextCollection = database.sqlite
    .prepare<[string], string>(
      `SELECT collection FROM copies WHERE state <> 'pending' AND desired = 'present' AND collection > ?
       ORDER BY collection LIMIT 1`,
    )
    .pluck()
  const due = db
    .select()
    .from(copies)
    .where(
      and(
        lookable,
        eq(copies.collection, sql.placeholder('collection')),
        lte(copies.nextLookAt, sql.placeholder('now')),
      ),
    )
    .orderBy(asc(copies.nextLookAt))
    .limit(sql.placeholder('limit'))
    .prepare()
  const ofKms = db
    .select()
    .from(copies)
    .where(and(lookable, eq(copies.kmsId, sql.placeholder('kmsId')), gt(copies.id, sql.placeholder('after'))))
    .orderBy(asc(copies.id))
    .limit(sql.placeholder('limit'))
    .prepare()
  const claim = db
    .update(copies)
    .set({ nextLookAt: sql`${sql.placeholder('next')}` })
    .where(and(eq(copies.id, sql.placeholder('id')), eq(copies.nextLookAt, sql.placeholder('seen'))))
    .prepare()
  const typed = (rows: CopyRecord[]) => rows.map((row) => typedCopy(row) as CopyRow)
  return {
    collections: (after, limit) => {
      // One step of the index for each, however many copies a collection has.
      const found: string[] = []
      for (let last = nextCollection.get(after); last !== undefined; last = nextCollection.get(last)) {
        found.push(last)
        if (found.length >= limit) break
      }
      return found
    },
    due: (collection, now, limit) => typed(due.all({ collection, now, limit })),
    ofKms: (kmsId, after, limit) => typed(ofKms.all({ kmsId, after, limit })),
    claim: (id, seen, next) => database.write(() => claim.run({ id, seen, next: Math.ceil(next) }).changes > 0),
    found: (seen, drift, now, repair) =>
      database.write(() => {
        const row = db.select().from(copies).where(eq(copies.id, seen.id)).get()
        const same = row?.generation === seen.generation && row.fence === seen.fence && row.state === seen.state
        if (!row || !same) return false
        const restore = repair && row.repair === 'restore' && meta.get(holdName) === undefined
        const due = restore ? { state: 'pending' as const, nextAttemptAt: now, attempts: 0 } : {}
        const kept = restore ? drift.map((entry) => ({ ...entry, triedAt: now })) : drift
        db.update(copies)
          .set({ drift: kept, lookedAt: now, ...due })
          .where(eq(copies.id, row.id))
          .run()
        if (restore || JSON.stringify(row.drift) !== JSON.stringify(drift)) database.touch(row.mountId)
        return true
      }),
  }
}
