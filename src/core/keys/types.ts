import { invalid, oneOf } from '../errors.ts'

/**
 * The key types of Vault's Key Management engine, as data. All can be created; which can go where is each provider's matrix.
 *
 * `material` is the plaintext form that Keyferry seals and wraps: PKCS#8 DER (RFC 5208) for asymmetric keys, raw bytes for AES.
 */
export const keyTypes = {
  'rsa-2048': { family: 'rsa', material: 'pkcs8', modulusLength: 2048 },
  'rsa-3072': { family: 'rsa', material: 'pkcs8', modulusLength: 3072 },
  'rsa-4096': { family: 'rsa', material: 'pkcs8', modulusLength: 4096 },
  'ecdsa-p256': { family: 'ec', material: 'pkcs8', curve: 'P-256' },
  'ecdsa-p384': { family: 'ec', material: 'pkcs8', curve: 'P-384' },
  'ecdsa-p521': { family: 'ec', material: 'pkcs8', curve: 'P-521' },
  'aes256-gcm96': { family: 'aes', material: 'raw', bytes: 32 },
} as const

export type KeyType = keyof typeof keyTypes

/** All names of key types, in the order that Vault's documents list them. */
export const keyTypeNames = Object.keys(keyTypes) as KeyType[]

/**
 * Takes the name of a key type as a client sent it; gives it back as a `KeyType`.
 * Throws `invalid` with "unsupported key type" (the fragment that the Terraform provider's tests look for) and the allowed names.
 */
export function parseKeyType(name: string): KeyType {
  if (Object.hasOwn(keyTypes, name)) return name as KeyType
  throw invalid(`unsupported key type "${printable(name)}": allowed are ${oneOf(keyTypeNames)}`)
}

/** What a client sent, short and without control characters, fit to be repeated in a message. */
export function printable(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?')
  return clean.length > 64 ? `${clean.slice(0, 61)}...` : clean
}
