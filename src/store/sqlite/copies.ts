import { importIdOf } from '../../core/distribution/import-id.ts'
import { KeyferryError } from '../../core/errors.ts'
import type { CopyStore, Lease, ProcessStore } from '../../core/store.ts'
import { type CopyRecord, copyQueries, typedCopy } from './copy-queries.ts'
import type { Database } from './database.ts'
import { and, eq, sql } from './drizzle.ts'
import { dueQueries } from './due-copies.ts'
import { metaRows } from './meta-rows.ts'
import { endNamespace } from './namespace-removal.ts'
import { operationChanges } from './operations.ts'
import { holdName } from './restore.ts'
import { copies, copyVersions, keys, keyVersions, kms, remoteNames } from './schema.ts'

/** How soon a copy with drift is looked at again once it was worked on, in ms. */
const lookAgainMs = 30_000

export function copyStore(database: Database, uuid: () => string, processes: ProcessStore): CopyStore {
  const db = database.drizzle
  const query = copyQueries(database)
  const due = dueQueries(database, processes)
  const change = operationChanges(database)
  const meta = metaRows(database)

  /** The leased row, or no change at all: somebody else has the lease, or the copy is gone. */
  const leased = ({ copyId, fence }: Lease): CopyRecord => {
    const row = query.byId.get({ id: copyId })
    if (row?.fence !== fence) throw new KeyferryError('conflict', 'the lease of this copy is lost')
    return row
  }
  /** What should be was changed meanwhile: the lease ends, and the copy stays due for what is new. */
  const overtaken = (row: CopyRecord, { generation }: Lease): boolean => {
    if (row.generation === generation) return false
    set(row, free)
    return true
  }
  const set = (row: { id: string; mountId: string }, values: Partial<CopyRecord>) => {
    db.update(copies).set(values).where(eq(copies.id, row.id)).run()
    database.touch(row.mountId)
  }
  const free = { leaseOwner: null, leaseUntil: 0 }
  const soon = (row: CopyRecord, now: number) => ({ nextLookAt: Math.min(row.nextLookAt, now + lookAgainMs) })
  const forget = (copyId: string) => {
    db.delete(copyVersions).where(eq(copyVersions.copyId, copyId)).run()
    db.delete(remoteNames).where(eq(remoteNames.holder, copyId)).run()
    db.delete(copies).where(eq(copies.id, copyId)).run()
  }
  const reserve = (collection: string, name: string, holder: string): boolean =>
    db.insert(remoteNames).values({ collection, name: name.toLowerCase(), holder }).onConflictDoNothing().run()
      .changes === 1
  const setVersion = (copyId: string, version: number, values: Partial<typeof copyVersions.$inferInsert>) => {
    db.update(copyVersions)
      .set(values)
      .where(and(eq(copyVersions.copyId, copyId), eq(copyVersions.version, version)))
      .run()
  }
  /** Every version of the key that the copy does not know yet: all at first, later those made while it should have been gone. */
  const addVersions = ({ id: copyId, namespaceId, keyId }: Pick<CopyRecord, 'id' | 'namespaceId' | 'keyId'>) => {
    const known = new Set(query.versions.all({ copyId }).map((row) => row.version))
    for (const { version } of db
      .select({ version: keyVersions.version })
      .from(keyVersions)
      .where(eq(keyVersions.keyId, keyId ?? ''))
      .all()) {
      if (known.has(version)) continue
      db.insert(copyVersions)
        .values({ copyId, version, namespaceId, importId: importIdOf(version, uuid()) })
        .run()
    }
  }
  /** A copy that is there already: joined while it is under way, tried again where it was refused. */
  const join = (row: CopyRecord, operationId: string, now: number) => {
    const pending = change.pending(row.id)
    if (pending) return { copyId: row.id, operationId: pending.id }
    if (row.state === 'settled') return undefined
    set(row, { state: 'pending', attempts: 0, nextAttemptAt: now })
    change.begin(row, 'distribute', operationId, now)
    return { copyId: row.id, operationId }
  }

  return {
    byId: (id) => typedCopy(query.byId.get({ id })),
    find: (keyId, kmsId) => typedCopy(query.find.get({ keyId, kmsId })),
    versions: (copyId) => query.versions.all({ copyId }),
    kmsNames: (keyId) => query.kmsNames.all({ keyId }).map((row) => row.name),
    keyNames: (kmsId) => query.keyNames.all({ kmsId }).map((row) => row.name),
    anyDelivered: (kmsId) => query.anyDelivered.get({ kmsId }) !== undefined,
    ...due,

    create: (copy, operationId) =>
      database.write(() => {
        const known = query.find.get({ keyId: copy.keyId, kmsId: copy.kmsId })
        if (known) return { copy: typedCopy(known) ?? copy, touched: join(known, operationId, copy.distributedAt) }
        const [keyId, kmsId] = [copy.keyId ?? '', copy.kmsId ?? '']
        const alive =
          db.select({ id: keys.id }).from(keys).where(eq(keys.id, keyId)).get() &&
          db.select({ id: kms.id }).from(kms).where(eq(kms.id, kmsId)).get()
        if (!alive) throw new KeyferryError('not_found', 'the key or the KMS is gone')
        if (!reserve(copy.collection, copy.remoteName, copy.id)) {
          throw new KeyferryError('conflict', `the name "${copy.remoteName}" is taken`)
        }
        db.insert(copies)
          .values({ ...copy, options: { ...copy.options } })
          .run()
        addVersions(copy)
        change.begin(copy, 'distribute', operationId, copy.distributedAt)
        return { copy, touched: { copyId: copy.id, operationId } }
      }, copy.mountId),

    lease: (copyId, owner, now, until) =>
      database.write(() => {
        const row = query.byId.get({ id: copyId })
        if (meta.get(holdName) !== undefined) return undefined
        if (row?.state !== 'pending') return undefined
        const { leaseOwner: holder, leaseUntil } = row
        if (holder !== null && holder !== owner && leaseUntil > now && !processes.isDead(holder)) return undefined
        const lease = { leaseOwner: owner, leaseUntil: until, fence: row.fence + 1 }
        db.update(copies).set(lease).where(eq(copies.id, copyId)).run()
        const copy = typedCopy({ ...row, ...lease })
        return copy && { ...copy, abandoned: holder !== null }
      }),
    extend: (lease, until) => database.write(() => set(leased(lease), { leaseUntil: until })),
    release: (lease) => database.write(() => set(leased(lease), free)),

    rename: (lease, remoteName) =>
      database.write(() => {
        const row = leased(lease)
        if (!reserve(row.collection, remoteName, row.id))
          throw new KeyferryError('already_exists', `the name "${remoteName}" is taken`)
        db.delete(remoteNames)
          .where(and(eq(remoteNames.holder, row.id), sql`${remoteNames.name} <> ${remoteName.toLowerCase()}`))
          .run()
        set(row, { remoteName })
      }),
    sent: (lease, version, at) => database.write(() => setVersion(leased(lease).id, version, { sentAt: at })),
    deleteSent: (lease, at) => database.write(() => set(leased(lease), { deleteSentAt: at })),
    recoverySent: (lease, at) => database.write(() => set(leased(lease), { recoverySentAt: at })),
    seen: (lease, version, { remoteVersion, at, enabled }) =>
      database.write(() => {
        const row = leased(lease)
        const place = remoteVersion === undefined ? {} : { remoteVersion, seenAt: at ?? null, sentAt: null }
        setVersion(row.id, version, { ...place, enabled })
        // With a version more it got on: the next failure is a first one again.
        if (remoteVersion !== undefined) set(row, { attempts: 0 })
        else database.touch(row.mountId)
      }),

    settingState: (lease, versions) =>
      database.write(() => {
        const row = leased(lease)
        for (const version of versions) setVersion(row.id, version, { enabled: null })
      }),

    settle: (lease, now) =>
      database.write(() => {
        const row = leased(lease)
        change.end(row.id, lease.generation, 'succeeded', null, now)
        set(row, { seenGeneration: lease.generation })
        if (!overtaken(row, lease)) {
          // What was found there may have been put right just now.
          const next = row.drift.length > 0 && soon(row, now)
          set(row, { ...free, ...next, state: 'settled', reason: null, attempts: 0 })
        }
      }),
    postpone: (lease, reason, nextAttemptAt, failed) =>
      database.write(() => {
        const row = leased(lease)
        if (overtaken(row, lease)) return
        const attempts = row.attempts + (failed ? 1 : 0)
        set(row, { ...free, reason, nextAttemptAt: Math.ceil(nextAttemptAt), attempts })
        // A delivery that is being taken back keeps the reason why it was refused.
        if (row.settingsBox === null) change.note(row.id, reason)
      }),
    stop: (lease, reason, now) =>
      database.write(() => {
        const row = leased(lease)
        if (overtaken(row, lease)) return
        // What stands in the way may be drift that can be put right.
        set(row, { ...free, ...(row.repair === 'restore' && soon(row, now)), state: 'stopped', reason })
        change.end(row.id, row.generation, 'failed', reason, now)
      }),
    notRestored: (lease, reason, now) =>
      database.write(() => {
        const row = leased(lease)
        if (overtaken(row, lease)) return
        const drift = row.drift.map((entry) => ({ ...entry, notRestored: reason }))
        set(row, { ...free, ...soon(row, now), drift, state: 'settled', reason: null, attempts: 0 })
        change.end(row.id, row.generation, 'failed', reason, now)
      }),

    setRepair: (copyId, repair) =>
      database.write(() => {
        const row = query.byId.get({ id: copyId })
        if (row) set(row, { repair })
      }),
    requestRemoval: (copyId, operationId, now, check) =>
      database.write(() => {
        const row = query.byId.get({ id: copyId })
        const copy = typedCopy(row)
        if (!row || !copy) throw new KeyferryError('not_found', 'the key is not in this KMS')
        check?.(copy)
        const under = row.desired === 'absent' ? change.pending(copyId) : undefined
        if (under) return { copyId, operationId: under.id }
        const generation = row.generation + 1
        set(row, { desired: 'absent', generation, state: 'pending', reason: null, attempts: 0, nextAttemptAt: now })
        change.begin({ ...row, generation }, 'remove', operationId, now)
        return { copyId, operationId }
      }),
    refuseRemoval: (lease, reason, now, again) =>
      database.write(() => {
        const row = leased(lease)
        if (overtaken(row, lease)) return
        if (row.kmsId === null || row.deleteSentAt !== null) {
          set(row, { ...free, reason, nextAttemptAt: Math.ceil(again), attempts: row.attempts + 1 })
          return change.refuseDelivery(row.id, now)
        }
        set(row, { ...free, desired: 'present', reason, attempts: 0, nextAttemptAt: now })
        addVersions(row)
        change.end(row.id, row.generation, 'failed', reason, now)
      }),
    detach: (copyId, settingsBox) =>
      database.write(() => {
        const row = query.byId.get({ id: copyId })
        if (row?.desired === 'absent') set(row, { keyId: null, kmsId: null, settingsBox })
      }),
    giveUp: (lease, reason, settingsBox, now) =>
      database.write(() => {
        const row = leased(lease)
        if (overtaken(row, lease)) return
        change.note(row.id, reason)
        const tried = query.versions
          .all({ copyId: row.id })
          .some((one) => one.sentAt !== null || one.remoteVersion !== null)
        database.touch(row.mountId)
        if (!tried) {
          forget(row.id)
          return change.gone(row.id, now)
        }
        const absent = { desired: 'absent' as const, keyId: null, kmsId: null, settingsBox }
        set(row, { ...free, ...absent, generation: row.generation + 1, attempts: 0, nextAttemptAt: now })
      }),
    drop: (lease, now) =>
      database.write(() => {
        const row = leased(lease)
        forget(row.id)
        change.gone(row.id, now)
        endNamespace(database, row.namespaceId)
        database.touch(row.mountId)
      }),
  }
}
