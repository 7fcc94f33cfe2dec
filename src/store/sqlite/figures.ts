import { statSync } from 'node:fs'
import type { DriftKind, FigureStore, OperationKind, StoreFigures } from '../../core/store.ts'
import type { Database } from './database.ts'

/** How many drifted copies are looked at for one answer: no more of them can make it slow. */
const mostDrifted = 10_000

const objects = ['keys', 'versions', 'kms', 'tokens'] as const

/** What is asked of the database, none of it by looking at every key, copy or operation. */
export const queries = {
  namespaces: 'SELECT count(*) FROM namespaces WHERE deleted_at IS NULL',
  // In one pass: grouped by kind, they would be sorted first.
  usage: `SELECT ${objects.map((kind) => `coalesce(sum(used) FILTER (WHERE kind = '${kind}'), 0) AS ${kind}`).join(', ')} FROM usage`,
  pending: `SELECT kind, count(*) AS count FROM operations WHERE state = 'pending' GROUP BY kind`,
  // Rows are numbered as they come, and an index on a time that they do not have yet holds them in that order.
  oldest: 'SELECT created_at FROM operations WHERE finished_at IS NULL ORDER BY rowid LIMIT 1',
  drifted: `SELECT found.value ->> 'kind' AS kind, count(DISTINCT copy.id) AS count
    FROM (SELECT rowid AS id, drift FROM copies WHERE drift <> '[]' LIMIT ${mostDrifted}) AS copy, json_each(copy.drift) AS found
    GROUP BY 1`,
}

type EndedState = StoreFigures['ended'][number]['state']

/**
 * What is counted for monitoring. Everything is read off an index that holds only what it is about, or off the counters of usage.ts; what
 * came of operations is counted by triggers, so that no way for one to end can be forgotten (a change that is undone afterwards is counted
 * all the same).
 */
export function figureStore(database: Database): FigureStore {
  const { sqlite } = database
  const ended = new Map<string, StoreFigures['ended'][number]>()
  let failedAttempts = 0
  sqlite.function('count_ended', (kind: OperationKind, state: EndedState) => {
    const one = ended.get(`${kind} ${state}`) ?? { kind, state, count: 0 }
    one.count += 1
    ended.set(`${kind} ${state}`, one)
    return null
  })
  sqlite.function('count_failed_attempt', () => {
    failedAttempts += 1
    return null
  })
  sqlite.exec(`
    CREATE TEMP TRIGGER figures_ended AFTER UPDATE OF state ON main.operations
      WHEN OLD.state = 'pending' AND NEW.state <> 'pending' BEGIN SELECT count_ended(NEW.kind, NEW.state); END;
    CREATE TEMP TRIGGER figures_attempts AFTER UPDATE OF attempts ON main.copies
      WHEN NEW.attempts > OLD.attempts BEGIN SELECT count_failed_attempt(); END;`)

  const namespaces = sqlite.prepare<[], number>(queries.namespaces).pluck()
  const usage = sqlite.prepare<[], StoreFigures['objects']>(queries.usage)
  const pending = sqlite.prepare<[], { kind: OperationKind; count: number }>(queries.pending)
  const oldest = sqlite.prepare<[], number>(queries.oldest).pluck()
  const drifted = sqlite.prepare<[], { kind: DriftKind; count: number }>(queries.drifted)
  const pageCount = sqlite.prepare<[], number>('PRAGMA page_count').pluck()
  const pageSize = sqlite.pragma('page_size', { simple: true }) as number

  return {
    read: () => ({
      namespaces: namespaces.get() ?? 0,
      objects: usage.get() ?? { keys: 0, versions: 0, kms: 0, tokens: 0 },
      pending: { distribute: 0, rotate: 0, update: 0, remove: 0, ...byKind(pending.all()) },
      oldestPendingAt: oldest.get() ?? null,
      ended: [...ended.values()],
      failedAttempts,
      drifted: { ...noDrift, ...byKind(drifted.all()) },
      bytes: (pageCount.get() ?? 0) * pageSize,
      logBytes: statSync(`${sqlite.name}-wal`, { throwIfNoEntry: false })?.size ?? 0,
      commits: database.commits,
    }),
  }
}

const noDrift: Record<DriftKind, number> = {
  missing: 0,
  deleted: 0,
  version_missing: 0,
  version_disabled: 0,
  version_enabled: 0,
  version_extra: 0,
  purposes: 0,
  tags: 0,
  times: 0,
  material: 0,
}

function byKind<K extends string>(rows: readonly { kind: K; count: number }[]): Partial<Record<K, number>> {
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, count])) as Partial<Record<K, number>>
}
