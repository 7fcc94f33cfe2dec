import { constants, createCipheriv, type KeyObject, publicEncrypt, randomBytes } from 'node:crypto'

/** RFC 5649, section 3: the alternative initial value of AES key wrap with padding. */
const kwpInitialValue = Buffer.from('a65959a6', 'hex')

/**
 * CKM_RSA_AES_KEY_WRAP (PKCS#11 v2.40, 2.1.21): a fresh AES-256 key wrapped by RSA-OAEP (MGF1 with the same hash, empty label),
 * followed by the target wrapped under that AES key by RFC 5649 (AES key wrap with padding).
 *
 * Takes the key encryption key's public half, the hash that the cloud's protocol names (Azure: SHA-1; AWS and GCP: SHA-256), and
 * the plaintext target, which stays the caller's to zero. Gives the two parts concatenated: modulus bytes + 8 + target rounded up
 * to 8. The ephemeral key is zeroed before it returns.
 */
export function wrapRsaAes(wrappingKey: KeyObject, oaepHash: 'sha1' | 'sha256', target: Buffer): Buffer {
  const ephemeral = randomBytes(32)
  try {
    const wrappedEphemeral = publicEncrypt(
      { key: wrappingKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash },
      ephemeral,
    )
    return Buffer.concat([wrappedEphemeral, wrapAesKwp(ephemeral, target)])
  } finally {
    ephemeral.fill(0)
  }
}

/**
 * AES key wrap with padding (RFC 5649; SP 800-38F calls it KWP). Takes a 256-bit key and 1 or more bytes of plaintext; gives
 * 8 + the plaintext rounded up to 8 bytes.
 */
export function wrapAesKwp(key: Buffer, plaintext: Buffer): Buffer {
  const cipher = createCipheriv('id-aes256-wrap-pad', key, kwpInitialValue)
  // One update only: OpenSSL's wrap ciphers wrap each update on its own.
  return Buffer.concat([cipher.update(plaintext), cipher.final()])
}
