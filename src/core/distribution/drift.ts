import type { ReadVersion, RemoteKey, RemoteVersion } from '../kms/provider.ts'
import type { CopyRow, CopyVersionRow, DriftEntry, DriftKind } from '../store.ts'

/** All that is compared in one look. */
export interface Look {
  copy: Pick<CopyRow, 'remoteName' | 'purposes' | 'drift'>
  versions: readonly CopyVersionRow[]
  minEnabledVersion: number
  remote: RemoteKey
  /** Versions that were read one by one, where the credentials may not list: id of the version -> what is there. */
  read: ReadonlyMap<string, ReadVersion | undefined>
  /** SPKI DER of our newest version; null for symmetric keys. */
  newestPublicKey: Buffer | null
  now: number
}

/** What only the state of versions is about, and what one call puts right without sending a key. */
const restorable: ReadonlySet<DriftKind> = new Set(['version_disabled', 'version_enabled'])

/**
 * What is in the cloud and should be otherwise. Pure. An entry that was found before keeps the time when it was first seen; what is as
 * it should be again is left out.
 */
export function driftOf(look: Look): DriftEntry[] {
  const known = new Map(look.copy.drift.map((entry) => [`${entry.kind} ${entry.detail}`, entry.firstSeen]))
  return differences(look).map(([kind, detail]) => ({
    kind,
    detail,
    firstSeen: known.get(`${kind} ${detail}`) ?? look.now,
  }))
}

/** Whether all of it can be put right by enabling and disabling versions: with anything else, nothing is touched. */
export function isRestorable(drift: readonly DriftEntry[]): boolean {
  return drift.length > 0 && drift.every(({ kind }) => restorable.has(kind))
}

type Difference = [kind: DriftKind, detail: string]

function differences(look: Look): Difference[] {
  const { copy, remote } = look
  if (remote.state === 'absent') return [['missing', `"${copy.remoteName}" is not in the KMS`]]
  if (remote.state === 'deleted')
    return [['deleted', `"${copy.remoteName}" was deleted in the KMS: it can be recovered there`]]
  const { latest } = remote
  const there = new Map<string, RemoteVersion>()
  for (const version of [...(remote.versions ?? []), latest]) there.set(version.remoteVersion, version)
  for (const [id, version] of look.read) if (version) there.set(id, version)
  const complete = remote.versions !== undefined
  return [
    ...look.versions.flatMap((row) => versionDifferences(look, row, there, complete)),
    ...strangers(look, there),
    ...latestDifferences(look, latest),
  ]
}

function versionDifferences(
  { minEnabledVersion, read }: Look,
  { version, remoteVersion, importId }: CopyVersionRow,
  there: ReadonlyMap<string, RemoteVersion>,
  complete: boolean,
): Difference[] {
  if (remoteVersion === null) return []
  const name = `version ${version} (${remoteVersion})`
  const seen = there.get(remoteVersion)
  if (!seen) return complete || read.has(remoteVersion) ? [['version_missing', `${name} is not in the KMS`]] : []
  const found: Difference[] = []
  if (seen.importId !== importId) found.push(['tags', `${name} does not bear the tag that it was imported with`])
  const should = version >= minEnabledVersion
  if (seen.enabled && !should) found.push(['version_enabled', `${name} is enabled in the KMS and should be disabled`])
  if (!seen.enabled && should) found.push(['version_disabled', `${name} is disabled in the KMS and should be enabled`])
  return found
}

/** Versions that nobody here sent. One with an import id of ours is an import that took effect twice. */
function strangers({ versions }: Look, there: ReadonlyMap<string, RemoteVersion>): Difference[] {
  const ours = new Set(versions.flatMap((row) => [row.importId, row.remoteVersion]))
  return [...there.values()]
    .filter((seen) => !ours.has(seen.remoteVersion) && !ours.has(seen.importId))
    .map((seen) => ['version_extra', `version ${seen.remoteVersion} was not made by this gateway`])
}

/** What only a full read shows, of the version that the cloud uses when none is named. */
function latestDifferences({ copy, versions, newestPublicKey }: Look, latest: ReadVersion): Difference[] {
  const newest = versions.at(-1)
  if (!newest || (latest.remoteVersion !== newest.remoteVersion && latest.importId !== newest.importId)) return []
  const name = `version ${newest.version} (${latest.remoteVersion})`
  const found: Difference[] = []
  const { publicKey } = latest
  const same = newestPublicKey === null ? publicKey === null : publicKey?.equals(newestPublicKey)
  if (publicKey !== undefined && !same) found.push(['material', `${name} has another public key than the one sent`])
  const wanted = [...copy.purposes].sort().join(',')
  const purposes = latest.purposes && [...latest.purposes].sort().join(',')
  if (purposes !== undefined && purposes !== wanted)
    found.push(['purposes', `${name} may be used for ${purposes || 'nothing'}, and should be for ${wanted}`])
  return found
}
