import { createPrivateKey, createPublicKey, type KeyObject, sign, verify, type webcrypto } from 'node:crypto'
import { badParameter } from './errors.ts'
import { curves, type KeyMaterial, type KeyType, materialOf, octMaterial } from './key-material.ts'

/** A plain, unwrapped key in an import: the private members of a JWK (RFC 7518, section 6). */

const members: Readonly<Record<'RSA' | 'EC' | 'oct', readonly string[]>> = {
  RSA: ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'],
  EC: ['x', 'y', 'd'],
  oct: ['k'],
}

/** The given members, each base64url; a leading zero byte in an integer is allowed, since .NET clients send it. */
function readMembers(family: 'RSA' | 'EC' | 'oct', jwk: Record<string, unknown>): Record<string, string> {
  const entries = members[family].map((name): [string, string] => {
    const value = jwk[name]
    if (typeof value !== 'string' || !/^[A-Za-z0-9_-]+$/.test(value)) {
      throw badParameter(`JSON Web Key: property "${name}" of a private ${family} key must be a base64url string.`)
    }
    return [name, value]
  })
  return Object.fromEntries(entries)
}

/** Signs with the private part and verifies with the public one, since OpenSSL loads keys whose parts do not belong together. */
function isConsistent(privateKey: KeyObject, publicKey: KeyObject): boolean {
  try {
    const probe = Buffer.from('consistency')
    return verify('sha256', probe, publicKey, sign('sha256', probe, privateKey))
  } catch {
    return false
  }
}

/**
 * The material that a private JWK describes.
 *
 * @throws {ServiceError} 400 for missing members, a key that is none, and a size or curve that Key Vault lacks
 */
export function keyFromJwk(kty: KeyType, crv: string | undefined, jwk: Record<string, unknown>): KeyMaterial {
  if (kty === 'oct-HSM') {
    const bytes = Buffer.from(readMembers('oct', jwk).k ?? '', 'base64url')
    if (bytes.length > 64) {
      throw badParameter('JSON Web Key: k property of oct key is too large, maximum size is 64')
    }
    if (![16, 24, 32].includes(bytes.length)) {
      throw badParameter('JSON Web Key: k property of an AES key must have 16, 24 or 32 bytes.')
    }
    return octMaterial(bytes)
  }
  const family = kty.startsWith('RSA') ? 'RSA' : 'EC'
  const invalidKey = (problem: string) =>
    badParameter(`${family} key is not valid - cannot instantiate crypto service: ${problem}.`)
  const values = readMembers(family, jwk)
  const parts: webcrypto.JsonWebKey = { ...values, kty: family }
  if (crv !== undefined) {
    // RFC 8812 calls this curve secp256k1, Azure P-256K.
    parts.crv = crv === 'P-256K' ? 'secp256k1' : crv
    for (const [name, value] of Object.entries(values)) {
      const length = Buffer.from(value, 'base64url').length
      if (length !== curves[crv]?.bytes) throw invalidKey(`"${name}" has ${length} bytes, the wrong length for ${crv}`)
    }
  }
  let privateKey: KeyObject
  let publicKey: KeyObject
  try {
    privateKey = createPrivateKey({ key: parts, format: 'jwk' })
    const { d, p, q, dp, dq, qi, ...publicParts } = parts
    publicKey = createPublicKey({ key: publicParts, format: 'jwk' })
  } catch {
    throw invalidKey('its members do not describe a key')
  }
  if (!isConsistent(privateKey, publicKey)) throw invalidKey('its private and public members do not belong together')
  return materialOf(kty, crv, privateKey, invalidKey)
}
