import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import { badParameter } from './errors.ts'

/** The AES algorithms of Managed HSM: A128GCM … A256CBCPAD, and A128KW … A256KW (RFC 3394). */

export interface AesParameters {
  readonly iv: Buffer | undefined
  readonly aad: Buffer | undefined
  readonly tag: Buffer | undefined
}

/** Splits `A256CBCPAD` into bits and mode; `undefined` for the names of other algorithms. */
export function parseAesAlgorithm(alg: string): { bits: number; mode: 'GCM' | 'CBC' | 'CBCPAD' | 'KW' } | undefined {
  const parts = /^A(128|192|256)(GCM|CBC|CBCPAD|KW)$/.exec(alg)
  if (parts === null) return undefined
  return { bits: Number(parts[1]), mode: parts[2] as 'GCM' | 'CBC' | 'CBCPAD' | 'KW' }
}

function checkLength(what: string, value: Buffer | undefined, length: number): Buffer {
  if (value?.length === length) return value
  throw badParameter(`Property "${what}" must have ${length} bytes.`)
}

/** Encrypts; a GCM or CBC vector that is not given is made here, as the service does for GCM. */
export function aesEncrypt(
  secret: KeyObject,
  bits: number,
  mode: 'GCM' | 'CBC' | 'CBCPAD',
  value: Buffer,
  parameters: AesParameters,
): { value: Buffer; iv: Buffer; tag?: Buffer } {
  if (mode === 'GCM') {
    const iv = checkLength('iv', parameters.iv ?? randomBytes(12), 12)
    const cipher = createCipheriv(`aes-${bits}-gcm` as 'aes-256-gcm', secret, iv)
    if (parameters.aad !== undefined) cipher.setAAD(parameters.aad)
    const encrypted = Buffer.concat([cipher.update(value), cipher.final()])
    return { value: encrypted, iv, tag: cipher.getAuthTag() }
  }
  const iv = checkLength('iv', parameters.iv ?? randomBytes(16), 16)
  const cipher = createCipheriv(`aes-${bits}-cbc`, secret, iv)
  cipher.setAutoPadding(mode === 'CBCPAD')
  return { value: Buffer.concat([cipher.update(value), cipher.final()]), iv }
}

/** @throws what node:crypto throws for a ciphertext that is not authentic or badly padded */
export function aesDecrypt(
  secret: KeyObject,
  bits: number,
  mode: 'GCM' | 'CBC' | 'CBCPAD',
  value: Buffer,
  parameters: AesParameters,
): Buffer {
  if (mode === 'GCM') {
    const iv = checkLength('iv', parameters.iv, 12)
    const tag = checkLength('tag', parameters.tag, 16)
    const decipher = createDecipheriv(`aes-${bits}-gcm` as 'aes-256-gcm', secret, iv, { authTagLength: 16 })
    if (parameters.aad !== undefined) decipher.setAAD(parameters.aad)
    decipher.setAuthTag(tag)
    return Buffer.concat([decipher.update(value), decipher.final()])
  }
  const decipher = createDecipheriv(`aes-${bits}-cbc`, secret, checkLength('iv', parameters.iv, 16))
  decipher.setAutoPadding(mode === 'CBCPAD')
  return Buffer.concat([decipher.update(value), decipher.final()])
}

/** The initial value of RFC 3394, section 2.2.3.1. */
const keyWrapIv = Buffer.alloc(8, 0xa6)

/** RFC 3394 wraps two semiblocks or more; OpenSSL takes an empty text for success. */
function checkSemiblocks(value: Buffer, least: number): void {
  if (value.length >= 8 * least && value.length % 8 === 0) return
  throw badParameter(`Property "value" must have a multiple of 8 bytes, and at least ${8 * least}.`)
}

export function aesWrapKey(secret: KeyObject, bits: number, value: Buffer): Buffer {
  checkSemiblocks(value, 2)
  const cipher = createCipheriv(`aes${bits}-wrap`, secret, keyWrapIv)
  return Buffer.concat([cipher.update(value), cipher.final()])
}

export function aesUnwrapKey(secret: KeyObject, bits: number, value: Buffer): Buffer {
  checkSemiblocks(value, 3)
  const decipher = createDecipheriv(`aes${bits}-wrap`, secret, keyWrapIv)
  return Buffer.concat([decipher.update(value), decipher.final()])
}
