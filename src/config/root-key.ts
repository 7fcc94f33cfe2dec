import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseRootKey, type RootKey } from '../core/seal/root-key.ts'
import type { RootKeySource, Unsealing } from '../core/seal/unsealing.ts'
import { CommandError, exitCodes, systemCode, systemReason } from './exit-codes.ts'
import type { Environment } from './load.ts'

/** The name under which systemd hands over the key: `LoadCredential=keyferry-root-key:/path`. */
export const systemdCredential = 'keyferry-root-key'
export const rootKeyFile = 'root.key'
/** What follows the name of a file or credential for the root key before the present one. */
const previousSuffix = '-previous'

/** A source that answers at once. */
interface Place extends RootKeySource {
  read(): RootKey
}

interface Places {
  /** What the settings name. */
  file: string | undefined
  previousFile?: string | undefined
  /** Where `root.key` may be; undefined for none. */
  dataFolder: string | undefined
  environment: Environment
}

/**
 * The place that holds the root key, the first of: the file that the settings name, the variable KEYFERRY_ROOT_KEY, systemd's
 * credential, and `root.key` in the data folder. Reading it throws a `CommandError` or a `KeyferryError` that never repeats the key.
 */
export function rootKeySource({ file, dataFolder, environment }: Places): Place {
  const place =
    file === undefined ? fromEnvironment('KEYFERRY_ROOT_KEY', systemdCredential, environment) : fromFile(file)
  if (place) return place
  if (dataFolder !== undefined) return fromFile(join(dataFolder, rootKeyFile))
  throw new CommandError(
    exitCodes.config,
    `there is no root key: give it with --root-key-file, KEYFERRY_ROOT_KEY or the credential ${systemdCredential}`,
  )
}

/**
 * Where root keys come from. The one before the present one, which only a rotation needs, is looked for in the same places under names with
 * `previous`, wherever the present one is, so that a rotation can also move it.
 */
export function unsealing(places: Places): Unsealing {
  const { previousFile, dataFolder, environment } = places
  const before =
    previousFile === undefined
      ? fromEnvironment('KEYFERRY_ROOT_KEY_PREVIOUS', `${systemdCredential}${previousSuffix}`, environment)
      : fromFile(previousFile)
  const beside = dataFolder === undefined ? undefined : join(dataFolder, `${rootKeyFile}${previousSuffix}`)
  const previous = before ?? (beside !== undefined && existsSync(beside) ? fromFile(beside) : undefined)
  return { current: rootKeySource(places), previous }
}

function fromEnvironment(variable: string, credential: string, environment: Environment): Place | undefined {
  const value = environment[variable]
  if (value !== undefined) return { name: variable, read: () => parseRootKey(value, variable) }
  const credentials = environment.CREDENTIALS_DIRECTORY
  return credentials === undefined ? undefined : fromCredential(join(credentials, credential))
}

/** systemd keeps credentials in a folder of the service's own, with modes of its choosing: those are not ours to judge. */
function fromCredential(path: string): Place | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    return { name: path, read: () => parseRootKey(text, path) }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw unreadable(path, error)
  }
}

function fromFile(path: string): Place {
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
