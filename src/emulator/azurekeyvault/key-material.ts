import {
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  generateKeyPair as generateKeyPairWithCallback,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { promisify } from 'node:util'
import { badParameter } from './errors.ts'

const generateKeyPair = promisify(generateKeyPairWithCallback)

export type KeyType = 'RSA' | 'RSA-HSM' | 'EC' | 'EC-HSM' | 'oct-HSM'

/** Azure's curve names and OpenSSL's. */
export const curves: Readonly<Record<string, { openssl: string; bytes: number }>> = {
  'P-256': { openssl: 'prime256v1', bytes: 32 },
  'P-384': { openssl: 'secp384r1', bytes: 48 },
  'P-521': { openssl: 'secp521r1', bytes: 66 },
  'P-256K': { openssl: 'secp256k1', bytes: 32 },
}

export const rsaSizes: readonly number[] = [2048, 3072, 4096]

/** A key as the vault holds it: a KeyObject in memory, never serialised. */
export type KeyMaterial =
  | { readonly kty: 'RSA' | 'RSA-HSM'; readonly privateKey: KeyObject; readonly publicKey: KeyObject }
  | {
      readonly kty: 'EC' | 'EC-HSM'
      readonly crv: string
      readonly privateKey: KeyObject
      readonly publicKey: KeyObject
    }
  | { readonly kty: 'oct-HSM'; readonly secret: KeyObject }

/** Makes an RSA key pair of `bits`; a test may hand in keys that it has already, since a big one takes a second. */
export type RsaKeyPairs = (bits: number) => Promise<{ privateKey: KeyObject }>

export function isHsm(kty: KeyType): boolean {
  return kty.endsWith('-HSM')
}

/** @throws {ServiceError} 400 for a curve that Key Vault does not have */
export function checkCurve(crv: unknown): string {
  if (typeof crv === 'string' && Object.hasOwn(curves, crv)) return crv
  throw badParameter(
    `Unsupported curve: ${String(crv)}. Supported values are ${Object.keys(curves).join(', ')}.`,
    'CurveNotSupported',
  )
}

/** Generates RSA material off the event loop. */
export async function generateRsa(
  kty: 'RSA' | 'RSA-HSM',
  bits: number,
  publicExponent: number,
  rsaKeyPairs?: RsaKeyPairs,
): Promise<KeyMaterial> {
  const { privateKey } =
    rsaKeyPairs !== undefined && publicExponent === 65537
      ? await rsaKeyPairs(bits)
      : await generateKeyPair('rsa', { modulusLength: bits, publicExponent })
  return { kty, privateKey, publicKey: createPublicKey(privateKey) }
}

export function generateEc(kty: 'EC' | 'EC-HSM', crv: string): KeyMaterial {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: curves[crv]?.openssl ?? crv })
  return { kty, crv, privateKey, publicKey: createPublicKey(privateKey) }
}

export function generateOct(bits: number): KeyMaterial {
  return octMaterial(randomBytes(bits / 8))
}

/** Takes the bytes of a symmetric key and clears them. */
export function octMaterial(bytes: Buffer): KeyMaterial {
  const secret = createSecretKey(bytes)
  bytes.fill(0)
  return { kty: 'oct-HSM', secret }
}

/**
 * Accepts a private key as the material of a key of type `kty`: it must be of that family, with a size or curve that Key Vault has, and
 * `crv` when one was asked for.
 *
 * @param describe makes the error, so that a wrapped key and a plain one are refused each in their own words
 */
export function materialOf(
  kty: Exclude<KeyType, 'oct-HSM'>,
  crv: string | undefined,
  privateKey: KeyObject,
  describe: (problem: string) => Error,
): KeyMaterial {
  const type = privateKey.asymmetricKeyType ?? 'unknown'
  const details = privateKey.asymmetricKeyDetails ?? {}
  const publicKey = createPublicKey(privateKey)
  if (kty === 'RSA' || kty === 'RSA-HSM') {
    if (type !== 'rsa') throw describe(`the key is of type ${type}, and kty is ${kty}`)
    if (!rsaSizes.includes(details.modulusLength ?? 0)) {
      throw describe(`an RSA key has 2048, 3072 or 4096 bits, and this one ${details.modulusLength}`)
    }
    return { kty, privateKey, publicKey }
  }
  if (type !== 'ec') throw describe(`the key is of type ${type}, and kty is ${kty}`)
  const actual = Object.keys(curves).find((name) => curves[name]?.openssl === details.namedCurve)
  if (actual === undefined) throw describe(`the curve ${details.namedCurve} is not supported`)
  if (crv !== undefined && crv !== actual) throw describe(`the key is on curve ${actual}, and crv is ${crv}`)
  return { kty, crv: actual, privateKey, publicKey }
}

/** The public members of the JWK that answers show: n and e, or crv, x and y; nothing for a symmetric key. */
export function publicMembers(material: KeyMaterial): Record<string, string> {
  if (material.kty === 'oct-HSM') return {}
  const jwk = material.publicKey.export({ format: 'jwk' })
  if ('crv' in material) return { crv: material.crv, x: String(jwk.x), y: String(jwk.y) }
  return { n: String(jwk.n), e: String(jwk.e) }
}
