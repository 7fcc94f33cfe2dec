import type { Connection, ReadVersion, RemoteKey } from '../kms/provider.ts'
import type { CopyVersionRow } from '../store.ts'

/** How many versions, the newest, are read one by one. */
const mostRead = 25

/**
 * Versions that a description does not tell enough of, read one by one: where they may not be listed all but the latest; where they may,
 * those that are enabled and were changed after they were made, since a listing does not show what a version may be used for. `before` is
 * called before each; false ends it.
 */
export async function furtherReads(
  connection: Pick<Connection, 'readVersion'>,
  remoteName: string,
  remote: RemoteKey,
  versions: readonly CopyVersionRow[],
  before: () => Promise<boolean>,
): Promise<Map<string, ReadVersion | undefined>> {
  const read = new Map<string, ReadVersion | undefined>()
  if (remote.state !== 'present') return read
  const { latest, versions: listed } = remote
  const changed = new Set(
    listed?.filter((one) => one.enabled && (one.changed ?? 0) > (one.created ?? 0)).map((one) => one.remoteVersion),
  )
  const ids = versions
    .flatMap(({ remoteVersion: id }) => (id === null || id === latest.remoteVersion ? [] : [id]))
    .filter((id) => !listed || changed.has(id))
  for (const id of ids.slice(-mostRead)) {
    if (!(await before())) break
    read.set(id, await connection.readVersion(remoteName, id))
  }
  return read
}
