import { KeyferryError } from '../../core/errors.ts'
import type { Cursor, SealedBox, SealStore } from '../../core/seal/seal-store.ts'
import type { DataKeyRow } from '../../core/store.ts'
import type { Database } from './database.ts'
import { metaRows } from './meta-rows.ts'
import { processStore } from './processes.ts'
import { replacedPrefix, retiredPrefix, type SealedPlace, sealedPlaces, sealsPrefix } from './sealed-places.ts'

const columns = 'id, namespace_id AS namespaceId, root_id AS rootId, box, created_at AS createdAt'

interface Walk {
  place: number
  key: (string | number)[]
}

/** Rotation of root key and data keys: what core/seal asks of a store. */
export function sealStore(database: Database): SealStore {
  const { sqlite } = database
  const meta = metaRows(database)
  const notUnder = sqlite.prepare<[string, number], DataKeyRow>(
    `SELECT ${columns} FROM data_keys WHERE root_id <> ? LIMIT ?`,
  )
  const rewrap = sqlite.prepare('UPDATE data_keys SET root_id = ?, box = ? WHERE id = ? AND root_id = ?')
  const dataKeysOf = sqlite.prepare<[string], { id: string; createdAt: number }>(
    'SELECT id, created_at AS createdAt FROM data_keys WHERE namespace_id = ?',
  )
  const insert = sqlite.prepare(
    'INSERT INTO data_keys (id, namespace_id, root_id, box, created_at) VALUES (?, ?, ?, ?, ?)',
  )
  const exists = sqlite.prepare<[string], { namespaceId: string }>(
    'SELECT namespace_id AS namespaceId FROM data_keys WHERE id = ?',
  )
  const drop = sqlite.prepare('DELETE FROM data_keys WHERE id = ?')
  const alive = sqlite.prepare('SELECT 1 FROM namespaces WHERE id = ?').pluck()
  const namespaceIds = sqlite
    .prepare<[string, number], string>('SELECT id FROM namespaces WHERE id > ? ORDER BY id LIMIT ?')
    .pluck()
  const pages = sealedPlaces.map((place) => pageOf(database, place))
  const replace = new Map(
    sealedPlaces.map(({ table, key, box }) => [
      table,
      sqlite.prepare(
        `UPDATE ${table} SET ${box} = ? WHERE ${key.map((name) => `${name} = ?`).join(' AND ')} AND ${box} = ?`,
      ),
    ]),
  )
  const forgetDataKey = (id: string) => {
    for (const prefix of [replacedPrefix, retiredPrefix, sealsPrefix]) meta.remove(prefix + id)
  }
  return {
    ...processStore(database),
    dataKeysNotUnder: (rootId, limit) => notUnder.all(rootId, limit),
    rewrapDataKey: (row, rootId, box) => database.write(() => void rewrap.run(rootId, box, row.id, row.rootId)),
    replaceDataKey: (row) =>
      database.write(() => {
        if (!alive.get(row.namespaceId)) throw new KeyferryError('not_found', 'the namespace is gone')
        const before = dataKeysOf.all(row.namespaceId)
        // The newest is the one that seals, whatever clocks say.
        const createdAt = Math.max(row.createdAt, ...before.map((one) => one.createdAt + 1))
        for (const { id } of before) {
          if (meta.get(replacedPrefix + id) === undefined) meta.put(replacedPrefix + id, String(row.createdAt))
        }
        insert.run(row.id, row.namespaceId, row.rootId, row.box, createdAt)
      }),
    replaced: () =>
      meta.under(replacedPrefix).map(({ key, value }) => ({
        dataKeyId: key,
        namespaceId: exists.get(key)?.namespaceId ?? '',
        since: Number(value),
        retired: meta.get(retiredPrefix + key) !== undefined,
      })),
    retireDataKey: (dataKeyId) => database.write(() => meta.put(retiredPrefix + dataKeyId, '1')),
    boxes: (after, limit) => {
      const at = (after as Walk | undefined) ?? { place: 0, key: [] }
      const boxes = pages[at.place]?.(at.key, limit) ?? []
      const last = boxes.at(-1)
      if (boxes.length === limit && last)
        return { boxes, next: { place: at.place, key: [...last.key] } satisfies Cursor }
      const next = at.place + 1 < pages.length ? { place: at.place + 1, key: [] } : undefined
      return { boxes, next }
    },
    reseal: (changes) =>
      database.write(() => {
        let replaced = 0
        for (const { from, box } of changes) {
          replaced += replace.get(from.place)?.run(box, ...from.key, from.box).changes ?? 0
        }
        return replaced
      }),
    dropDataKey: (dataKeyId) =>
      database.write(() => {
        const known = exists.get(dataKeyId)
        if (known && meta.get(retiredPrefix + dataKeyId) === undefined)
          throw new KeyferryError('conflict', 'a data key that is not retired may still be in use')
        drop.run(dataKeyId)
        forgetDataKey(dataKeyId)
      }),
    namespaceIds: (after, limit) => namespaceIds.all(after, limit),
  }
}

interface BoxRow {
  namespaceId: string
  objectId: string
  version: number
  box: Buffer
  [key: `key${number}`]: string | number
}

/** Reads the boxes of one place in the order of its key, those after `after`. */
function pageOf({ sqlite }: Database, place: SealedPlace): (after: (string | number)[], limit: number) => SealedBox[] {
  const { table, key, box, namespaceId, objectId, version, kind } = place
  const names = key.join(', ')
  const select = (where: string) =>
    sqlite.prepare<(string | number)[], BoxRow>(
      `SELECT ${key.map((name, index) => `${name} AS key${index}`).join(', ')}, ${namespaceId} AS namespaceId,
         ${objectId} AS objectId, ${version} AS version, ${box} AS box
       FROM ${table} WHERE ${box} IS NOT NULL ${where} ORDER BY ${names} LIMIT ?`,
    )
  const first = select('')
  const later = select(`AND (${names}) > (${key.map(() => '?').join(', ')})`)
  return (after, limit) =>
    (after.length === 0 ? first.all(limit) : later.all(...after, limit)).map((row) => ({
      place: table,
      key: key.map((_, index) => row[`key${index}`] ?? ''),
      namespaceId: row.namespaceId,
      binding: { objectId: row.objectId, version: row.version, kind },
      box: row.box,
    }))
}
