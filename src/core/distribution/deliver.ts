import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import { CloudError, type ReadVersion } from '../kms/provider.ts'
import type { Keyring } from '../seal/keyring.ts'
import type { CopyStore, CopyVersionRow, KeyRow, KeyStore, KeyVersionRow } from '../store.ts'
import { isCalledOff, isRestoration, mayRestore } from './drift.ts'
import { checkDeparture, type Job, type Outcome } from './job.ts'
import { checkDouble, checkMaterial, ForeignMaterial, materialOf } from './material.ts'
import type { Pace } from './pace.ts'
import { awaitsOnlyNewest, nextStep, waitsFor } from './plan.ts'
import { checkGone, recover, recoveryLeft, restorableBy, restoreAttributes } from './restore.ts'
import { nextName } from './service.ts'
import { setStates } from './states.ts'

export interface DeliverParts {
  context: Context
  store: { keys: KeyStore; copies: CopyStore }
  keyring: Keyring
  pace: Pace
}

/** How many imports of one copy are out at a time, where they may go side by side. */
const side = 25
const mostRenames = 20
/** How often versions are enabled or disabled before the KMS is given time to show it. */
const mostSettings = 3

/**
 * Drives a copy that should be present until a look at the cloud shows that it is as it should be, and settles it. Throws what the
 * cloud answered; what was reached until then is recorded.
 */
export async function deliver(job: Job, parts: DeliverParts): Promise<Outcome> {
  const { copy, lease, connection } = job
  const { context, store } = parts
  const key = copy.keyId === null ? undefined : await store.keys.byId(copy.keyId)
  if (key?.namespaceId !== copy.namespaceId)
    throw new KeyferryError('corrupt', 'a copy that should be present has no key of its namespace')
  let remoteName = copy.remoteName
  const calledOff = isCalledOff(copy)
  let { recoverySentAt } = copy
  for (let rounds = 0, renames = 0, settings = 0, restorations = 0; ; rounds++) {
    await job.keepLease()
    const parallel = await connection.canListVersions()
    // What is missing there and may come again is told by a list alone; and so is what others made while this was sending.
    const latestOnly = rounds === 0 && !mayRestore(copy) && awaitsOnlyNewest(await store.copies.versions(copy.id))
    const remote = await connection.describe(remoteName, { latestOnly })
    recoverySentAt = await recoveryLeft(store, lease, remote, recoverySentAt)
    // Read anew: what a rotation made during the look belongs to what should be.
    const versions = await store.copies.versions(copy.id)
    await checkDouble(job, parts, key, remoteName, versions.at(-1), remote)
    const step = nextStep({
      versions,
      minEnabledVersion: key.minEnabledVersion,
      delivered: copy.seenGeneration > 0,
      remoteName,
      remote,
      recoverySentAt,
      parallel,
      now: context.now(),
      lostAfterMs: job.lostAfterMs,
      newestAfterMs: job.newestAfterMs,
      restore: restorableBy(job, remote),
    })
    if (calledOff && step.do !== 'adopt' && step.do !== 'wait') {
      await store.copies.settle(lease, context.now())
      return { again: false }
    }
    switch (step.do) {
      case 'settled':
        if (isSettingUnknown(job, versions)) return untilSettingIsOver(job, context.now())
        if (await restoreAttributes(job, parts, remoteName, remote, versions, restorations++)) break
        // What was set without an answer is seen to be so.
        for (const { version, remoteVersion, enabled } of versions) {
          if (remoteVersion !== null && enabled === null)
            await store.copies.seen(lease, version, { enabled: version >= key.minEnabledVersion })
        }
        await store.copies.settle(lease, context.now())
        return { again: false }
      case 'wait':
        return { again: true, at: step.until, why: step.why }
      case 'stop':
        throw new KeyferryError('refused', step.why)
      case 'recover':
        recoverySentAt = await recover(job, parts, remoteName, recoverySentAt)
        break
      case 'adopt':
        for (const { version, remote: found } of step.found) {
          const read = await connection.readVersion(remoteName, found.remoteVersion)
          if (!read)
            throw new CloudError(
              'unavailable',
              `version ${found.remoteVersion} of "${remoteName}" was listed but cannot be read`,
            )
          await accept(job, parts, key, remoteName, version, read)
        }
        break
      case 'set-enabled':
        if (isSettingUnknown(job, versions)) return untilSettingIsOver(job, context.now())
        if (settings++ >= mostSettings) {
          const why = `"${remoteName}" does not show which versions were enabled or disabled`
          // Whoever keeps them as they were does so for ever: the next look tells.
          throw isRestoration(copy) ? new KeyferryError('refused', why) : new CloudError('unavailable', why)
        }
        await setStates(job, store, remoteName, step.changes)
        break
      case 'rename':
        remoteName = await rename(job, parts, remoteName, ++renames)
        break
      case 'import': {
        const rows = versions.filter((row) => step.versions.includes(row.version))
        await checkGone(job, parts, key, remoteName, remote, versions, rows)
        const nameTaken = await importAll(job, parts, key, remoteName, rows)
        if (nameTaken) remoteName = await rename(job, parts, remoteName, ++renames)
        break
      }
    }
  }
}

