import { generateKeyPair, generateKeyPairSync, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { type KeyType, keyTypes } from './types.ts'

/**
 * A fresh key. `material` is plaintext (PKCS#8 DER, or 32 raw bytes for AES): whoever takes it seals it and zeroes it.
 * `publicKey` is SPKI PEM with its final newline; null for AES.
 */
export interface GeneratedKey {
  material: Buffer
  publicKey: string | null
}

/** RSA types: generation takes 30 to 1,000 ms of CPU, so worker threads make them (worker.ts). */
export type RsaType = Extract<KeyType, `rsa-${string}`>

/** Types that are made where they are asked for. */
export type CheapType = Exclude<KeyType, RsaType>

/** Whether `type` is made by worker threads. */
export function isRsa(type: KeyType): type is RsaType {
  return keyTypes[type].family === 'rsa'
}

const generateEc = promisify(generateKeyPair)
const pkcs8 = { type: 'pkcs8', format: 'der' } as const
const spkiPem = { type: 'spki', format: 'pem' } as const

/**
 * Makes one key of a type that needs no worker thread.
 *
 * Measured on Node 26.10 (CPU per key, with both exports): P-256 takes 0.085 ms at once and 0.15 ms through libuv's threads, so it is
 * made at once. P-384 takes 0.57 and 0.64 ms, P-521 1.31 and 1.34 ms, of which the event loop sees 0.1 ms when libuv's threads make
 * them, so they are made there. RSA keys get a pair-wise test (worker.ts); here it would cost 0.09 ms for P-256 (twice the key), 1.0 ms
 * for P-384 and 2.3 ms for P-521, and is left to OpenSSL, whose FIPS provider does its own.
 */
export async function generateCheapKey(type: CheapType): Promise<GeneratedKey> {
  const spec = keyTypes[type]
  if (spec.family === 'aes') return { material: randomBytes(spec.bytes), publicKey: null }
  if (spec.curve === 'P-256') return generateP256()
  const pair = await generateEc('ec', { namedCurve: spec.curve, publicKeyEncoding: spkiPem, privateKeyEncoding: pkcs8 })
  return { material: pair.privateKey, publicKey: pair.publicKey }
}

/** An uncompressed point (SEC 1, 2.3.3) of P-256: 04, x, y. */
const pointLength = 65

/** The bytes before the point in the SPKI of a P-256 key (RFC 5480), and the length of its PKCS#8; learnt from the first key. */
let learnt: { spkiHeader: Buffer; pkcs8Length: number } | undefined

/**
 * P-256 is the type of the busiest pipelines, and the export of its public key costs more than the key: 0.039 of 0.085 ms. Its PKCS#8
 * ends with the point (RFC 5915 `publicKey`), and all P-256 SPKIs are one header and a point, so after the first key the SPKI
 * is put together from these: 0.045 ms a key in all. Where a runtime writes PKCS#8 otherwise, every key is exported.
 */
function generateP256(): GeneratedKey {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const material = pair.privateKey.export(pkcs8)
  const point = material.subarray(-pointLength)
  if (learnt?.pkcs8Length === material.length) {
    return { material, publicKey: publicKeyPem(Buffer.concat([learnt.spkiHeader, point])) }
  }
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
  if (point[0] === 4 && spki.subarray(-pointLength).equals(point)) {
    learnt = { spkiHeader: spki.subarray(0, -pointLength), pkcs8Length: material.length }
  }
  return { material, publicKey: publicKeyPem(spki) }
}

/** PEM of an SPKI (RFC 7468: lines of 64 characters), with a final newline as OpenSSL and Vault write it. */
function publicKeyPem(spki: Buffer): string {
  const lines = spki.toString('base64').replace(/.{1,64}/g, '$&\n')
  return `-----BEGIN PUBLIC KEY-----\n${lines}-----END PUBLIC KEY-----\n`
}
