import { createPrivateKey, type KeyObject } from 'node:crypto'
import { badParameter, ServiceError } from './errors.ts'
import { type KeyMaterial, type KeyType, materialOf, octMaterial } from './key-material.ts'
import { unwrap } from './kwp.ts'
import { decryptOaepSha1 } from './oaep.ts'
import type { Vault } from './vault.ts'

/**
 * Opening a key transfer blob, by Azure's "Bring your own key specification". The real service's texts for bad blobs are not public,
 * so the messages and inner codes here are the emulator's own; 400 BadParameter is what its neighbours answer.
 */

const invalidBlob = (problem: string) =>
  badParameter(`The key transfer blob (key_hsm) is not valid: ${problem}.`, 'KeyTransferBlobInvalid')
const unusableKek = (problem: string) =>
  badParameter(`The key exchange key of the key transfer blob cannot be used: ${problem}.`, 'KeyExchangeKeyInvalid')
const unwrapFailed = (problem: string) =>
  badParameter(`The ciphertext of the key transfer blob cannot be unwrapped: ${problem}.`, 'KeyUnwrapFailed')
const wrongMaterial = (problem: string) =>
  badParameter(`The key in the key transfer blob does not fit the request: ${problem}.`, 'KeyMaterialInvalid')

/** Decodes base64url without padding, exactly: no other alphabet, no white space, no stray bits. */
function base64url(value: unknown, what: string): Buffer {
  if (typeof value !== 'string' || value === '') throw invalidBlob(`${what} must be a string in base64url`)
  const bytes = Buffer.from(value, 'base64url')
  if (bytes.toString('base64url') !== value) throw invalidBlob(`${what} is not base64url without padding`)
  return bytes
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw invalidBlob(`${what} must be a JSON object`)
}

function expect(actual: unknown, wanted: string, what: string): void {
  if (actual !== wanted) throw invalidBlob(`${what} must be "${wanted}"`)
}

/** Reads the JSON of a blob: its KEK identifier and ciphertext. `generator` is informational and may be anything. */
function parseBlob(keyHsm: unknown): { kid: string; ciphertext: Buffer } {
  const bytes = base64url(keyHsm, 'key_hsm')
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw invalidBlob('it must be the whole content of a .byok file, a JSON text')
  }
  const blob = record(parsed, 'it')
  expect(blob.schema_version, '1.0.0', 'schema_version')
  const header = record(blob.header, 'header')
  expect(header.alg, 'dir', 'alg')
  expect(header.enc, 'CKM_RSA_AES_KEY_WRAP', 'enc')
  if (typeof header.kid !== 'string') throw invalidBlob('kid must be a string')
  return { kid: header.kid, ciphertext: base64url(blob.ciphertext, 'ciphertext') }
}

/**
 * Finds the key exchange key that `kid` names: in this very vault, with its version, RSA-HSM, with `import` as its only operation,
 * enabled and within its time.
 */
function findKek(vault: Vault, kid: string): KeyObject {
  const parts = /^https:\/\/([^/?#]+)\/keys\/([0-9a-z-]{1,127})(?:\/([0-9a-z]+))?\/?$/i.exec(kid)
  if (parts === null) throw unusableKek('kid must be a full key identifier, https://<vault>/keys/<name>/<version>')
  const [, host = '', name = '', version] = parts
  if (host.toLowerCase() !== vault.host) throw unusableKek(`it is not in this vault (${vault.host})`)
  if (version === undefined) throw unusableKek('kid must end with the version of the key')
  let kek: ReturnType<Vault['version']>
  try {
    kek = vault.version(name, version)
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    throw unusableKek('there is no such key or version')
  }
  if (kek.material.kty !== 'RSA-HSM') throw unusableKek(`it must be of type RSA-HSM, and is ${kek.material.kty}`)
  if (kek.keyOps.length !== 1 || kek.keyOps[0] !== 'import') {
    throw unusableKek('its only key operation must be "import"')
  }
  const { enabled, nbf, exp } = kek.attributes
  const now = vault.now / 1000
  if (!enabled) throw unusableKek('it is disabled')
  if (nbf !== undefined && now < nbf) throw unusableKek('it is not valid yet')
  if (exp !== undefined && now >= exp) throw unusableKek('it has expired')
  return kek.material.privateKey
}

/** Undoes CKM_RSA_AES_KEY_WRAP (PKCS#11): RSA-OAEP with SHA-1 around an AES-256 key, then AES-KWP around the target key. */
function unwrapTarget(kek: KeyObject, ciphertext: Buffer): Buffer {
  const modulusBytes = (kek.asymmetricKeyDetails?.modulusLength ?? 0) / 8
  if (ciphertext.length <= modulusBytes) {
    throw unwrapFailed(`it has ${ciphertext.length} bytes, and the wrapped AES key alone has ${modulusBytes}`)
  }
  const ephemeral = decryptOaepSha1(kek, ciphertext.subarray(0, modulusBytes))
  if (ephemeral === undefined) throw unwrapFailed('RSA-OAEP with SHA-1 fails with this key exchange key')
  try {
    if (ephemeral.length !== 32) {
      throw unwrapFailed(`the ephemeral key must be AES-256, 32 bytes, and has ${ephemeral.length}`)
    }
    const target = unwrap(ephemeral, ciphertext.subarray(modulusBytes))
    if (target === undefined) throw unwrapFailed('AES key wrap with padding (RFC 5649) finds it not authentic')
    return target
  } finally {
    ephemeral.fill(0)
  }
}

/** Whether `der` is one DER SEQUENCE and nothing after it, which OpenSSL would not mind. */
function isOneSequence(der: Buffer): boolean {
  if (der.length < 2 || der[0] !== 0x30) return false
  const first = der[1] ?? 0
  if (first < 0x80) return der.length === 2 + first
  const count = first & 0x7f
  if (count === 0 || count > 4 || der.length < 2 + count) return false
  return der.length === 2 + count + der.readUIntBE(2, count)
}

/**
 * Opens a key transfer blob and gives the key in it.
 *
 * @param kty the type of the key as it will be in the vault
 * @param crv the curve that the request names, which an EC key must be on
 * @throws {ServiceError} 400 with an inner code: KeyTransferBlobInvalid, KeyExchangeKeyInvalid, KeyUnwrapFailed, KeyMaterialInvalid
 */
export function openTransferBlob(vault: Vault, kty: KeyType, crv: string | undefined, keyHsm: unknown): KeyMaterial {
  const { kid, ciphertext } = parseBlob(keyHsm)
  const target = unwrapTarget(findKek(vault, kid), ciphertext)
  try {
    if (kty === 'oct-HSM') {
      if (![16, 24, 32].includes(target.length)) {
        throw wrongMaterial(`a symmetric key has 16, 24 or 32 bytes, and this one ${target.length}`)
      }
      return octMaterial(target)
    }
    if (!isOneSequence(target)) throw wrongMaterial('it must be PKCS#8 in DER')
    let privateKey: KeyObject
    try {
      privateKey = createPrivateKey({ key: target, format: 'der', type: 'pkcs8' })
    } catch {
      throw wrongMaterial('it must be PKCS#8 in DER')
    }
    return materialOf(kty, crv, privateKey, wrongMaterial)
  } finally {
    target.fill(0)
  }
}
