import { invalid, oneOf } from '../../core/errors.ts'
import { printable } from '../../core/keys/types.ts'
import type { Cloud } from './clouds.ts'

/** A vault or a Managed HSM, by the name that becomes its host. */
export interface Target {
  kind: 'vault' | 'managedhsm'
  /** Lower case. */
  host: string
  /** The first label of the host, lower case. */
  name: string
  /** `https://<host>`: the identity of the place. */
  collection: string
}

/** Azure's rule for names of vaults and Managed HSMs (Microsoft Learn, "Key Vault overview: object identifiers"). */
const vaultName = /^(?=.{3,24}$)[a-z](?:-?[a-z0-9])*$/

/**
 * Takes `key_collection`: the name of a vault, or a full host under one of the cloud's suffixes (the way to name a Managed HSM).
 * Since it becomes a host name, nothing else passes. Throws `invalid` with the rule.
 */
export function parseTarget(keyCollection: string, cloud: Cloud): Target {
  const text = keyCollection.toLowerCase()
  if (vaultName.test(text)) return target('vault', text, cloud.vaultSuffix)
  const dot = text.indexOf('.')
  const name = text.slice(0, dot)
  const suffix = text.slice(dot + 1)
  if (dot > 0 && vaultName.test(name)) {
    if (suffix === cloud.vaultSuffix) return target('vault', name, suffix)
    if (suffix === cloud.managedHsmSuffix) return target('managedhsm', name, suffix)
  }
  const suffixes = [cloud.vaultSuffix, ...(cloud.managedHsmSuffix ? [cloud.managedHsmSuffix] : [])]
  throw invalid(
    `key_collection "${printable(keyCollection)}" is not the name of a vault: allowed are 3 to 24 letters, digits and single "-", ` +
      `beginning with a letter and ending with a letter or digit, alone or followed by ${oneOf(suffixes.map((known) => `.${known}`))}`,
  )
}

function target(kind: Target['kind'], name: string, suffix: string): Target {
  const host = `${name}.${suffix}`
  return { kind, host, name, collection: `https://${host}` }
}
