import { invalid, oneOf } from '../../errors.ts'
import { printable } from '../../keys/types.ts'

/** The policy that allows everything. It has no text, and nobody writes it. */
export const rootPolicyName = 'root'
/** The policy that tokens have unless asked not to. It can be changed, not deleted. */
export const defaultPolicyName = 'default'

/** Vault's names that nobody may write: `response-wrapping` is what a wrapping token has. */
const unwritable: readonly string[] = [rootPolicyName, 'response-wrapping']
const part = '[A-Za-z0-9_][A-Za-z0-9_.:@-]*'
const policyName = new RegExp(`^${part}(?:/${part})*$`)
const longest = 128

/**
 * The one form of a policy's name, in lower case as Vault keeps it, so that `Root` is `root` wherever it is compared. Takes ASCII only,
 * before lowering: other alphabets have letters that become ASCII ones (the Kelvin sign becomes `k`). Throws `invalid` with the rule,
 * also for blanks around a name.
 */
export function normalisePolicyName(name: string): string {
  if (name.length > longest || !policyName.test(name)) {
    throw invalid(
      `invalid policy name "${printable(name)}": allowed are 1 to ${longest} letters and digits of ASCII, "_", "-", ".", ":" and "@", in parts between "/" that begin with a letter, a digit or "_"`,
    )
  }
  return name.toLowerCase()
}

/** The name of a policy about to be made or changed, normalised. Throws `invalid` for those that nobody may write. */
export function writablePolicyName(name: string): string {
  const normal = normalisePolicyName(name)
  if (unwritable.includes(normal)) {
    throw invalid(`cannot update "${normal}" policy: allowed are all names but ${oneOf(unwritable)}`)
  }
  return normal
}

/** The name of a policy about to be deleted, normalised. Throws `invalid` for those that have to stay. */
export function deletablePolicyName(name: string): string {
  const normal = normalisePolicyName(name)
  if (normal === defaultPolicyName || unwritable.includes(normal)) {
    throw invalid(
      `cannot delete "${normal}" policy: allowed are all names but ${oneOf([defaultPolicyName, ...unwritable])}`,
    )
  }
  return normal
}
