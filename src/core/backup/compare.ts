import { versionOfImportId } from '../distribution/import-id.ts'
import type { Connections } from '../kms/connections.ts'
import type { RemoteKey, RemoteVersion } from '../kms/provider.ts'
import type { CopyRow, CopyVersionRow, Store } from '../store.ts'
import type { LostVersion } from './restore-store.ts'

/** What is otherwise in a cloud than a restored database knows it. */
export interface Difference {
  key: string
  kms: string
  remoteName: string
  /** `unreachable`: it could not be looked at. `lost`: a version that was made after the backup. `stranger`: one that is none of ours. */
  kind: 'unreachable' | 'missing' | 'missing-version' | 'lost' | 'stranger' | 'enabled' | 'disabled'
  /** In words, without key and KMS. */
  what: string
}

export interface Comparison {
  /** How many copies were looked at. */
  copies: number
  differences: Difference[]
  lost: LostVersion[]
  /** Key -> the highest number of a version that was seen in any cloud. */
  highest: { keyId: string; version: number }[]
}

export interface CompareParts {
  store: Pick<Store, 'restore' | 'copies' | 'keys' | 'kms'>
  connections: Connections
}

const page = 100
/** How many copies are looked at at a time. */
const side = 8

/** Looks at every copy that should be present, in its cloud, and changes nothing there or here. */
export async function compareWithClouds({ store, connections }: CompareParts): Promise<Comparison> {
  const all: Comparison = { copies: 0, differences: [], lost: [], highest: [] }
  const highest = new Map<string, number>()
  for (let after = ''; ; ) {
    const copies = await store.restore.presentCopies(after, page)
    const left = [...copies]
    const worker = async () => {
      for (let copy = left.shift(); copy; copy = left.shift()) {
        const { differences, lost, most } = await compareOne(copy, { store, connections })
        all.differences.push(...differences)
        all.lost.push(...lost)
        if (copy.keyId !== null) highest.set(copy.keyId, Math.max(most, highest.get(copy.keyId) ?? 0))
      }
    }
    await Promise.all(Array.from({ length: side }, worker))
    all.copies += copies.length
    const last = copies.at(-1)
    if (copies.length < page || !last) break
    after = last.id
  }
  all.highest = [...highest].map(([keyId, version]) => ({ keyId, version }))
  return all
}

async function compareOne(copy: CopyRow, { store, connections }: CompareParts) {
  const key = copy.keyId === null ? undefined : await store.keys.byId(copy.keyId)
  const kms = copy.kmsId === null ? undefined : await store.kms.byId(copy.kmsId)
  const known = await store.copies.versions(copy.id)
  const named = { key: key?.name ?? '', kms: kms?.name ?? '', remoteName: copy.remoteName }
  const none = { differences: [] as Difference[], lost: [] as LostVersion[], most: 0 }
  if (!kms) return none
  let remote: RemoteKey
  try {
    const connection = await connections.ofKms(kms)
    await connection.canListVersions()
    remote = await connection.describe(copy.remoteName)
  } catch (error) {
    const what = `cannot be looked at: ${error instanceof Error ? error.message : String(error)}`
    return { ...none, differences: [{ ...named, kind: 'unreachable' as const, what }] }
  }
  const { differences, ...rest } = judge(copy, known, remote)
  return { ...rest, differences: differences.map((one) => ({ ...named, ...one })) }
}

/** What a look at one copy shows. Pure. */
export function judge(copy: CopyRow, known: readonly CopyVersionRow[], remote: RemoteKey) {
  const differences: Pick<Difference, 'kind' | 'what'>[] = []
  const lost: LostVersion[] = []
  const delivered = known.filter((row) => row.remoteVersion !== null)
  if (remote.state !== 'present') {
    if (delivered.length > 0) {
      const how = remote.state === 'deleted' ? 'was deleted and can be recovered there' : 'is not there'
      differences.push({ kind: 'missing', what: how })
    }
    return { differences, lost, most: 0 }
  }
  const there = remote.versions ?? [remote.latest]
  let most = 0
  for (const seen of there) {
    const row = known.find((one) => isOf(one, seen))
    const number = row?.version ?? versionOfImportId(seen.importId)
    most = Math.max(most, number ?? 0)
    if (row) {
      if (row.enabled !== null && row.enabled !== seen.enabled)
        differences.push({
          kind: seen.enabled ? 'enabled' : 'disabled',
          what: `version ${row.version} (${seen.remoteVersion}) is ${seen.enabled ? 'enabled' : 'disabled'}, and was not when the backup was made`,
        })
    } else if (number !== undefined && seen.importId !== null && !known.some((one) => one.version === number)) {
      const { remoteVersion, enabled, importId } = seen
      if (!lost.some((one) => one.version === number))
        lost.push({ copyId: copy.id, version: number, importId, remoteVersion, enabled })
      differences.push({
        kind: 'lost',
        what: `version ${number} (${remoteVersion}) was made after the backup: its material is in the KMS alone`,
      })
    } else {
      differences.push({ kind: 'stranger', what: `version ${seen.remoteVersion} is none that this database knows` })
    }
  }
  if (remote.versions) {
    for (const row of delivered) {
      if (there.some((seen) => isOf(row, seen))) continue
      differences.push({ kind: 'missing-version', what: `version ${row.version} (${row.remoteVersion}) is not there` })
    }
  }
  return { differences, lost, most }
}

function isOf(row: CopyVersionRow, seen: RemoteVersion): boolean {
  return row.remoteVersion === seen.remoteVersion || row.importId === seen.importId
}
