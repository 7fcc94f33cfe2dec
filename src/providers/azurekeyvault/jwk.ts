import { createHash, createPrivateKey, createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto'
import type { JsonWebKey } from '@azure/keyvault-keys'

/** Bytes of a coordinate or private scalar, by JWK's name of the curve (RFC 7518, section 6.2.1.2). */
const coordinateBytes: Readonly<Record<string, number>> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 }

/**
 * The public half of what the service answered, or undefined when it holds none that can be read. Leading zero bytes, which some
 * services send, do not matter.
 */
export function publicKeyOf(key: JsonWebKey | undefined): KeyObject | undefined {
  if (!key) return undefined
  try {
    if (key.n?.length && key.e?.length) {
      return createPublicKey(
        jwkInput({ kty: 'RSA', n: base64url(withoutZeros(key.n)), e: base64url(withoutZeros(key.e)) }),
      )
    }
    const size = coordinateBytes[key.crv ?? '']
    if (size === undefined || !key.x || !key.y) return undefined
    return createPublicKey(
      jwkInput({ kty: 'EC', crv: key.crv ?? '', x: base64url(padded(key.x, size)), y: base64url(padded(key.y, size)) }),
    )
  } catch {
    return undefined
  }
}

/** SubjectPublicKeyInfo in DER (RFC 5280). */
export function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' })
}

/** `sha256:` and the lower-case hex of the SHA-256 of the SPKI DER. */
export function fingerprintOf(key: KeyObject): string {
  return `sha256:${createHash('sha256').update(spkiOf(key)).digest('hex')}`
}

/** The members of a private JWK that are secret (RFC 7518, sections 6.2.2 and 6.3.2), as bytes. */
type PrivateMember = 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi'

/**
 * Takes an RSA or EC private key as PKCS#8 DER; gives it as the SDK's JWK, for a software import, whose protocol is that. The caller
 * zeroes it with `zeroJwk` when the call is over. Node makes strings on the way, and so does the SDK: those stay until collected.
 */
export function privateJwk(pkcs8: Buffer, keyOps: string[]): JsonWebKey {
  const exported = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
  const jwk: JsonWebKey = { keyOps }
  if (exported.kty !== undefined) jwk.kty = exported.kty
  if (exported.crv !== undefined) jwk.crv = exported.crv
  for (const name of ['n', 'e', 'x', 'y', 'd', 'p', 'q', 'dp', 'dq', 'qi'] as const) {
    const value = exported[name]
    if (value !== undefined) jwk[name] = Buffer.from(value, 'base64url')
  }
  return jwk
}

export function zeroJwk(jwk: JsonWebKey): void {
  const secret: PrivateMember[] = ['d', 'p', 'q', 'dp', 'dq', 'qi']
  for (const name of secret) jwk[name]?.fill(0)
}

function jwkInput(key: JsonWebKeyInput['key']): JsonWebKeyInput {
  return { key, format: 'jwk' }
}

function withoutZeros(bytes: Uint8Array): Uint8Array {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  return bytes.subarray(start)
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  const short = withoutZeros(bytes)
  return Buffer.concat([Buffer.alloc(Math.max(0, size - short.length)), short])
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}
