import type { OperationKind, OperationRow, OperationStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, eq, lte, ne, sql } from './drizzle.ts'
import { operations } from './schema.ts'

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
  return {
    byId: (namespaceId, id) => byId.get({ namespaceId, id }) as OperationRow | undefined,
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
