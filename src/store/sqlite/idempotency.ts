import { type IdempotencyStore, type IdempotentRow, stillRunning } from '../../core/idempotency.ts'
import type { ProcessStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, eq, gt, sql } from './drizzle.ts'
import { idempotentRequests } from './schema.ts'

/** How long after its change a request may still be at work on its answer, in ms: longer than any waits for a cloud. */
const longestWorkMs = 120_000
/** So many rows that ran out go with each new one. */
const prunedAtOnce = 20

export function idempotencyStore(database: Database, processes: ProcessStore): IdempotencyStore {
  const db = database.drizzle
  const find = db
    .select()
    .from(idempotentRequests)
    .where(
      and(eq(idempotentRequests.id, sql.placeholder('id')), gt(idempotentRequests.expiresAt, sql.placeholder('now'))),
    )
    .prepare()
  const prune = database.sqlite.prepare<[number, number]>(
    'DELETE FROM idempotent_requests WHERE id IN (SELECT id FROM idempotent_requests WHERE expires_at <= ? LIMIT ?)',
  )
  const put = database.sqlite.prepare<[string, string, string | null, Buffer, number, number]>(
    'INSERT OR REPLACE INTO idempotent_requests (id, namespace_id, owner, box, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const answer = database.sqlite.prepare<[Buffer, string]>(
    'UPDATE idempotent_requests SET box = ?, owner = NULL WHERE id = ?',
  )
  /** Inside a write. One that has run out is replaced. */
  const insert = ({ id, namespaceId, box, createdAt, expiresAt }: IdempotentRow, by: string | null) => {
    if (find.get({ id, now: createdAt })) throw stillRunning()
    put.run(id, namespaceId, by, box, createdAt, expiresAt)
    prune.run(createdAt, prunedAtOnce)
  }
  /** Whether the process that wrote a row may still be at work on it. This one knows its own requests. */
  const isRunning = (owner: string | null) => owner !== null && owner !== processes.self && !processes.isDead(owner)
  database.recordWith((row) => insert(row, processes.self))
  return {
    find: (id, now) => {
      const row = find.get({ id, now })
      return row && { ...row, running: isRunning(row.owner) && now < row.createdAt + longestWorkMs }
    },
    keep: (row) => database.write(() => insert(row, null)),
    answer: (id, box) => database.write(() => void answer.run(box, id)),
  }
}