/**
 * Whoever was at work before may have sent that a version is to be enabled or disabled, and what should be may have been turned round since:
 * until that call can no longer take effect, nothing that is seen or set is sure to stay.
 */
function isSettingUnknown(job: Job, versions: readonly CopyVersionRow[]): boolean {
  return job.abandoned && versions.some((row) => row.remoteVersion !== null && row.enabled === null)
}

function untilSettingIsOver(job: Job, now: number): Outcome {
  return { again: true, at: now + job.lostAfterMs, why: waitsFor('an enabling or disabling of versions') }
}

/** Takes the next free second as name: here, by the unique row, and there, by looking (which the next round does). */
async function rename(job: Job, { store }: DeliverParts, taken: string, times: number): Promise<string> {
  const { copy, lease } = job
  if (copy.options.nameChosen || times > mostRenames) {
    throw new CloudError(
      'refused',
      `the name "${taken}" is taken in the KMS, or held by a deleted key: choose another, or purge that key there`,
    )
  }
  for (let name = nextName(taken); ; name = nextName(name)) {
    try {
      await store.copies.rename(lease, name)
      return name
    } catch (error) {
      if (!(error instanceof KeyferryError && error.code === 'already_exists')) throw error
    }
  }
}

/** Imports the versions, side by side when there are several. True: the name is taken there, and nothing was imported. */
async function importAll(
  job: Job,
  parts: DeliverParts,
  key: KeyRow,
  remoteName: string,
  rows: readonly CopyVersionRow[],
): Promise<boolean> {
  const left = [...rows]
  const failures: unknown[] = []
  const worker = async () => {
    for (let row = left.shift(); row !== undefined && failures.length === 0; row = left.shift()) {
      await importOne(job, parts, key, remoteName, row).catch((error) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: Math.min(side, rows.length) }, worker))
  if (failures.length === 0) return false
  const none = (await parts.store.copies.versions(job.copy.id)).every(
    (row) => row.remoteVersion === null && row.sentAt === null,
  )
  // A key that was delivered once is where callers look for it: it takes no other name.
  if (
    job.copy.seenGeneration === 0 &&
    none &&
    failures.every((error) => error instanceof CloudError && error.kind === 'name_taken')
  )
    return true
  const foreign = failures.find((error) => error instanceof ForeignMaterial)
  throw foreign ?? failures.find((error) => error instanceof CloudError && error.kind === 'refused') ?? failures[0]
}

async function importOne(
  job: Job,
  parts: DeliverParts,
  key: KeyRow,
  remoteName: string,
  { version, importId }: CopyVersionRow,
): Promise<void> {
  const { copy, lease, connection } = job
  const { context, store, pace } = parts
  const stored = await store.keys.version(key.id, version)
  if (!stored) throw new KeyferryError('corrupt', `version ${version} of a key is not in the database`)
  await pace.take(copy.collection, copy.kmsId ?? copy.id)
  await job.keepLease()
  const sentAt = context.now()
  await store.copies.sent(lease, version, sentAt)
  let answer: ReadVersion
  try {
    checkDeparture(context, sentAt)
    const { tags, notBefore, expires } = copy.options
    answer = await connection.importVersion({
      remoteName,
      importId,
      material: await materialOf(parts.keyring, key, stored),
      protection: copy.protection,
      purposes: copy.purposes,
      enabled: version >= key.minEnabledVersion,
      ...(tags ? { tags } : {}),
      ...(notBefore === undefined ? {} : { notBefore: new Date(notBefore * 1000) }),
      ...(expires === undefined ? {} : { expires: new Date(expires * 1000) }),
    })
  } catch (error) {
    // What is neither the cloud's own word nor said before sending may be anything: then the version is looked for.
    const certain = error instanceof CloudError ? error.effect === 'none' : error instanceof KeyferryError
    if (certain) await store.copies.sent(lease, version, null)
    throw error
  }
  await accept(job, parts, key, remoteName, version, answer, stored)
}

/** Records a version that is there, once its public key was found to be ours: one that is not stays unrecorded and is never trusted. */
async function accept(
  job: Job,
  parts: DeliverParts,
  key: KeyRow,
  remoteName: string,
  version: number,
  seen: ReadVersion,
  known?: KeyVersionRow,
): Promise<void> {
  const { store, context } = parts
  const stored = known ?? (await store.keys.version(key.id, version))
  if (!stored) throw new KeyferryError('corrupt', `version ${version} of a key is not in the database`)
  await checkMaterial(job, remoteName, stored, seen)
  const { remoteVersion, enabled } = seen
  await store.copies.seen(job.lease, version, { remoteVersion, at: context.now(), enabled })
}
