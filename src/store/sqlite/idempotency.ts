import { randomUUID } from 'node:crypto'
import { type IdempotencyStore, type IdempotentRow, stillRunning } from '../../core/idempotency.ts'
import type { Database } from './database.ts'
import { and, eq, gt, sql } from './drizzle.ts'
import { idempotentRequests } from './schema.ts'

/** How long after its change a request may still be at work on its answer, in ms: longer than any waits for a cloud. */
const longestWorkMs = 120_000
/** So many rows that ran out go with each new one. */
const prunedAtOnce = 20

/** Of the stores that this process has open. A process id alone says little: in a container it is the same after each start. */
const openHere = new Set<string>()

export function idempotencyStore(database: Database): IdempotencyStore {
  const db = database.drizzle
  const owner = `${process.pid}:${randomUUID()}`
  openHere.add(owner)
  database.onClose(() => openHere.delete(owner))
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
  database.recordWith((row) => insert(row, owner))
  return {
    find: (id, now) => {
      const row = find.get({ id, now })
      return row && { ...row, running: isRunning(row.owner, owner) && now < row.createdAt + longestWorkMs }
    },
    keep: (row) => database.write(() => insert(row, null)),
    answer: (id, box) => database.write(() => void answer.run(box, id)),
  }
}

/** Whether the process that wrote a row may still be at work on it. Processes that share a file are on one machine. */
function isRunning(owner: string | null, self: string): boolean {
  if (owner === null || owner === self) return false
  const pid = Number(owner.slice(0, owner.indexOf(':')))
  if (pid === process.pid) return openHere.has(owner)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
