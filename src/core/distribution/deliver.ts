import { createPublicKey } from 'node:crypto'
import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import { CloudError, type KeyMaterial, type ReadVersion } from '../kms/provider.ts'
import type { Keyring } from '../seal/keyring.ts'
import type { CopyStore, KeyRow, KeyStore, KeyVersionRow } from '../store.ts'
import type { Pace } from './pace.ts'
import { nextStep } from './plan.ts'
import type { Job, Outcome } from './reconciler.ts'
import { nextName } from './service.ts'

export interface DeliverParts {
  context: Context
  store: { keys: KeyStore; copies: CopyStore }
  keyring: Keyring
  pace: Pace
}

/** What arrived is not what was sent: a key made by this very delivery must go, whoever still waits for it. */
export class ForeignMaterial extends KeyferryError {}

/** How many imports of one copy are out at a time, where they may go side by side. */
const side = 12
const mostRenames = 20

/**
 * Drives a copy that should be present until a look at the cloud shows that it is as it should be, and settles it. Throws what the
 * cloud answered; what was reached until then is recorded.
 */
export async function deliver(job: Job, parts: DeliverParts): Promise<Outcome> {
  const { copy, connection } = job
  const { context, store } = parts
  const lease = { copyId: copy.id, fence: copy.fence }
  const key = copy.keyId === null ? undefined : await store.keys.byId(copy.keyId)
  if (!key) throw new KeyferryError('corrupt', 'a copy that should be present has no key')
  let remoteName = copy.remoteName
  for (let renames = 0; ; ) {
    await job.keepLease()
    const parallel = await connection.canListVersions()
    const remote = await connection.describe(remoteName)
    const versions = await store.copies.versions(copy.id)
    const step = nextStep({
      versions,
      minEnabledVersion: key.minEnabledVersion,
      delivered: copy.seenGeneration > 0,
      remoteName,
      remote,
      parallel,
      now: context.now(),
      lostAfterMs: job.lostAfterMs,
      newestAfterMs: job.newestAfterMs,
    })
    switch (step.do) {
      case 'settled':
        await store.copies.settle(lease, copy.generation, context.now())
        return { again: false }
      case 'wait':
        return { again: true, at: step.until, why: step.why }
      case 'stop':
        throw new KeyferryError('refused', step.why)
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
        for (const { version, remoteVersion, enabled } of step.changes) {
          await job.keepLease()
          await connection.setVersionEnabled(remoteName, remoteVersion, enabled)
          await store.copies.seen(lease, version, { enabled })
        }
        break
      case 'rename':
        remoteName = await rename(job, parts, remoteName, ++renames)
        break
      case 'import': {
        const nameTaken = await importAll(job, parts, key, remoteName, step.versions)
        if (nameTaken) remoteName = await rename(job, parts, remoteName, ++renames)
        break
      }
    }
  }
}

/** Takes the next free second as name: here, by the unique row, and there, by looking (which the next round does). */
async function rename(job: Job, { store }: DeliverParts, taken: string, times: number): Promise<string> {
  const { copy } = job
  if (copy.options.nameChosen || times > mostRenames) {
    throw new CloudError(
      'refused',
      `the name "${taken}" is taken in the KMS, or held by a deleted key: choose another, or purge that key there`,
    )
  }
  for (let name = nextName(taken); ; name = nextName(name)) {
    try {
      await store.copies.rename({ copyId: copy.id, fence: copy.fence }, name)
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
  versions: number[],
): Promise<boolean> {
  const left = [...versions]
  const failures: unknown[] = []
  const worker = async () => {
    for (let version = left.shift(); version !== undefined && failures.length === 0; version = left.shift()) {
      await importOne(job, parts, key, remoteName, version).catch((error) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: Math.min(side, versions.length) }, worker))
  if (failures.length === 0) return false
  const none = (await parts.store.copies.versions(job.copy.id)).every(
    (row) => row.remoteVersion === null && row.sentAt === null,
  )
  if (none && failures.every((error) => error instanceof CloudError && error.kind === 'name_taken')) return true
  throw failures.find((error) => error instanceof CloudError && error.kind === 'refused') ?? failures[0]
}

async function importOne(
  job: Job,
  parts: DeliverParts,
  key: KeyRow,
  remoteName: string,
  version: number,
): Promise<void> {
  const { copy, connection } = job
  const { context, store, pace } = parts
  const lease = { copyId: copy.id, fence: copy.fence }
  const stored = await store.keys.version(key.id, version)
  const row = (await store.copies.versions(copy.id)).find((one) => one.version === version)
  if (!stored || !row) throw new KeyferryError('corrupt', `version ${version} of a key is not in the database`)
  await pace.take(copy.collection, copy.kmsId ?? copy.id)
  await job.keepLease()
  await store.copies.sent(lease, version, context.now())
  let answer: ReadVersion
  try {
    const { tags, notBefore, expires } = copy.options
    answer = await connection.importVersion({
      remoteName,
      importId: row.importId,
      material: await materialOf(parts.keyring, key, stored),
      protection: copy.protection,
      purposes: copy.purposes,
      enabled: version >= key.minEnabledVersion,
      ...(tags ? { tags } : {}),
      ...(notBefore === undefined ? {} : { notBefore: new Date(notBefore * 1000) }),
      ...(expires === undefined ? {} : { expires: new Date(expires * 1000) }),
    })
  } catch (error) {
    if (!(error instanceof CloudError) || error.effect === 'none') await store.copies.notSent(lease, version)
    throw error
  }
  await accept(job, parts, key, remoteName, version, answer)
}

/** Records a version that is there, after its public key was found to be ours. */
async function accept(
  job: Job,
  parts: DeliverParts,
  key: KeyRow,
  remoteName: string,
  version: number,
  seen: ReadVersion,
): Promise<void> {
  const { store, context } = parts
  const lease = { copyId: job.copy.id, fence: job.copy.fence }
  const stored = (await store.keys.versions(key.id, version)).find((row) => row.version === version)
  const { remoteVersion, enabled } = seen
  await store.copies.seen(lease, version, { remoteVersion, at: context.now(), enabled })
  const ours = stored?.publicKey ? createPublicKey(stored.publicKey).export({ type: 'spki', format: 'der' }) : null
  const same = ours === null ? !seen.publicKey : seen.publicKey?.equals(ours) === true
  if (same) return
  // In a key that was in use before, the version is disabled and nothing is ever deleted; a fresh one is withdrawn by the caller.
  if (job.copy.seenGeneration > 0) await job.connection.setVersionEnabled(remoteName, remoteVersion, false)
  throw new ForeignMaterial(
    'refused',
    `the KMS answered with another public key than the one that was sent for version ${version} of "${remoteName}": it is not trusted`,
  )
}

async function materialOf(keyring: Keyring, key: KeyRow, stored: KeyVersionRow): Promise<KeyMaterial> {
  const sealer = await keyring.forNamespace(key.namespaceId)
  return {
    type: key.type,
    publicKey: stored.publicKey,
    use: async (work) => {
      const plaintext = sealer.open({ objectId: key.id, version: stored.version, kind: 'key-material' }, stored.box)
      try {
        return await work(plaintext)
      } finally {
        plaintext.fill(0)
      }
    },
  }
}
