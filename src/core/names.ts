import { invalid } from './errors.ts'
import { printable } from './keys/types.ts'

/** Vault's GenericNameRegex, with letters and digits of ASCII only, and at most 100 characters so that a cloud name can follow. */
const objectName = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9_])?$/

/** Takes the name of a key, a KMS or the like. Throws `invalid` with the rule when it is not one. */
export function checkName(what: string, name: string): string {
  if (!objectName.test(name) || name.includes('..')) {
    throw invalid(
      `invalid ${what} name "${printable(name)}": allowed are 1 to 100 letters, digits, "_", "-" and ".", beginning and ending with a letter, digit or "_", without ".."`,
    )
  }
  return name
}
