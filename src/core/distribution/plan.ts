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
  /** When a recovery was last sent that may still have its effect; null: none is out. */
  recoverySentAt: number | null
  /** Imports may run side by side, since a listing finds every lost answer. */
  parallel: boolean
  now: number
  /** After this long without an answer, an import that is not there will not come: the call's time-out and a settle time, in ms. */
  lostAfterMs: number
  /** The newest version comes at least this long after those before it, so that the cloud takes it for the current one. */
  newestAfterMs: number
  /** What may be put right that somebody did there: a deleted key recovered, versions that are missing imported again. */
  restore: { recover: boolean; missing: boolean }
}

export type Step =
  /** Found by their import ids: record them. */
  | { do: 'adopt'; found: { version: number; remote: RemoteVersion }[] }
  | { do: 'import'; versions: number[] }
  | { do: 'set-enabled'; changes: { version: number; remoteVersion: string; enabled: boolean }[] }
  | { do: 'wait'; until: number; why: string }
  | { do: 'recover' }
  /** The name is somebody else's, and nothing of ours is there: take another. */
  | { do: 'rename' }
  | { do: 'stop'; why: string }
  | { do: 'settled' }

/**
 * Decides the next step toward a copy that should be present. Pure: the same situation gives the same step. Never tells to import
 * a version that may still be on its way, nor onto a key whose latest version is somebody else's.
 */
export function nextStep(situation: Situation): Step {
  const { remote, delivered, restore } = situation
  const versions = withoutLostPlaces(situation)
  const found = lostAndFound({ versions, remote })
  if (found.length > 0) return { do: 'adopt', found }

  // Whatever befell a key that was delivered once: its name is where callers look for it.
  const begun = delivered || situation.versions.some((row) => row.remoteVersion !== null)
  const untouched = !begun && versions.every((row) => row.sentAt === null)
  if (remote.state !== 'absent' && untouched) return { do: 'rename' }

  const importUntil = importsUntil(situation)
  if (importUntil > situation.now) return { do: 'wait', until: importUntil, why: waitsFor('an import') }

  const recoveryUntil = situation.recoverySentAt === null ? 0 : situation.recoverySentAt + situation.lostAfterMs
  if (remote.state !== 'present' && recoveryUntil > situation.now)
    return { do: 'wait', until: recoveryUntil, why: recoveryWaits }
  if (begun && remote.state === 'deleted' && restore.recover && isOurs(situation.versions, remote.latest))
    return { do: 'recover' }
  if (begun && remote.state !== 'present' && !(remote.state === 'absent' && restore.missing))
    return { do: 'stop', why: missing(situation) }
  if (!begun && remote.state === 'deleted') return { do: 'rename' }
  if (remote.state === 'present') {
    const stranger = strangerIn(situation)
    if (stranger)
      return {
        do: 'stop',
        why: `version ${stranger.remoteVersion} of "${situation.remoteName}" was not made by this gateway: nothing is sent onto it`,
      }
  }
  const newestPlaced = situation.versions.findLast((row) => row.remoteVersion !== null)?.version
  return (
    importStep({ ...situation, versions }, newestPlaced) ??
    currencyStep(situation) ??
    enabledStep(situation) ?? { do: 'settled' }
  )
}

/**
 * Whether nothing but the newest version is still to be sent, and no answer is owed: the current version then says all that sending it
 * depends on, however many others there are.
 */
export function awaitsOnlyNewest(versions: readonly CopyVersionRow[]): boolean {
  const newest = versions.at(-1)
  return (
    versions.length > 1 &&
    versions.every((row) => row.sentAt === null && (row.remoteVersion === null) === (row === newest))
  )
}

/** Until when an import may take effect whose answer was lost; 0: none is out. */
export function importsUntil({ versions, lostAfterMs }: Pick<Situation, 'versions' | 'lostAfterMs'>): number {
  return Math.max(0, ...versions.map(({ sentAt }) => (sentAt === null ? 0 : sentAt + lostAfterMs)))
}

/** Why nothing is done after a recovery was asked for. */
export const recoveryWaits = 'the deleted key is being recovered: waiting until it is there'

