import type { KeyProperties, KeyVaultKey } from '@azure/keyvault-keys'
import type { ReadVersion, RemoteVersion } from '../../core/kms/provider.ts'
import { importIdTag, nameTag } from './attributes.ts'
import { publicKeyOf, spkiOf } from './jwk.ts'
import { toPurposes } from './matrix.ts'

/** A version as a listing shows it. */
export function toRemoteVersion(properties: KeyProperties): RemoteVersion {
  const { name, createdOn, updatedOn, notBefore, expiresOn } = properties
  const { [nameTag]: named, [importIdTag]: importId, ...tags } = properties.tags ?? {}
  return {
    remoteVersion: properties.version ?? '',
    importId: importId ?? null,
    enabled: properties.enabled ?? true,
    tags,
    // The service compares names without case, and may give one as somebody once wrote it.
    labelled: named?.toLowerCase() === name.toLowerCase(),
    notBefore: notBefore ? seconds(notBefore) : null,
    expires: expiresOn ? seconds(expiresOn) : null,
    ...(createdOn && { created: seconds(createdOn) }),
    ...(updatedOn && { changed: seconds(updatedOn) }),
  }
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
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
