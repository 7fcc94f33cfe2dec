import type { RemoteVersion } from '../kms/provider.ts'
import { importsUntil, recoveryWaits, type Situation, waitsFor } from './plan.ts'

/** What may be done about a copy that should be gone. */
export type RemovalStep =
  | { do: 'delete' }
  | { do: 'gone' }
  | { do: 'wait'; until: number; why: string }
  | { do: 'stop'; why: string }

/**
 * Decides the next step toward a copy that should be absent. A delete is only told after our own import id was seen, and never where
 * a version of somebody else is known.
 */
export function nextRemovalStep(
  situation: Omit<Situation, 'minEnabledVersion' | 'delivered' | 'parallel' | 'newestAfterMs' | 'restore'> & {
    /** How long a recovery may take to have its effect, in ms. */
    recoveryMs: number
    /** When a delete was last sent by work before this whose answer may be lost; null: none was. */
    deleteSentAt: number | null
  },
): RemovalStep {
  const { versions, remote, remoteName, now, lostAfterMs, recoveryMs, recoverySentAt, deleteSentAt } = situation
  if (remote.state !== 'present') {
    const importUntil = importsUntil(situation)
    if (importUntil > now) return { do: 'wait', until: importUntil, why: waitsFor('an import') }
    const recoveryUntil = recoverySentAt === null ? 0 : recoverySentAt + recoveryMs
    // It is looked for in between, since it takes seconds as a rule.
    if (recoveryUntil > now)
      return { do: 'wait', until: Math.min(recoveryUntil, now + lostAfterMs), why: recoveryWaits }
    // A key that is deleted and keeps its name is safe from it; where nothing is, somebody may make one under the name that is freed.
    const deleteUntil = remote.state === 'absent' && deleteSentAt !== null ? deleteSentAt + lostAfterMs : 0
    if (deleteUntil > now) return { do: 'wait', until: deleteUntil, why: waitsFor('a delete') }
    return { do: 'gone' }
  }
  const ours = (seen: RemoteVersion) => versions.some((row) => row.importId === seen.importId)
  const stranger = [remote.latest, ...(remote.versions ?? [])].find((seen) => !ours(seen))
  if (stranger) {
    return {
      do: 'stop',
      why: `version ${stranger.remoteVersion} of "${remoteName}" was not made by this gateway: nothing is deleted, remove the key in the KMS by hand if that is meant`,
    }
  }
  return { do: 'delete' }
}
