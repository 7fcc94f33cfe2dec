import { KeyferryError } from '../../core/errors.ts'
import type { LiveProcess, SealStore } from '../../core/seal/seal-store.ts'
import type { Database } from './database.ts'
import { metaRows } from './meta-rows.ts'
import { processPrefix, rootIdName, rootRotationName, sealsPrefix } from './sealed-places.ts'

/** Who works on the file, which root keys they hold, and the change from one root key to another. */
export function processStore(
  database: Database,
): Pick<SealStore, 'enter' | 'beat' | 'leave' | 'live' | 'rootRotation' | 'switchRoot' | 'endRootRotation'> {
  const meta = metaRows(database)
  const rootsInUse = database.sqlite.prepare<[], string>('SELECT DISTINCT root_id FROM data_keys').pluck()
  const exists = database.sqlite.prepare('SELECT 1 FROM data_keys WHERE id = ?').pluck()
  const forgetCounts = database.sqlite.prepare(
    `DELETE FROM meta WHERE key >= '${sealsPrefix}' AND key < '${sealsPrefix}~' AND substr(key, ${sealsPrefix.length + 1}) NOT IN (SELECT id FROM data_keys)`,
  )
  const put = (process: LiveProcess) => meta.put(processPrefix + process.id, JSON.stringify(process))
  const add = (seals: ReadonlyMap<string, number>) => {
    const totals = new Map<string, number>()
    for (const [dataKeyId, count] of seals) {
      if (!exists.get(dataKeyId)) continue
      const total = Number(meta.get(sealsPrefix + dataKeyId) ?? 0) + count
      meta.put(sealsPrefix + dataKeyId, String(total))
      totals.set(dataKeyId, total)
    }
    return totals
  }
  const seenSince = (since: number): LiveProcess[] => {
    const all = meta.under(processPrefix).map(({ value }) => JSON.parse(value) as LiveProcess)
    for (const { id, seenAt } of all) if (seenAt < since) meta.remove(processPrefix + id)
    return all.filter(({ seenAt }) => seenAt >= since)
  }
  return {
    enter: (process) =>
      database.write(() => {
        const named = meta.get(rootIdName) ?? ''
        for (const id of new Set([named, ...rootsInUse.all()])) {
          if (process.roots.includes(id)) continue
          throw new KeyferryError(
            'corrupt',
            id === named
              ? `the root key is not the one of this database: the database wants ${id}`
              : `the rotation of the root key is not finished: data keys are still under root key ${id}, which is needed as the previous one`,
          )
        }
        // Of namespaces that are gone.
        forgetCounts.run()
        put(process)
      }),
    beat: (process, seals) =>
      database.write(() => {
        put(process)
        return add(seals)
      }),
    leave: (id, seals) =>
      database.write(() => {
        meta.remove(processPrefix + id)
        add(seals)
      }),
    live: (since) => database.write(() => seenSince(since)),

    rootRotation: () => {
      const value = meta.get(rootRotationName)
      return value === undefined ? undefined : JSON.parse(value)
    },
    switchRoot: (rotation, since) =>
      database.write(() => {
        const { from, to } = rotation
        const named = meta.get(rootIdName)
        if (named !== from) {
          throw new KeyferryError('conflict', `the database names the root key ${named}, and no longer ${from}`)
        }
        const without = seenSince(since).filter(({ roots }) => !roots.includes(to))
        if (without.length > 0) {
          throw new KeyferryError(
            'conflict',
            `${without.map(({ name }) => name).join(', ')} would be left without the new root key: restart with the new one and the old one as the previous, then try again`,
          )
        }
        meta.put(rootIdName, to)
        meta.put(rootRotationName, JSON.stringify(rotation))
      }),
    endRootRotation: () =>
      database.write(() => {
        const named = meta.get(rootIdName)
        if (rootsInUse.all().some((id) => id !== named)) return false
        meta.remove(rootRotationName)
        return true
      }),
  }
}
