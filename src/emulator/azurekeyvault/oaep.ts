import { constants, type KeyObject, privateDecrypt } from 'node:crypto'

/**
 * RSA-OAEP with SHA-1, MGF1 with SHA-1 and no label, which is what CKM_RSA_AES_KEY_WRAP means in a key transfer blob.
 *
 * @returns the plaintext, or `undefined` for whatever is wrong with the ciphertext
 */
export function decryptOaepSha1(key: KeyObject, ciphertext: Buffer): Buffer | undefined {
  try {
    return privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, ciphertext)
  } catch {
    return undefined
  }
}
