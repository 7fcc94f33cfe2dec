import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import { CloudError, type RemoteKey, type RemoteVersion } from '../kms/provider.ts'
import type { CopyStore, CopyVersionRow, KeyRow, KeyStore, Lease } from '../store.ts'
import { attributeDifferences, changeOf } from './attributes.ts'
import { isRestoration, isUntouchable, mayRestore } from './drift.ts'
import { furtherReads } from './further-reads.ts'
import { checkDeparture, isRefusal, type Job } from './job.ts'
import type { Pace } from './pace.ts'

export interface RestoreParts {
  context: Context
  store: { keys: KeyStore; copies: CopyStore }
  pace: Pace
}

/** How often a version is changed before the KMS is taken at its word that it keeps what it has. */
const mostRounds = 3

/**
 * What a job may put right. A key that is nowhere to be seen may be on its way there or back: that it is missing, or deleted, a look must have
 * found before. A version that is missing in a key that is there is asked for by its id as well.
 */
export function restorableBy({ copy, connection }: Job, remote: RemoteKey): { recover: boolean; missing: boolean } {
  const may = mayRestore(copy)
  const found = new Set(copy.drift.map(({ kind }) => kind))
  return {
    recover: may && found.has('deleted') && connection.recover !== undefined,
    missing: may && !isUntouchable(copy.drift) && (remote.state === 'present' || found.has('missing')),
  }
}

/**
 * Gives versions the tags, times and purposes back that they came with, where a look found any drift, and records which are enabled where
 * only reading them one by one shows that. `rounds`: how often it was called in this job. True: there is more to do, look again. Throws
 * `refused` where the KMS does not show what it was given, or what it answers; where the job has more to do than that, refusals are passed over.
 */
export async function restoreAttributes(
  job: Job,
  { store, pace }: RestoreParts,
  remoteName: string,
  remote: RemoteKey,
  versions: readonly CopyVersionRow[],
  rounds: number,
): Promise<boolean> {
  const { copy, connection } = job
  if (copy.repair !== 'restore' || copy.drift.length === 0 || isUntouchable(copy.drift)) return false
  if (remote.state !== 'present') return false
  const turn = () => pace.take(copy.collection, copy.kmsId ?? copy.id)
  const read = await furtherReads(connection, remoteName, remote, versions, async () => {
    await turn()
    await job.keepLease()
    return true
  })
  const there = new Map<string, RemoteVersion>()
  for (const seen of [...(remote.versions ?? []), remote.latest, ...read.values()])
    if (seen) there.set(seen.remoteVersion, seen)
  const changes = versions.flatMap((row) => {
    const seen = there.get(row.remoteVersion ?? '')
    const change = seen && changeOf(attributeDifferences(copy, row, seen))
    return change && connection.changeVersion ? [{ id: seen.remoteVersion, change }] : []
  })
  let turned = false
  for (const { version, remoteVersion, enabled } of remote.versions ? [] : versions) {
    // Where versions cannot be listed, what is recorded is all that the next step goes by.
    const seen = there.get(remoteVersion ?? '')
    if (!seen || seen.enabled === enabled) continue
    await store.copies.seen(job.lease, version, { enabled: seen.enabled })
    turned = true
  }
  try {
    if (changes.length > 0 && rounds >= mostRounds)
      throw new KeyferryError(
        'refused',
        `the KMS took what versions of "${remoteName}" were given, and does not show it`,
      )
    for (const { id, change } of changes) {
      await turn()
      await job.keepLease()
      await connection.changeVersion?.(remoteName, id, change)
    }
  } catch (error) {
    // What a rotation is about is done all the same; the next look tells of the rest.
    if (isRestoration(copy) || !isRefusal(error)) throw error
    return turned
  }
  return turned || changes.length > 0
}

/**
 * Asks for a deleted key to be had again. That it did is kept until the key is there again: whoever is to remove the key must not take it
 * for gone before. `before`: when it was asked for before, which counts on where this one certainly had no effect. Throws what the cloud
 * answered.
 */
export async function recover(
  { copy, lease, connection, ...job }: Job,
  { context, store }: RestoreParts,
  remoteName: string,
  before: number | null,
): Promise<number> {
  if (!connection.recover) throw new KeyferryError('corrupt', `copy ${copy.id} is in a KMS that recovers nothing`)
  await job.keepLease()
  const sentAt = context.now()
  await store.copies.recoverySent(lease, sentAt)
  try {
    checkDeparture(context, sentAt)
    await connection.recover(remoteName)
  } catch (error) {
    if (error instanceof CloudError && error.effect === 'none') await store.copies.recoverySent(lease, before)
    throw error
  }
  return sentAt
}

/** Once the key is there the recovery has had its effect. Gives when one was sent that may still have it. */
export async function recoveryLeft(
  { copies }: { copies: CopyStore },
  lease: Lease,
  remote: RemoteKey,
  sentAt: number | null,
): Promise<number | null> {
  if (sentAt === null || remote.state !== 'present') return sentAt
  await copies.recoverySent(lease, null)
  return null
}

/**
 * Versions that a look found missing, and a second look now, are asked for by their ids once more before they are imported again, by the
 * same import ids. Nothing is done about those that had no place yet. Throws `unavailable` where one is there after all, `refused` where
 * one's key, or that of a later one that is gone as well, is not here to be sent: a restored backup knows of versions that were made after
 * it, and without them an older one would become the current one.
 */
export async function checkGone(
  job: Job,
  { store }: RestoreParts,
  key: KeyRow,
  remoteName: string,
  remote: RemoteKey,
  versions: readonly CopyVersionRow[],
  rows: readonly CopyVersionRow[],
): Promise<void> {
  const placed = rows.flatMap(({ version, remoteVersion }) =>
    remoteVersion === null ? [] : [{ version, remoteVersion }],
  )
  const listed = remote.state === 'present' ? (remote.versions ?? []) : []
  const there = new Set(listed.map(({ remoteVersion }) => remoteVersion))
  const first = placed[0]?.version ?? Number.POSITIVE_INFINITY
  for (const { version, remoteVersion } of versions) {
    if (version < first || remoteVersion === null || there.has(remoteVersion)) continue
    if (await store.keys.version(key.id, version)) continue
    throw new KeyferryError(
      'refused',
      `version ${version} of "${remoteName}" was in the KMS alone: it cannot be sent again`,
    )
  }
  // Where there is no key of the name, one answer speaks for all.
  for (const { version, remoteVersion } of remote.state === 'absent' ? placed.slice(-1) : placed) {
    await job.keepLease()
    if (!(await job.connection.readVersion(remoteName, remoteVersion))) continue
    throw new CloudError('unavailable', `version ${version} of "${remoteName}" can be read, and is not seen otherwise`)
  }
}
