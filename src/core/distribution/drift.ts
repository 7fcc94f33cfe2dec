import type { Connection, ReadVersion, RemoteKey, RemoteVersion } from '../kms/provider.ts'
import type { CopyRow, CopyVersionRow, DriftEntry, DriftKind } from '../store.ts'
import { attributeDifferences } from './attributes.ts'
import { isOurs } from './plan.ts'

/** All that is compared in one look. */
export interface Look {
  copy: Pick<CopyRow, 'remoteName' | 'purposes' | 'options' | 'repair' | 'drift'>
  versions: readonly CopyVersionRow[]
  minEnabledVersion: number
  remote: RemoteKey
  /** Versions that were read one by one: id of the version -> what is there. */
  read: ReadonlyMap<string, ReadVersion | undefined>
  /** SPKI DER of our newest version; null for symmetric keys. */
  newestPublicKey: Buffer | null
  /** What the provider can do about it. */
  can: { change: boolean; recover: boolean }
  now: number
}

export interface Comparison {
  drift: DriftEntry[]
  /** Those of it that can be put right without harm. */
  restorable: DriftEntry[]
}

interface Difference {
  kind: DriftKind
  detail: string
  /** Why it cannot be put right. */
  never?: string | undefined
}

/** With one of these nothing is changed in the key: somebody else may be at work in it, or it is none of ours. */
const untouchable: ReadonlySet<DriftKind> = new Set(['version_extra', 'material'])

const nothingTouched = 'nothing is changed in a key that holds what this gateway did not bring'
const notOurs = 'what was deleted there was not made by this gateway'
const unchangeable = 'the provider has no change of a version in place'

/**
 * What is in the cloud and should be otherwise. Pure. An entry that was found before keeps the time when it was first seen, when it was
 * last to be put right and why that failed; what is as it should be again is left out.
 */
export function compare(look: Look): Comparison {
  const { copy, now } = look
  const known = new Map(copy.drift.map((entry) => [`${entry.kind} ${entry.detail}`, entry]))
  const triedBefore = new Map(copy.drift.map((entry) => [subjectOf(entry), entry.triedAt]))
  const found = differences(look)
  const blocked = found.some(({ kind }) => untouchable.has(kind))
  const restorable: DriftEntry[] = []
  const drift = found.map(({ kind, detail, never }) => {
    const before = known.get(`${kind} ${detail}`)
    // What comes back with another value, or in another place, is the same again: it was tried.
    const triedAt = before?.triedAt ?? triedBefore.get(subjectOf({ kind, detail }))
    const why = never ?? (blocked ? nothingTouched : triedAt === undefined ? undefined : before?.notRestored)
    const entry: DriftEntry = {
      kind,
      detail,
      firstSeen: before?.firstSeen ?? now,
      ...(triedAt !== undefined && { triedAt }),
      ...(why !== undefined && copy.repair === 'restore' && { notRestored: why }),
    }
    if (never === undefined && !blocked) restorable.push(entry)
    return entry
  })
  return { drift, restorable }
}

/** What a difference is about, whatever is there instead: its kind, and the number of the version. */
function subjectOf({ kind, detail }: Pick<DriftEntry, 'kind' | 'detail'>): string {
  return `${kind} ${/^version \d+ \(/.exec(detail)?.[0] ?? ''}`
}

/** Whether a look found something beside which nothing is changed. */
export function isUntouchable(drift: readonly DriftEntry[]): boolean {
  return drift.some(({ kind }) => untouchable.has(kind))
}

/** Whether what was done there by hand is put right at all: in a copy that was delivered once. */
export function mayRestore({ repair, seenGeneration }: Pick<CopyRow, 'repair' | 'seenGeneration'>): boolean {
  return repair === 'restore' && seenGeneration > 0
}

/** Whether the copy is worked on only to put right what a look found. */
export function isRestoration(copy: Pick<CopyRow, 'generation' | 'seenGeneration' | 'drift'>): boolean {
  return copy.generation === copy.seenGeneration && copy.drift.some(({ triedAt }) => triedAt !== undefined)
}

/** Whether that is to be told only by now, since somebody decided so: what is under way is found, and nothing more is sent. */
export function isCalledOff(copy: Pick<CopyRow, 'generation' | 'seenGeneration' | 'drift' | 'repair'>): boolean {
  return copy.repair === 'report' && isRestoration(copy)
}

/** What a connection can do about differences. */
export function capabilitiesOf({ changeVersion, recover }: Connection): Look['can'] {
  return { change: changeVersion !== undefined, recover: recover !== undefined }
}

