import { statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import { CommandError, systemReason } from '../config/exit-codes.ts'
import type { Environment } from '../config/load.ts'
import { rootKeySource } from '../config/root-key.ts'
import { KeyferryError } from '../core/errors.ts'
import type { Finding } from '../core/kms/provider.ts'
import { Keyring } from '../core/seal/keyring.ts'
import type { RootKey } from '../core/seal/root-key.ts'
import type { DataKeyRow } from '../core/store.ts'
import { checkDataFolder, databaseFile, devFile } from './data-folder.ts'

const mebibyte = 1024 * 1024

/**
 * Looks at a data folder without a gateway and without changing anything: the database is opened for reading only. Gives findings;
 * throws only when the program is at fault.
 */
export async function diagnoseData(options: {
  folder: string
  rootKeyFile: string | undefined
  environment: Environment
}): Promise<Finding[]> {
  const { folder } = options
  const usable = attempt('folder', () => checkDataFolder(folder))
  if (usable) return [usable]
  const findings = [folderFinding(folder), spaceFinding(folder)]
  const rootKey = await readRootKey(options)
  findings.push(
    'key' in rootKey ? { level: 'ok', code: 'root_key', message: `the root key ${rootKey.id} was read` } : rootKey,
  )
  try {
    findings.push(...(await databaseFindings(join(folder, databaseFile), 'key' in rootKey ? rootKey : undefined)))
  } finally {
    if ('key' in rootKey) rootKey.key.fill(0)
  }
  return findings
}

/** The finding that a refusal comes to; undefined where there was none. */
function attempt(code: string, work: () => unknown): Finding | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return refusal(code, error)
  }
}

function refusal(code: string, error: unknown): Finding {
  if (!(error instanceof CommandError || error instanceof KeyferryError)) throw error
  return { level: 'error', code, message: error.message }
}

function folderFinding(folder: string): Finding {
  const code = 'folder'
  const open = [folder, join(folder, databaseFile)].filter((path) => (statSync(path).mode & 0o077) !== 0)
  if (open.length > 0) {
    return {
      level: 'warning',
      code,
      message: `other users of this machine may look into ${open.join(' and ')}`,
      action: `chmod go-rwx ${open.join(' ')}`,
    }
  }
  try {
    statSync(join(folder, devFile))
    const message = `${folder} is a folder of "keyferry dev", and only its owner may touch it`
    return { level: 'info', code, message }
  } catch {
    return { level: 'ok', code, message: `only its owner may touch ${folder}` }
  }
}

function spaceFinding(folder: string): Finding {
  const { bavail, bsize } = statfsSync(folder)
  const free = Math.floor((bavail * bsize) / mebibyte)
  const level = free < 100 ? 'error' : free < 1024 ? 'warning' : 'ok'
  const action = level === 'ok' ? {} : { action: 'make room: a full disk stops every change, though nothing is lost' }
  return { level, code: 'disk', message: `the disk of the data folder has ${free} MiB left`, ...action }
}

async function readRootKey(options: Parameters<typeof diagnoseData>[0]): Promise<RootKey | Finding> {
  const { folder, rootKeyFile, environment } = options
  const file = rootKeyFile ?? environment.KEYFERRY_ROOT_KEY_FILE
  try {
    return await rootKeySource({ file, dataFolder: folder, environment }).read()
  } catch (error) {
    return refusal('root_key', error)
  }
}

async function databaseFindings(file: string, rootKey: RootKey | undefined): Promise<Finding[]> {
  const { openSqlite } = await import('../store/sqlite/database.ts')
  let database: BetterSqlite3.Database | undefined
  try {
    database = openSqlite(file, { readonly: true, fileMustExist: true })
    const damage = database.pragma('quick_check(1)', { simple: true })
    if (damage !== 'ok') return [damaged(`SQLite says: ${damage}`)]
    return [
      { level: 'ok', code: 'database', message: 'the database is intact' },
      await schemaFinding(database),
      ...(rootKey ? [await sealFinding(database, rootKey)] : []),
    ]
  } catch (error) {
    return [damaged(systemReason(error))]
  } finally {
    database?.close()
  }
}

function damaged(why: string): Finding {
  return {
    level: 'error',
    code: 'database',
    message: `the database cannot be used: ${why}`,
    action: 'stop the gateway, keep the file, and put a backup in its place',
  }
}

async function schemaFinding(database: BetterSqlite3.Database): Promise<Finding> {
  const code = 'schema'
  const { readMigrations } = await import('../store/sqlite/migration-files.ts')
  const newest = Math.max(...readMigrations().map(({ folderMillis }) => folderMillis))
  const applied = Number(database.prepare('SELECT max(created_at) FROM __drizzle_migrations').pluck().get())
  if (applied === newest) return { level: 'ok', code, message: 'the database has the schema of this version' }
  if (applied < newest) {
    return { level: 'info', code, message: 'the database has an older schema, which the next start brings up to date' }
  }
  return {
    level: 'error',
    code,
    message: 'the database was written by a newer keyferry than this one',
    action: 'run that version',
  }
}

/** Opens the data key of every namespace, which is all that stands directly under the root key. */
async function sealFinding(database: BetterSqlite3.Database, rootKey: RootKey): Promise<Finding> {
  const code = 'seal'
  const rootId = database.prepare("SELECT value FROM meta WHERE key = 'root_id'").pluck().get()
  if (rootId !== rootKey.id) {
    return {
      level: 'error',
      code,
      message: `the root key is not the one of this database: it has id ${rootKey.id}, the database wants ${rootId}`,
      action: 'put the root key that belongs to it in its place',
    }
  }
  const rows = database
    .prepare(
      'SELECT id, namespace_id AS namespaceId, root_id AS rootId, box, created_at AS createdAt FROM data_keys ORDER BY created_at DESC',
    )
    .all() as DataKeyRow[]
  const [ours = [], others = []] = [true, false].map((own) =>
    rows.filter(({ rootId: id }) => (id === rootKey.id) === own),
  )
  const byNamespace = Map.groupBy(ours, ({ namespaceId }) => namespaceId)
  // The keyring zeroes what it was given when it closes, and the caller has a use for it still.
  const keyring = new Keyring(
    { ...rootKey, key: Buffer.from(rootKey.key) },
    { dataKeys: (id) => byNamespace.get(id) ?? [] },
  )
  try {
    for (const id of byNamespace.keys()) await keyring.forNamespace(id)
  } catch (error) {
    return { ...refusal(code, error), action: 'put a backup of the database in its place, or the right root key' }
  } finally {
    keyring.close()
  }
  const count = byNamespace.size
  if (others.length > 0) {
    const message = `${others.length} data keys are under another root key than ${rootKey.id}: a rotation has not come to its end`
    return { level: 'warning', code, message, action: 'keep both root keys, and run "keyferry rotate-root" to its end' }
  }
  return { level: 'ok', code, message: `the root key opens the keys of ${count} namespace${count === 1 ? '' : 's'}` }
}
