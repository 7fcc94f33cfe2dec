import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseRootKey, type RootKey } from '../core/seal/root-key.ts'
import { CommandError, exitCodes, systemCode, systemReason } from './exit-codes.ts'
import type { Environment } from './load.ts'

/** One place that a root key can come from. */
export interface RootKeySource {
  /** For messages. */
  name: string
  /** Throws a `CommandError` or a `KeyferryError` that says what is wrong with it; never repeats the key. */
  read(): RootKey
}

/** The name under which systemd hands over the key: `LoadCredential=keyferry-root-key:/path`. */
export const systemdCredential = 'keyferry-root-key'
export const rootKeyFile = 'root.key'

/**
 * The place that holds the root key, the first of: the file that the settings name, the variable KEYFERRY_ROOT_KEY, systemd's
 * credential, and `root.key` in the data folder.
 */
export function rootKeySource(options: {
  file: string | undefined
  dataFolder: string
  environment: Environment
}): RootKeySource {
  const { file, dataFolder, environment } = options
  if (file !== undefined) return fromFile(file)
  const value = environment.KEYFERRY_ROOT_KEY
  if (value !== undefined) return { name: 'KEYFERRY_ROOT_KEY', read: () => parseRootKey(value, 'KEYFERRY_ROOT_KEY') }
  const credentials = environment.CREDENTIALS_DIRECTORY
  if (credentials !== undefined) {
    const credential = fromCredential(join(credentials, systemdCredential))
    if (credential) return credential
  }
  return fromFile(join(dataFolder, rootKeyFile))
}

/** systemd keeps credentials in a folder of the service's own, with modes of its choosing: those are not ours to judge. */
function fromCredential(path: string): RootKeySource | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    return { name: path, read: () => parseRootKey(text, path) }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw unreadable(path, error)
  }
}

function fromFile(path: string): RootKeySource {
  return { name: path, read: () => parseRootKey(readPrivateFile(path), path) }
}

/** Reads a file that only its owner may touch. Mode and owner are of the file that is read, whatever the path leads to meanwhile. */
function readPrivateFile(path: string): string {
  let handle: number
  try {
    handle = openSync(path, 'r')
  } catch (error) {
    throw unreadable(path, error)
  }
  try {
    const { mode, uid } = fstatSync(handle)
    if ((mode & 0o077) !== 0) {
      throw new CommandError(
        exitCodes.config,
        `the root key file ${path} is too open: its mode is ${octal(mode)}, and only its owner may read it: chmod 600 ${path}`,
      )
    }
    const user = process.geteuid?.() ?? uid
    if (uid !== user && uid !== 0) {
      throw new CommandError(
        exitCodes.config,
        `the root key file ${path} belongs to another user (uid ${uid}), who could read and replace it: it must belong to uid ${user}`,
      )
    }
    return readFileSync(handle, 'utf8')
  } catch (error) {
    throw error instanceof CommandError ? error : unreadable(path, error)
  } finally {
    closeSync(handle)
  }
}

function unreadable(path: string, error: unknown): CommandError {
  return new CommandError(exitCodes.config, `the root key ${path} cannot be read: ${systemReason(error)}`)
}

function octal(mode: number): string {
  return `0${(mode & 0o7777).toString(8)}`
}