function differences(look: Look): Difference[] {
  const { copy, remote, versions } = look
  if (remote.state === 'absent') return [{ kind: 'missing', detail: `"${copy.remoteName}" is not in the KMS` }]
  if (remote.state === 'deleted') {
    const detail = `"${copy.remoteName}" was deleted in the KMS: it can be recovered there`
    const never = look.can.recover ? undefined : 'the provider does not recover keys'
    return [{ kind: 'deleted', detail, never: isOurs(versions, remote.latest) ? never : notOurs }]
  }
  const { latest } = remote
  const there = new Map<string, RemoteVersion>()
  for (const version of [...(remote.versions ?? []), latest]) there.set(version.remoteVersion, version)
  for (const [id, version] of look.read) if (version) there.set(id, version)
  return [
    ...missingVersions(look, there),
    ...versions.flatMap((row) => versionDifferences(look, row, there)),
    ...strangers(look, there),
    ...materialDifference(look, latest),
  ]
}

/**
 * A version is imported again only where the newest is missing as well, and comes after it: an import always makes the newest, which is what
 * callers get who name none, so that an older one alone would take the place of the current one.
 */
function missingVersions({ versions, remote, read }: Look, there: ReadonlyMap<string, RemoteVersion>): Difference[] {
  const complete = remote.state !== 'present' || remote.versions !== undefined
  const isMissing = ({ remoteVersion: id }: CopyVersionRow) =>
    id !== null && !there.has(id) && (complete || read.has(id))
  const isElsewhere = ({ importId }: CopyVersionRow) => [...there.values()].some((seen) => seen.importId === importId)
  const newest = versions.findLast(({ remoteVersion }) => remoteVersion !== null)
  const newestIsThere = newest !== undefined && (!isMissing(newest) || isElsewhere(newest))
  return versions.filter(isMissing).map((row) => ({
    kind: 'version_missing',
    detail: `${nameOf(row)} is not in the KMS`,
    never:
      newestIsThere && !isElsewhere(row)
        ? `imported again, it would become the current version in place of version ${newest.version}`
        : undefined,
  }))
}

function versionDifferences(
  { copy, minEnabledVersion, can }: Look,
  row: CopyVersionRow,
  there: ReadonlyMap<string, RemoteVersion>,
): Difference[] {
  const seen = there.get(row.remoteVersion ?? '')
  if (!seen) return []
  const should = row.version >= minEnabledVersion
  const found: Difference[] = attributeDifferences(copy, row, seen).map(({ kind, what, change }) => ({
    kind,
    detail: `${nameOf(row)} ${what}`,
    never: !can.change ? unchangeable : change ? undefined : 'a time can be changed there, and not taken away',
  }))
  if (seen.enabled && !should)
    found.push({ kind: 'version_enabled', detail: `${nameOf(row)} is enabled in the KMS and should be disabled` })
  if (!seen.enabled && should)
    found.push({ kind: 'version_disabled', detail: `${nameOf(row)} is disabled in the KMS and should be enabled` })
  return found
}

/** Versions that nobody here sent. One with an import id of ours is an import that took effect twice. */
function strangers({ versions }: Look, there: ReadonlyMap<string, RemoteVersion>): Difference[] {
  const ours = new Set(versions.flatMap((row) => [row.importId, row.remoteVersion]))
  return [...there.values()]
    .filter((seen) => !ours.has(seen.remoteVersion) && !ours.has(seen.importId))
    .map((seen) => ({
      kind: 'version_extra',
      detail: `version ${seen.remoteVersion} was not made by this gateway`,
      never: 'a version cannot be taken away alone, and what others made is not touched',
    }))
}

/** What only a full read shows, of the version that the cloud uses when none is named. */
function materialDifference({ versions, newestPublicKey }: Look, latest: ReadVersion): Difference[] {
  const newest = versions.at(-1)
  if (!newest || (latest.remoteVersion !== newest.remoteVersion && latest.importId !== newest.importId)) return []
  const { publicKey } = latest
  const same = newestPublicKey === null ? publicKey === null : publicKey?.equals(newestPublicKey)
  if (publicKey === undefined || same) return []
  const detail = `version ${newest.version} (${latest.remoteVersion}) has another public key than the one sent`
  return [{ kind: 'material', detail, never: 'the key of a version cannot be changed' }]
}

function nameOf({ version, remoteVersion }: CopyVersionRow): string {
  return `version ${version} (${remoteVersion})`
}
