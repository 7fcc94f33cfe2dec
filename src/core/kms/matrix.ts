import { invalid, oneOf } from '../errors.ts'
import { type KeyType, printable } from '../keys/types.ts'
import { type Allowed, type Protection, type Provider, type Purpose, protections, purposes } from './provider.ts'

/**
 * Takes the purposes and the protection as a client sent them, and checks them against the provider's matrix before anything is
 * dispatched. Gives the purposes without repeats, sorted as Vault shows them. Throws `invalid`, naming what would be allowed.
 */
export function checkPurposes(
  provider: Pick<Provider, 'name' | 'matrix'>,
  type: KeyType,
  protectionText: string,
  purposeTexts: readonly string[],
): { protection: Protection; purposes: Purpose[] } {
  const protection = protections.find((known) => known === protectionText)
  if (!protection)
    throw invalid(`unsupported protection "${printable(protectionText)}": allowed are ${oneOf(protections)}`)
  if (purposeTexts.length === 0) throw invalid(`missing purpose: name at least one of ${oneOf(purposes)}`)
  const wanted = new Set<Purpose>()
  for (const text of purposeTexts) {
    const purpose = purposes.find((known) => known === text)
    if (!purpose) throw invalid(`unsupported purpose "${printable(text)}": allowed are ${oneOf(purposes)}`)
    wanted.add(purpose)
  }
  const allowed = allowedFor(provider, type, protection)
  for (const purpose of wanted) {
    if (allowed.purposes.includes(purpose)) continue
    throw invalid(
      `purpose "${purpose}" is not possible for a key of type ${type} with protection ${protection} in ${provider.name}: allowed are ${oneOf(allowed.purposes)}`,
    )
  }
  const clash = allowed.forbidden?.find((set) => set.every((purpose) => wanted.has(purpose)))
  if (clash)
    throw invalid(
      `the purposes ${clash.join(' and ')} cannot be combined for a key of type ${type} in ${provider.name}`,
    )
  return { protection, purposes: [...wanted].sort() }
}

function allowedFor(provider: Pick<Provider, 'name' | 'matrix'>, type: KeyType, protection: Protection): Allowed {
  const row = provider.matrix[type]
  if (!row) {
    const types = Object.keys(provider.matrix)
    throw invalid(`a key of type ${type} cannot be distributed to ${provider.name}: allowed types are ${oneOf(types)}`)
  }
  const allowed = row[protection]
  if (!allowed) {
    throw invalid(
      `a key of type ${type} cannot have protection ${protection} in ${provider.name}: allowed is ${oneOf(Object.keys(row))}`,
    )
  }
  return allowed
}
