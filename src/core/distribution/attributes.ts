import type { Purpose, ReadVersion, RemoteVersion, VersionChange } from '../kms/provider.ts'
import type { CopyRow, CopyVersionRow, DriftKind } from '../store.ts'

/** What a version has otherwise than it was given, and what gives it back. */
export interface AttributeDifference {
  kind: Extract<DriftKind, 'tags' | 'times' | 'purposes'>
  /** Goes on after the name of the version. */
  what: string
  /** Undefined where no change of the version can undo it. */
  change: VersionChange | undefined
}

/** A version as it was seen, in full or as a listing shows it. */
export type SeenVersion = RemoteVersion & Pick<ReadVersion, 'purposes'>

/**
 * Compares what a version in the cloud has beside its key with what it was imported with. Pure. What the cloud does not tell, or was not
 * read, is no difference. Tags that others added are none either, and stay where tags are put back.
 */
export function attributeDifferences(
  { options, purposes }: Pick<CopyRow, 'options' | 'purposes'>,
  { importId }: Pick<CopyVersionRow, 'importId'>,
  seen: SeenVersion,
): AttributeDifference[] {
  return [
    ...tagDifferences(options.tags ?? {}, importId, seen),
    ...timeDifferences('notBefore', options.notBefore, seen.notBefore),
    ...timeDifferences('expires', options.expires, seen.expires),
    ...purposeDifferences(purposes, seen.purposes),
  ]
}

/** All of it in one change; undefined where there is nothing that a change undoes. */
export function changeOf(differences: readonly AttributeDifference[]): VersionChange | undefined {
  const changes = differences.flatMap(({ change }) => change ?? [])
  return changes.length === 0 ? undefined : Object.assign({}, ...changes)
}

function tagDifferences(wanted: Record<string, string>, importId: string, seen: SeenVersion): AttributeDifference[] {
  const { tags } = seen
  const lost = tags ? Object.entries(wanted).filter(([name, value]) => tags[name] !== value) : []
  const own = seen.importId !== importId || seen.labelled === false
  if (!own && lost.length === 0) return []
  const names = lost.map(([name]) => `"${name}"`).join(', ')
  const what = own ? 'does not bear the tags that it was imported with' : `does not bear the tags ${names} as given`
  const given = new Set(Object.keys(wanted).map((name) => name.toLowerCase()))
  const foreign = Object.entries(tags ?? {}).filter(([name]) => !given.has(name.toLowerCase()))
  return [{ kind: 'tags', what, change: { tags: { importId, others: { ...Object.fromEntries(foreign), ...wanted } } } }]
}

function timeDifferences(
  field: 'notBefore' | 'expires',
  wanted: number | undefined,
  seen: number | null | undefined,
): AttributeDifference[] {
  if (seen === undefined || (seen ?? undefined) === wanted) return []
  const word = field === 'notBefore' ? 'from' : 'up to'
  const shown = (seconds: number | null | undefined) =>
    seconds == null ? 'any time' : new Date(seconds * 1000).toISOString()
  const what = `may be used ${word} ${shown(seen)}, and should be ${word} ${shown(wanted)}`
  const change = wanted === undefined ? undefined : { [field]: new Date(wanted * 1000) }
  return [{ kind: 'times', what, change }]
}

function purposeDifferences(wanted: readonly Purpose[], seen: readonly Purpose[] | undefined): AttributeDifference[] {
  const listed = (all: readonly Purpose[]) => [...all].sort().join(',')
  if (seen === undefined || listed(seen) === listed(wanted)) return []
  const what = `may be used for ${listed(seen) || 'nothing'}, and should be for ${listed(wanted)}`
  return [{ kind: 'purposes', what, change: { purposes: wanted } }]
}
