import { constants, type KeyObject, privateDecrypt, publicEncrypt } from 'node:crypto'
import { aesDecrypt, aesEncrypt, aesUnwrapKey, aesWrapKey, parseAesAlgorithm } from './aes.ts'
import { keyId } from './bundles.ts'
import { signDigest, verifyDigest } from './ecdsa.ts'
import { badParameter, forbidden, ServiceError, type ServiceResponse } from './errors.ts'
import type { KeyOperation } from './key-parameters.ts'
import { type Hash, signPkcs1, signPss, verifyPkcs1, verifyPss } from './rsa-signatures.ts'
import type { KeyVersion, Vault } from './vault.ts'

export type CryptoOperation = Exclude<KeyOperation, 'import'>

/** Operations that a key outside its nbf and exp still does (Azure: about keys, date-time controlled operations). */
const allowedOutsideValidity: readonly CryptoOperation[] = ['decrypt', 'unwrapKey', 'verify']

const rsaPaddings: Readonly<Record<string, { padding: number; oaepHash?: string }>> = {
  RSA1_5: { padding: constants.RSA_PKCS1_PADDING },
  'RSA-OAEP': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
  'RSA-OAEP-256': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
}

interface SignatureAlgorithm {
  readonly hash: Hash
  readonly digestBytes: number
  readonly scheme: 'pkcs1' | 'pss' | 'ecdsa'
  readonly crv?: string
}

const signatureAlgorithms: Readonly<Record<string, SignatureAlgorithm>> = {
  RS256: { hash: 'sha256', digestBytes: 32, scheme: 'pkcs1' },
  RS384: { hash: 'sha384', digestBytes: 48, scheme: 'pkcs1' },
  RS512: { hash: 'sha512', digestBytes: 64, scheme: 'pkcs1' },
  PS256: { hash: 'sha256', digestBytes: 32, scheme: 'pss' },
  PS384: { hash: 'sha384', digestBytes: 48, scheme: 'pss' },
  PS512: { hash: 'sha512', digestBytes: 64, scheme: 'pss' },
  ES256: { hash: 'sha256', digestBytes: 32, scheme: 'ecdsa', crv: 'P-256' },
  ES384: { hash: 'sha384', digestBytes: 48, scheme: 'ecdsa', crv: 'P-384' },
  ES512: { hash: 'sha512', digestBytes: 64, scheme: 'ecdsa', crv: 'P-521' },
  ES256K: { hash: 'sha256', digestBytes: 32, scheme: 'ecdsa', crv: 'P-256K' },
}

/** An operation on one key version, with what its errors need. */
interface Request {
  readonly operation: CryptoOperation
  readonly alg: string
  readonly body: Record<string, unknown>
  readonly version: KeyVersion
  readonly kid: string
}

/** Reads a member in base64url. The service takes padding too. */
function bytes(body: Record<string, unknown>, name: string): Buffer {
  const value = body[name]
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]*={0,2}$/.test(value)) {
    throw badParameter(`Property "${name}" must be a string in base64url.`)
  }
  return Buffer.from(value, 'base64url')
}

const optionalBytes = (body: Record<string, unknown>, name: string) =>
  body[name] === undefined || body[name] === null ? undefined : bytes(body, name)

function incompatible(request: Request, usage: string, type: string): ServiceError {
  return badParameter(
    `Key and ${usage} algorithm are incompatible. Key ${request.kid} is of type '${request.version.material.kty}', and algorithm ` +
      `'${request.alg}' can only be used with a key of type '${type}'.`,
  )
}

/** Whether the key may be used now, for this: enabled, within its time, and with the operation among its `key_ops`. */
function checkUsable(vault: Vault, version: KeyVersion, operation: CryptoOperation): void {
  const { enabled, nbf, exp } = version.attributes
  const seconds = vault.now / 1000
  if (!enabled) throw forbidden(`Operation ${operation} is not allowed on a disabled key.`, 'KeyDisabled')
  if (!allowedOutsideValidity.includes(operation)) {
    if (nbf !== undefined && seconds < nbf) {
      throw forbidden(`Operation ${operation} is not allowed on a key that is not yet valid.`, 'KeyNotYetValid')
    }
    if (exp !== undefined && seconds >= exp) {
      throw forbidden(`Operation ${operation} is not allowed on an expired key.`, 'KeyExpired')
    }
  }
  if (!version.keyOps.includes(operation)) {
    throw forbidden(`Operation ${operation} is not permitted on this key.`, 'KeyOperationForbidden')
  }
}

/** Runs OpenSSL on data of the caller's; a failure is the data's fault. */
function attempt<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof ServiceError) throw error
    throw badParameter('The parameter is incorrect.')
  }
}

