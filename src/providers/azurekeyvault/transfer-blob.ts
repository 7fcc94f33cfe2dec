import type { KeyObject } from 'node:crypto'
import { wrapRsaAes } from '../../core/kms/wrapping.ts'

/**
 * The key transfer package of Azure's BYOK specification (Microsoft Learn, "Bring your own key specification"), which goes as it is
 * into `key_hsm`. Takes the key encryption key with its full id, version included, and the target in plaintext: PKCS#8 DER of an RSA
 * or EC key, or the raw bytes of a symmetric one. The specification names CKM_RSA_AES_KEY_WRAP with RSA-OAEP and SHA-1; base64url
 * has no padding.
 */
export function transferBlob(kek: { keyId: string; publicKey: KeyObject }, target: Buffer): Buffer {
  const ciphertext = wrapRsaAes(kek.publicKey, 'sha1', target)
  return Buffer.from(
    JSON.stringify({
      schema_version: '1.0.0',
      header: { kid: kek.keyId, alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP' },
      ciphertext: ciphertext.toString('base64url'),
      generator: 'Keyferry',
    }),
  )
}
