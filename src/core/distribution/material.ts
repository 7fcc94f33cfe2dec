import { createPublicKey } from 'node:crypto'
import { KeyferryError } from '../errors.ts'
import { CloudError, type KeyMaterial, type ReadVersion, type RemoteKey } from '../kms/provider.ts'
import type { Keyring } from '../seal/keyring.ts'
import type { CopyVersionRow, KeyRow, KeyStore, KeyVersionRow } from '../store.ts'
import { isCalledOff } from './drift.ts'
import type { Job } from './job.ts'

/** What is there is not what was sent: a key made by this very delivery must go, whoever still waits for it. */
export class ForeignMaterial extends KeyferryError {}

/** The key material of a version, to be opened for the length of one call. */
export async function materialOf(keyring: Keyring, key: KeyRow, stored: KeyVersionRow): Promise<KeyMaterial> {
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

/** Throws `ForeignMaterial` for a version whose public key is not the one that was sent, after it was disabled in a key in use. */
export async function checkMaterial(
  job: Job,
  remoteName: string,
  stored: KeyVersionRow,
  seen: ReadVersion,
): Promise<void> {
  if (seen.publicKey === undefined) {
    throw new KeyferryError(
      'refused',
      `the KMS does not show the public key of version ${stored.version} of "${remoteName}", so that it cannot be compared`,
    )
  }
  const ours = stored.publicKey ? createPublicKey(stored.publicKey).export({ type: 'spki', format: 'der' }) : null
  if (ours === null ? seen.publicKey === null : seen.publicKey?.equals(ours)) return
  let done = ''
  // In a key that was in use before, the version is disabled, unless nothing more is to be sent, and nothing is ever deleted; a fresh one is
  // withdrawn by the caller.
  if (job.copy.seenGeneration > 0 && seen.enabled && !isCalledOff(job.copy)) {
    await job.keepLease()
    await job.connection.setVersionEnabled(remoteName, seen.remoteVersion, false).catch((error: unknown) => {
      if (!(error instanceof CloudError && error.kind === 'refused')) throw error
      done = ', and could not be disabled'
    })
  }
  throw new ForeignMaterial(
    'refused',
    `the KMS answered with another public key than the one that was sent for version ${stored.version} of "${remoteName}": it is not trusted${done}`,
  )
}

/** An import that took effect twice makes two versions of one import id: where the other one is current, it must be our key as well. */
export async function checkDouble(
  job: Job,
  { store }: { store: { keys: KeyStore } },
  key: KeyRow,
  remoteName: string,
  newest: CopyVersionRow | undefined,
  remote: RemoteKey,
): Promise<void> {
  if (remote.state !== 'present' || !newest || newest.remoteVersion === null) return
  if (remote.latest.importId !== newest.importId || remote.latest.remoteVersion === newest.remoteVersion) return
  const stored = await store.keys.version(key.id, newest.version)
  if (stored) await checkMaterial(job, remoteName, stored, remote.latest)
}