/** Why nothing is done after a call whose answer was lost. */
export function waitsFor(call: string): string {
  return `${call} was sent whose answer was lost: waiting until it can no longer take effect`
}

/** Versions whose import ids are seen there, and whose place was not known, or that were sent once more. */
function lostAndFound({
  versions,
  remote,
}: Pick<Situation, 'versions' | 'remote'>): { version: number; remote: RemoteVersion }[] {
  if (remote.state !== 'present') return []
  // Whatever its tag says now, a version whose place is known is that one.
  const taken = new Set(versions.map((row) => row.remoteVersion))
  const there = (remote.versions ?? [remote.latest]).filter((seen) => !taken.has(seen.remoteVersion))
  return versions.flatMap((row) => {
    if (row.remoteVersion !== null && row.sentAt === null) return []
    const match = there.find((version) => version.importId === row.importId)
    return match ? [{ version: row.version, remote: match }] : []
  })
}

/** A version that stands in the way: the latest one, or any one before the first delivery is done. */
function strangerIn({ versions, remote, delivered }: Situation): RemoteVersion | undefined {
  if (remote.state !== 'present') return undefined
  if (!isOurs(versions, remote.latest)) return remote.latest
  return delivered ? undefined : remote.versions?.find((seen) => !isOurs(versions, seen))
}

/**
 * Versions as they are once what may be imported again is taken for not there. An import always makes the newest version, which is the one
 * that callers get who name none: so versions whose place holds nothing come again only as long as the newest is not there either, and
 * comes after them; or where they are there in another place.
 */
function withoutLostPlaces({ versions, remote, restore }: Situation): readonly CopyVersionRow[] {
  const stranger = remote.state === 'present' && remote.versions?.some((seen) => !isOurs(versions, seen))
  if (!restore.missing || stranger) return versions
  const isGone = goneIn(versions, remote)
  return versions.map((row) => (isGone(row) ? { ...row, remoteVersion: null, seenAt: null, enabled: null } : row))
}

function goneIn(versions: readonly CopyVersionRow[], remote: RemoteKey): (row: CopyVersionRow) => boolean {
  if (remote.state !== 'present') return () => true
  const { latest, versions: listed } = remote
  if (!listed) {
    // The latest is the one that came last: what came after it is no longer there. Its place tells more than its tag, which may be changed.
    const current =
      versions.find((row) => row.remoteVersion === latest.remoteVersion) ?? versions.find((row) => isOf(row, latest))
    return ({ version }) => current !== undefined && version > current.version
  }
  // The newest that callers have: one that a rotation has just made is not there yet, and comes later.
  const newest = versions.findLast((row) => row.remoteVersion !== null)
  const newestIsThere = newest !== undefined && listed.some((seen) => isOf(newest, seen))
  return (row) =>
    listed.every((seen) => seen.remoteVersion !== row.remoteVersion) &&
    (!newestIsThere || listed.some((seen) => seen.importId === row.importId))
}

/** Why a copy whose older versions are there waits before its newest is sent. */
const newestWaits = 'the newest version is imported some time after those before it, so that it becomes the current one'

/**
 * The newest comes last; and before what a rotation has just made, the newest that there was: `newestPlaced`. Else those before it could
 * not come any more, should the work end in between.
 */
function importStep(
  { versions, parallel, now, newestAfterMs }: Situation,
  newestPlaced: number | undefined,
): Step | undefined {
  const missing = versions.filter((row) => row.remoteVersion === null)
  const newest = missing.find((row) => row.version === newestPlaced) ?? versions.at(-1)
  if (missing.length === 0 || !newest) return undefined
  const older = missing.filter((row) => row.version < newest.version)
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

/** What is not told is not known to be somebody else's. */
export function isOurs(versions: readonly CopyVersionRow[], seen: RemoteVersion | undefined): boolean {
  return seen === undefined || versions.some((row) => isOf(row, seen))
}

function missing({ remote, remoteName }: Situation): string {
  return remote.state === 'deleted'
    ? `"${remoteName}" was deleted in the KMS: recover it there, or remove the key from this KMS and distribute it again`
    : `"${remoteName}" is no longer in the KMS: remove the key from this KMS and distribute it again`
}
