import type { CopyStore, DueCopy, Lane, ProcessStore } from '../../core/store.ts'
import type { Database } from './database.ts'

const columns = 'id, namespace_id AS namespaceId, collection'
/** Written out, so that SQLite sees that the indexes of pending copies hold all that is asked for. */
const isDue = `state = 'pending' AND next_attempt_at <= ? AND (lease_until <= ? OR owner_is_dead(lease_owner))`

/**
 * Copies on which work is due. The cost does not grow with how many are pending: both walk an index in its order, past copies that are
 * being worked on, of which there are few.
 */
export function dueQueries({ sqlite }: Database, processes: ProcessStore): Pick<CopyStore, 'due' | 'dueByLane'> {
  sqlite.function('owner_is_dead', (owner) => Number(typeof owner === 'string' && processes.isDead(owner)))
  const due = sqlite.prepare<[number, number, number], DueCopy>(
    `SELECT ${columns} FROM copies INDEXED BY copies_due WHERE ${isDue} ORDER BY next_attempt_at LIMIT ?`,
  )
  const nextLane = sqlite.prepare<[string, string], Lane>(
    `SELECT namespace_id AS namespaceId, collection FROM copies INDEXED BY copies_lane
     WHERE state = 'pending' AND (namespace_id, collection) > (?, ?) ORDER BY namespace_id, collection LIMIT 1`,
  )
  const inLane = sqlite.prepare<[string, string, number, number, number], DueCopy>(
    `SELECT ${columns} FROM copies INDEXED BY copies_lane
     WHERE namespace_id = ? AND collection = ? AND ${isDue} ORDER BY next_attempt_at LIMIT ?`,
  )
  return {
    due: (now, limit) => due.all(now, now, limit),
    dueByLane: (after, now, lanes, each) => {
      const copies: DueCopy[] = []
      let last = after
      for (let count = 0; count < lanes; count++) {
        last = nextLane.get(last?.namespaceId ?? '', last?.collection ?? '')
        if (!last) break
        copies.push(...inLane.all(last.namespaceId, last.collection, now, now, each))
      }
      return { copies, last }
    },
  }
}
