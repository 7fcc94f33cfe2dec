import { invalid } from '../../core/errors.ts'
import type { KeyType } from '../../core/keys/types.ts'
import { type Allowed, type Protection, type Purpose, type PurposeMatrix, purposes } from '../../core/kms/provider.ts'

const all: Allowed = { purposes }
const signing: Allowed = { purposes: ['sign', 'verify'] }
const symmetric: Allowed = { purposes: ['encrypt', 'decrypt', 'wrap', 'unwrap'] }

/**
 * What can go to Azure. RSA as Vault's documents have it: every purpose, both protections. EC only signs and verifies (the service:
 * "Supported values are sign, verify"). A symmetric key goes to a Managed HSM only, by BYOK as oct-HSM; that a vault takes none, and
 * a Managed HSM no software keys, says `checkPlace`.
 */
export const azureMatrix: PurposeMatrix = {
  'rsa-2048': { hsm: all, software: all },
  'rsa-3072': { hsm: all, software: all },
  'rsa-4096': { hsm: all, software: all },
  'ecdsa-p256': { hsm: signing, software: signing },
  'ecdsa-p384': { hsm: signing, software: signing },
  'ecdsa-p521': { hsm: signing, software: signing },
  'aes256-gcm96': { hsm: symmetric },
}

/** What the matrix cannot say, since vaults and Managed HSMs are one provider. Throws `invalid` with what is allowed. */
export function checkPlace(managedHsm: boolean, type: KeyType, protection: Protection): void {
  if (managedHsm && protection === 'software') {
    throw invalid(
      'protection software is not possible in a Managed HSM, which holds keys in hardware only: allowed is hsm',
    )
  }
  if (!managedHsm && type === 'aes256-gcm96') {
    throw invalid(
      'a key of type aes256-gcm96 cannot be distributed to a vault: Azure takes symmetric keys into a Managed HSM only, whose full ' +
        'host is then the key_collection',
    )
  }
}

/** The words of JWK's `key_ops` (RFC 7517, section 4.3) for Vault's purposes. */
const keyOps: Readonly<Record<Purpose, string>> = {
  encrypt: 'encrypt',
  decrypt: 'decrypt',
  sign: 'sign',
  verify: 'verify',
  wrap: 'wrapKey',
  unwrap: 'unwrapKey',
}

/** Purposes as the service names them. */
export function toKeyOps(wanted: readonly Purpose[]): string[] {
  return wanted.map((purpose) => keyOps[purpose])
}

/** The service's operations as purposes, sorted; operations that are no purpose (`import`, `export`) are left out. */
export function toPurposes(ops: readonly string[]): Purpose[] {
  return purposes.filter((purpose) => ops.includes(keyOps[purpose])).sort()
}
