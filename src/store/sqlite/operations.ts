import type { OperationKind, OperationRow, OperationStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, asc, desc, eq, gt, lte, ne, sql } from './drizzle.ts'
import { copies, operations } from './schema.ts'

/** Of a namespace, or of a deleted one right below it, whose removals nobody else can see. */
const within = sql`(${operations.namespaceId} = ${sql.placeholder('namespaceId')} OR ${operations.namespaceId} IN
  (SELECT id FROM namespaces WHERE parent_id = ${sql.placeholder('namespaceId')} AND deleted_at IS NOT NULL))`

export function operationStore(database: Database): OperationStore {
  const db = database.drizzle
  const byId = db
    .select()
    .from(operations)
    .where(and(eq(operations.namespaceId, sql.placeholder('namespaceId')), eq(operations.id, sql.placeholder('id'))))
    .prepare()
  const prune = database.sqlite.prepare<[number, number]>(
    `DELETE FROM operations WHERE id IN (SELECT id FROM operations WHERE finished_at < ? ORDER BY finished_at LIMIT ?)`,
  )
  const pendingOf = db
    .select({ id: operations.id, kind: operations.kind })
    .from(operations)
    .where(and(eq(operations.copyId, sql.placeholder('copyId')), eq(operations.state, 'pending')))
    .orderBy(desc(operations.generation))
    .limit(1)
    .prepare()
  const belowToo = db
    .select()
    .from(operations)
    .where(and(eq(operations.id, sql.placeholder('id')), within))
    .prepare()
  const page = { after: gt(operations.id, sql.placeholder('after')), limit: sql.placeholder('limit') }
  const ofMount = db
    .select({ id: operations.id })
    .from(operations)
    .where(and(eq(operations.mountId, sql.placeholder('mountId')), page.after))
    .orderBy(asc(operations.id))
    .limit(page.limit)
    .prepare()
  const orphaned = db
    .select({ id: operations.id })
    .from(operations)
    .where(
      and(
        within,
        page.after,
        sql`(NOT EXISTS (SELECT 1 FROM mounts WHERE mounts.id = ${operations.mountId})
          OR EXISTS (SELECT 1 FROM copies WHERE copies.id = ${operations.copyId} AND copies.key_id IS NULL))`,
      ),
    )
    .orderBy(asc(operations.id))
    .limit(page.limit)
    .prepare()
  const copyOf = db
    .select()
    .from(copies)
    .where(eq(copies.id, sql.placeholder('id')))
    .prepare()
  const change = operationChanges(database)
  const ids = (rows: { id: string }[]) => rows.map((row) => row.id)
  return {
    byId: (namespaceId, id) => byId.get({ namespaceId, id }) as OperationRow | undefined,
    pendingOf: (copyId) => pendingOf.get({ copyId }) as { id: string; kind: OperationKind } | undefined,
    belowToo: (namespaceId, id) => belowToo.get({ namespaceId, id }) as OperationRow | undefined,
    ofMount: (mountId, { after = '', limit = -1 } = {}) => ids(ofMount.all({ mountId, after, limit })),
    orphaned: (namespaceId, { after = '', limit = -1 } = {}) => ids(orphaned.all({ namespaceId, after, limit })),
    retry: (id, newId, now) =>
      database.write(() => {
        const operation = db.select().from(operations).where(eq(operations.id, id)).get()
        const copy = operation && copyOf.get({ id: operation.copyId })
        if (!operation || !copy) return undefined
        const due = { state: 'pending' as const, nextAttemptAt: now, attempts: 0 }
        const touched = (operationId: string) => {
          db.update(copies).set(due).where(eq(copies.id, copy.id)).run()
          database.touch(copy.mountId)
          return { copyId: copy.id, operationId }
        }
        if (operation.state === 'pending') return touched(id)
        if (operation.state !== 'failed' || copy.state !== 'stopped') return undefined
        change.begin(copy, operation.kind as OperationKind, newId, now)
        return touched(newId)
      }),
    prune: (endedBefore, limit) => database.write(() => prune.run(endedBefore, limit).changes),
  }
}

/** The changes of operations that go with changes of copies: to be called inside a write. */
export function operationChanges(database: Database) {
  const db = database.drizzle
  const pendingUpTo = (copyId: string, generation: number) =>
    and(eq(operations.copyId, copyId), eq(operations.state, 'pending'), lte(operations.generation, generation))
  return {
    /** Records an operation; older ones of the copy that still wait are superseded by it. */
    begin(
      copy: { id: string; namespaceId: string; mountId: string; generation: number },
      kind: OperationKind,
      id: string,
      now: number,
    ) {
      db.update(operations)
        .set({ state: 'superseded', successor: id, finishedAt: now })
        .where(pendingUpTo(copy.id, copy.generation))
        .run()
      db.insert(operations)
        .values({
          id,
          namespaceId: copy.namespaceId,
          mountId: copy.mountId,
          copyId: copy.id,
          generation: copy.generation,
          kind,
          state: 'pending',
          reason: null,
          successor: null,
          createdAt: now,
          finishedAt: null,
        })
        .run()
    },
    end(copyId: string, generation: number, state: 'succeeded' | 'failed', reason: string | null, now: number) {
      db.update(operations).set({ state, reason, finishedAt: now }).where(pendingUpTo(copyId, generation)).run()
    },
    /** What was delivered before a refusal cannot be taken back yet: whoever waits for the delivery is told why it was refused. */
    refuseDelivery(copyId: string, now: number) {
      db.update(operations)
        .set({ state: 'failed', finishedAt: now })
        .where(and(eq(operations.copyId, copyId), eq(operations.state, 'pending'), ne(operations.kind, 'remove')))
        .run()
    },
    /** Nothing of the copy is left: a removal has succeeded; a delivery that still waits was refused, for the reason noted. */
    gone(copyId: string, now: number) {
      const pending = and(eq(operations.copyId, copyId), eq(operations.state, 'pending'))
      db.update(operations)
        .set({
          state: sql`case when ${operations.kind} = 'remove' then 'succeeded' else 'failed' end`,
          finishedAt: now,
        })
        .where(pending)
        .run()
    },
    note(copyId: string, reason: string) {
      db.update(operations)
        .set({ reason })
        .where(and(eq(operations.copyId, copyId), eq(operations.state, 'pending')))
        .run()
    },
    pending(copyId: string): { id: string; kind: string } | undefined {
      return db
        .select({ id: operations.id, kind: operations.kind })
        .from(operations)
        .where(and(eq(operations.copyId, copyId), eq(operations.state, 'pending')))
        .get()
    },
  }
}
