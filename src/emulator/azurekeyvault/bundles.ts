import { isHsm, publicMembers } from './key-material.ts'
import type { KeyVersion, NamedKey, Vault } from './vault.ts'

/** The shapes in which keys leave the vault: bundles with the public key, items of lists without it. */

/** `Recoverable…` or, with a retention other than 90 days, `CustomizedRecoverable…`; `+Purgeable` without purge protection. */
function recoveryLevel(vault: Vault): string {
  const base = vault.spec.softDeleteRetentionDays === 90 ? 'Recoverable' : 'CustomizedRecoverable'
  return vault.spec.purgeProtection ? base : `${base}+Purgeable`
}

export function keyId(vault: Vault, key: NamedKey, version?: KeyVersion): string {
  const id = `https://${vault.host}/keys/${key.name}`
  return version === undefined ? id : `${id}/${version.version}`
}

function attributes(vault: Vault, version: KeyVersion): Record<string, unknown> {
  return {
    ...version.attributes,
    created: version.created,
    updated: version.updated,
    recoveryLevel: recoveryLevel(vault),
    recoverableDays: vault.spec.softDeleteRetentionDays,
    exportable: false,
    // "2" is a FIPS 140-3 level 3 HSM, "0" is software (Azure: key attributes).
    hsmPlatform: isHsm(version.material.kty) ? '2' : '0',
  }
}

const tags = (version: KeyVersion) => (version.tags === undefined ? {} : { tags: version.tags })

/** A KeyBundle. */
export function keyBundle(vault: Vault, key: NamedKey, version: KeyVersion): Record<string, unknown> {
  return {
    key: {
      kid: keyId(vault, key, version),
      kty: version.material.kty,
      key_ops: version.keyOps,
      ...publicMembers(version.material),
    },
    attributes: attributes(vault, version),
    ...tags(version),
  }
}

/** A KeyItem: no public key, no operations. */
export function keyItem(
  vault: Vault,
  key: NamedKey,
  version: KeyVersion,
  withVersion: boolean,
): Record<string, unknown> {
  return {
    kid: keyId(vault, key, withVersion ? version : undefined),
    attributes: attributes(vault, version),
    ...tags(version),
  }
}

/** What a deleted bundle or item has on top. */
export function deletionMembers(vault: Vault, key: NamedKey): Record<string, unknown> {
  if (key.state.name === 'active') return {}
  return {
    recoveryId: `https://${vault.host}/deletedkeys/${key.name}`,
    deletedDate: Math.floor(key.state.deleted / 1000),
    scheduledPurgeDate: Math.floor(vault.purgeTime(key.state.deleted) / 1000),
  }
}
