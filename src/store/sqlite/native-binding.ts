/**
 * The native part of SQLite for better-sqlite3, or undefined where it finds its own in node_modules. In the single binary, which has no
 * node_modules, `src/binary/native-binding.ts` takes this file's place. `databaseFolder`: a folder that this process may write to.
 */
export function nativeBinding(_databaseFolder: string): object | undefined {
  return undefined
}
