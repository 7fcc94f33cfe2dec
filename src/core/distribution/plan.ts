import type { RemoteKey, RemoteVersion } from '../kms/provider.ts'
import type { CopyVersionRow } from '../store.ts'

/** All that the next step depends on: what should be, what is known, what was just seen, and the time. */
export interface Situation {
  /** Versions of the copy, in order. Known: `remoteVersion`; perhaps there: `sentAt`; else not sent. */
  versions: readonly CopyVersionRow[]
  minEnabledVersion: number
  /** True once a generation of this copy was seen done. */
  delivered: boolean
  remoteName: string
  remote: RemoteKey
  /** Imports may run side by side, since a listing finds every lost answer. */
  parallel: boolean
  now: number
  /** After this long without an answer, an import that is not there will not come: the call's time-out and a settle time, in ms. */
  lostAfterMs: number
  /** The newest version comes at least this long after those before it, so that the cloud takes it for the current one. */
  newestAfterMs: number
}

export type Step =
  /** Found by their import ids: record them. */
  | { do: 'adopt'; found: { version: number; remote: RemoteVersion }[] }
  | { do: 'import'; versions: number[] }
  | { do: 'set-enabled'; changes: { version: number; remoteVersion: string; enabled: boolean }[] }
  | { do: 'wait'; until: number; why: string }
  /** The name is somebody else's, and nothing of ours is there: take another. */
  | { do: 'rename' }
  | { do: 'stop'; why: string }
  | { do: 'settled' }

/**
 * Decides the next step toward a copy that should be present. Pure: the same situation gives the same step. Never tells to import
 * a version that may still be on its way, nor onto a key whose latest version is somebody else's.
 */
export function nextStep(situation: Situation): Step {
  const { versions, remote } = situation
  const found = lostAndFound(situation)
  if (found.length > 0) return { do: 'adopt', found }

  const untouched = versions.every((row) => row.remoteVersion === null && row.sentAt === null)
  if (remote.state !== 'absent' && untouched) return { do: 'rename' }

  const pending = versions.filter((row) => row.remoteVersion === null && row.sentAt !== null)
  const until = Math.max(0, ...pending.map((row) => (row.sentAt ?? 0) + situation.lostAfterMs))
  if (until > situation.now) return { do: 'wait', until, why: waitsFor('an import') }

  const known = versions.some((row) => row.remoteVersion !== null)
  if (known && remote.state !== 'present') return { do: 'stop', why: missing(situation) }
  if (!known && remote.state === 'deleted') return { do: 'rename' }
  if (remote.state === 'present') {
    const stranger = strangerIn(situation)
    if (stranger)
      return {
        do: 'stop',
        why: `version ${stranger.remoteVersion} of "${situation.remoteName}" was not made by this gateway: nothing is sent onto it`,
      }
  }
  return importStep(situation) ?? currencyStep(situation) ?? enabledStep(situation) ?? { do: 'settled' }
}

/** Why nothing is done after a call whose answer was lost. */
export function waitsFor(call: string): string {
  return `${call} was sent whose answer was lost: waiting until it can no longer take effect`
}

/** Versions whose import ids are seen there, and whose place was not known. */
function lostAndFound({ versions, remote }: Situation): { version: number; remote: RemoteVersion }[] {
  if (remote.state !== 'present') return []
  const there = remote.versions ?? [remote.latest]
  return versions.flatMap((row) => {
    if (row.remoteVersion !== null) return []
    const match = there.find((version) => version.importId === row.importId)
    return match ? [{ version: row.version, remote: match }] : []
  })
}

/** A version that stands in the way: the latest one, or any one before the first delivery is done. */
function strangerIn({ versions, remote, delivered }: Situation): RemoteVersion | undefined {
  if (remote.state !== 'present') return undefined
  const ours = (seen: RemoteVersion) => versions.some((row) => isOf(row, seen))
  if (!ours(remote.latest)) return remote.latest
  return delivered ? undefined : remote.versions?.find((seen) => !ours(seen))
}

/** Why a copy whose older versions are there waits before its newest is sent. */
export const newestWaits =
  'the newest version is imported some time after those before it, so that it becomes the current one'

function importStep({ versions, parallel, now, newestAfterMs }: Situation): Step | undefined {
  const missing = versions.filter((row) => row.remoteVersion === null)
  const newest = versions.at(-1)
  if (missing.length === 0 || !newest) return undefined
  const older = missing.filter((row) => row !== newest)
  if (older.length > 0)
    return { do: 'import', versions: (parallel ? older : older.slice(0, 1)).map((row) => row.version) }
  const lastSeen = Math.max(0, ...versions.map((row) => row.seenAt ?? 0))
  const until = lastSeen + newestAfterMs
  if (until > now)
    return {
      do: 'wait',
      until,
      why: newestWaits,
    }
  return { do: 'import', versions: [newest.version] }
}

function currencyStep({ versions, remote, remoteName }: Situation): Step | undefined {
  const newest = versions.at(-1)
  if (remote.state !== 'present' || !newest || isOf(newest, remote.latest)) return undefined
  return {
    do: 'stop',
    why: `version ${newest.version} (${newest.remoteVersion}) of "${remoteName}" is not the current one in the KMS: ${remote.latest.remoteVersion} is`,
  }
}

/** A version has one place, but an import that took effect twice gave it two: both are kept in step. */
function enabledStep({ versions, minEnabledVersion, remote }: Situation): Step | undefined {
  const listed = remote.state === 'present' ? (remote.versions ?? [remote.latest]) : []
  const changes = versions.flatMap((row) => {
    const { version, remoteVersion, enabled } = row
    if (remoteVersion === null) return []
    const should = version >= minEnabledVersion
    const places = listed.filter((seen) => isOf(row, seen))
    const known = places.some((seen) => seen.remoteVersion === remoteVersion)
    const all = known ? places : [...places, { remoteVersion, enabled }]
    return all
      .filter((place) => place.enabled !== should)
      .map((place) => ({ version, remoteVersion: place.remoteVersion, enabled: should }))
  })
  return changes.length > 0 ? { do: 'set-enabled', changes } : undefined
}

function isOf(row: CopyVersionRow, seen: RemoteVersion): boolean {
  return row.remoteVersion === seen.remoteVersion || row.importId === seen.importId
}

function missing({ remote, remoteName }: Situation): string {
  return remote.state === 'deleted'
    ? `"${remoteName}" was deleted in the KMS: recover it there, or remove the key from this KMS and distribute it again`
    : `"${remoteName}" is no longer in the KMS: remove the key from this KMS and distribute it again`
}

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
  situation: Omit<Situation, 'minEnabledVersion' | 'delivered' | 'parallel' | 'newestAfterMs'> & {
    /** When a delete was last sent by work before this whose answer may be lost; null: none was. */
    deleteSentAt: number | null
  },
): RemovalStep {
  const { versions, remote, remoteName, now, lostAfterMs, deleteSentAt } = situation
  if (remote.state !== 'present') {
    const imports = versions.flatMap((row) => (row.remoteVersion === null && row.sentAt !== null ? [row.sentAt] : []))
    const importUntil = Math.max(0, ...imports) + lostAfterMs
    if (imports.length > 0 && importUntil > now) return { do: 'wait', until: importUntil, why: waitsFor('an import') }
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
