import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommandError, exitCodes, systemCode, systemReason } from '../config/exit-codes.ts'
import { writePrivateFile } from './private-file.ts'

/** Where Vault's command line keeps the token, too. */
const name = '.vault-token'

/** The token that a login has stored in the home directory, or undefined. Throws a `CommandError` (78) for a file that cannot be read. */
export function storedToken(home: string | undefined): string | undefined {
  if (!home) return undefined
  const file = join(home, name)
  try {
    return readFileSync(file, 'utf8').trim() || undefined
  } catch (error) {
    // ENOTDIR: a home that is none. NotCapable: Deno without the permission, which then has VAULT_TOKEN alone.
    if (
      ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '') ||
      (error instanceof Error && error.name === 'NotCapable')
    )
      return undefined
    throw new CommandError(
      exitCodes.config,
      `the token in ${file} cannot be read: ${systemReason(error)}. Mend that, or set VAULT_TOKEN`,
    )
  }
}

/** Stores a token, mode 0600, in one step: whoever reads the file sees the old or the new one. Gives its path. Throws a `CommandError` (73). */
export function storeToken(home: string | undefined, token: string): string {
  if (!home) {
    throw new CommandError(
      exitCodes.cannotCreate,
      'the token cannot be stored: HOME is not set. Set it, or log in with --no-store',
    )
  }
  const file = join(home, name)
  try {
    writePrivateFile(file, token)
  } catch (error) {
    throw new CommandError(
      exitCodes.cannotCreate,
      `the token cannot be stored in ${file}: ${systemReason(error)}. Mend that, or log in with --no-store`,
    )
  }
  return file
}
