import type { Database } from './database.ts'

/** Reads and, inside a write, changes of the small facts in `meta`. */
export function metaRows({ sqlite }: Database) {
  const get = sqlite.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck()
  const put = sqlite.prepare(
    'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  )
  const remove = sqlite.prepare('DELETE FROM meta WHERE key = ?')
  const under = sqlite.prepare<[string, string], { key: string; value: string }>(
    'SELECT key, value FROM meta WHERE key >= ? AND key < ? ORDER BY key',
  )
  return {
    get: (key: string): string | undefined => get.get(key),
    put: (key: string, value: string): void => void put.run(key, value),
    remove: (key: string): void => void remove.run(key),
    /** All whose names begin with `prefix`; `key` is what follows it. */
    under: (prefix: string): { key: string; value: string }[] =>
      under.all(prefix, `${prefix}\u{10ffff}`).map(({ key, value }) => ({ key: key.slice(prefix.length), value })),
  }
}