/** encrypt, decrypt, wrapKey and unwrapKey. */
function transform(request: Request): Record<string, unknown> {
  const { operation, alg, body, version } = request
  const forward = operation === 'encrypt' || operation === 'wrapKey'
  const wrapping = operation === 'wrapKey' || operation === 'unwrapKey'
  const usage = wrapping ? 'wrapping' : 'encryption'
  const value = bytes(body, 'value')
  const material = version.material
  const rsa = Object.hasOwn(rsaPaddings, alg) ? rsaPaddings[alg] : undefined
  const aes = parseAesAlgorithm(alg)
  if (rsa !== undefined) {
    if (material.kty !== 'RSA' && material.kty !== 'RSA-HSM') throw incompatible(request, usage, 'RSA')
    const keys: { publicKey: KeyObject; privateKey: KeyObject } = material
    return attempt(() => ({
      value: forward
        ? publicEncrypt({ key: keys.publicKey, ...rsa }, value)
        : privateDecrypt({ key: keys.privateKey, ...rsa }, value),
    }))
  }
  if (aes === undefined || (aes.mode === 'KW') !== wrapping) {
    throw badParameter(`Unsupported ${usage} algorithm: ${alg}.`)
  }
  if (material.kty !== 'oct-HSM') throw incompatible(request, usage, 'oct-HSM')
  const { secret } = material
  if (secret.symmetricKeySize !== aes.bits / 8) {
    throw badParameter(`Algorithm ${alg} needs a key of ${aes.bits} bits.`)
  }
  const { bits, mode } = aes
  if (mode === 'KW') {
    return attempt(() => ({ value: forward ? aesWrapKey(secret, bits, value) : aesUnwrapKey(secret, bits, value) }))
  }
  const parameters = {
    iv: optionalBytes(body, 'iv'),
    aad: optionalBytes(body, 'aad'),
    tag: optionalBytes(body, 'tag'),
  }
  if (!forward) return attempt(() => ({ value: aesDecrypt(secret, bits, mode, value, parameters) }))
  return attempt(() => ({
    ...aesEncrypt(secret, bits, mode, value, parameters),
    ...(parameters.aad === undefined ? {} : { aad: parameters.aad }),
  }))
}

/** sign takes the digest as `value`; verify takes it as `digest`, and the signature as `value`. */
function signature(request: Request): Record<string, unknown> {
  const { operation, alg, body } = request
  const algorithm = Object.hasOwn(signatureAlgorithms, alg) ? signatureAlgorithms[alg] : undefined
  if (algorithm === undefined) throw badParameter(`Unsupported signing algorithm: ${alg}.`)
  const { hash, digestBytes, scheme, crv } = algorithm
  const material = request.version.material
  const type = scheme === 'ecdsa' ? 'EC' : 'RSA'
  if (material.kty === 'oct-HSM' || !material.kty.startsWith(type)) throw incompatible(request, 'signing', type)
  const digest = bytes(body, operation === 'sign' ? 'value' : 'digest')
  if (digest.length !== digestBytes) {
    throw badParameter(`Invalid length of digest: ${digest.length} bytes. Algorithm ${alg} needs ${digestBytes}.`)
  }
  const { privateKey, publicKey } = material
  if ('crv' in material) {
    if (crv !== material.crv) {
      throw badParameter(`Algorithm ${alg} needs a key on curve ${crv}, and this one is on ${material.crv}.`)
    }
    if (operation === 'sign') return { value: signDigest(crv, privateKey, digest) }
    return { value: verifyDigest(crv, publicKey, digest, bytes(body, 'value')) }
  }
  if (operation === 'sign') {
    return { value: (scheme === 'pss' ? signPss : signPkcs1)(privateKey, hash, digest) }
  }
  return { value: (scheme === 'pss' ? verifyPss : verifyPkcs1)(publicKey, hash, digest, bytes(body, 'value')) }
}

/**
 * POST /keys/{name}/{version}/{operation}.
 *
 * @throws {ServiceError} 403 for a key that is disabled, outside its time or without the operation; 400 for parameters and for data that
 * does not decrypt; 404
 */
export function runCryptoOperation(
  vault: Vault,
  operation: CryptoOperation,
  name: string,
  wanted: string | undefined,
  body: Record<string, unknown>,
): ServiceResponse {
  const version = vault.version(name, wanted)
  checkUsable(vault, version, operation)
  if (typeof body.alg !== 'string') throw badParameter('Property "alg" must be a string.')
  const kid = keyId(vault, vault.active(name), version)
  const request: Request = { operation, alg: body.alg, body, version, kid }
  const result = operation === 'sign' || operation === 'verify' ? signature(request) : transform(request)
  const encoded = Object.entries(result).map(([key, value]) => [
    key,
    Buffer.isBuffer(value) ? value.toString('base64url') : value,
  ])
  const members = Object.fromEntries(encoded)
  return { status: 200, body: operation === 'verify' ? members : { kid, ...members } }
}
