import type { KeyProperties, KeyVaultKey } from '@azure/keyvault-keys'
import type { ReadVersion, RemoteVersion } from '../../core/kms/provider.ts'
import { importIdTag } from './attributes.ts'
import { publicKeyOf, spkiOf } from './jwk.ts'
import { toPurposes } from './matrix.ts'

/** A version as a listing shows it. */
export function toRemoteVersion(properties: KeyProperties): RemoteVersion {
  return {
    remoteVersion: properties.version ?? '',
    importId: properties.tags?.[importIdTag] ?? null,
    enabled: properties.enabled ?? true,
    ...(properties.createdOn && { created: Math.floor(properties.createdOn.getTime() / 1000) }),
  }
}

/** A version as a full read, or an import, shows it. */
export function toReadVersion(key: KeyVaultKey): ReadVersion {
  return {
    ...toRemoteVersion(key.properties),
    publicKey: publicKeyDer(key),
    purposes: toPurposes(key.keyOperations ?? []),
  }
}

/** An RSA or EC key whose public half cannot be read gives an empty buffer, which equals no key: it must not pass for ours. */
function publicKeyDer(key: KeyVaultKey): Buffer | null {
  if (/^oct/i.test(key.keyType ?? '')) return null
  const publicKey = publicKeyOf(key.key)
  return publicKey ? spkiOf(publicKey) : Buffer.alloc(0)
}
