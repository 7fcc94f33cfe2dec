import { getAsset, getRawAsset } from 'node:sea'
import { loadAddon, unpackingPlaces } from './unpack.ts'

let loaded: object | undefined

/**
 * SQLite's native part, out of the single binary, where this file takes the place of `src/store/sqlite/native-binding.ts` and keeps its
 * promise. Throws a sentence when no folder allows to unpack it.
 */
export function nativeBinding(databaseFolder: string): object {
  loaded ??= loadAddon(
    {
      bytes: new Uint8Array(getRawAsset('better_sqlite3.node') as ArrayBuffer),
      sha256: getAsset('better_sqlite3.node.sha256', 'utf8'),
    },
    { places: unpackingPlaces(databaseFolder, process.env) },
  )
  return loaded
}
