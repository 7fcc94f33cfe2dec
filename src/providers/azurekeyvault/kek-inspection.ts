import type { KeyObject } from 'node:crypto'
import type { KeyVaultKey } from '@azure/keyvault-keys'
import { parseKeyId } from './credentials.ts'
import { fingerprintOf, publicKeyOf } from './jwk.ts'

/** A key encryption key as the service shows it, found to be as it must be. */
export interface SoundKek {
  /** Full id with version, as the service writes it. */
  keyId: string
  publicKey: KeyObject
  /** `sha256:` and the lower-case hex of the SPKI DER's SHA-256. */
  fingerprint: string
}

/**
 * What the BYOK specification and we ask of a key encryption key ("Bring your own key specification": RSA-HSM, `import` as its only
 * operation, in the very vault). Gives its identity, or the end of a sentence about it. `now`: ms since 1970.
 */
export function inspectKek(
  key: KeyVaultKey | undefined,
  { collection, kekType, now }: { collection: string; kekType: 'RSA-HSM' | 'RSA'; now: number },
): SoundKek | string {
  if (!key) return 'is not there any more'
  const keyId = key.key?.kid ?? ''
  const { enabled, exportable, releasePolicy, notBefore, expiresOn } = key.properties
  if (!parseKeyId(keyId, collection)) return 'is said to be in another vault'
  if (enabled === false) return 'is disabled'
  if (key.keyType !== kekType) return `is of type ${key.keyType}, not ${kekType}`
  if (key.keyOperations?.length !== 1 || key.keyOperations[0] !== 'import')
    return 'has other operations than import alone'
  if (exportable) return 'is exportable'
  if (releasePolicy) return 'has a release policy'
  if ((notBefore && notBefore.getTime() > now) || (expiresOn && expiresOn.getTime() <= now))
    return 'is not valid at this time'
  const publicKey = publicKeyOf(key.key)
  if ((publicKey?.asymmetricKeyDetails?.modulusLength ?? 0) < 2048 || !publicKey)
    return 'is not an RSA key of 2048 bits or more'
  return { keyId, publicKey, fingerprint: fingerprintOf(publicKey) }
}
