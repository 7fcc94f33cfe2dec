import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { KeyferryError } from '../errors.ts'

/** What a box is bound to: opened as anything else, it does not open. */
export interface Binding {
  namespaceId: string
  objectId: string
  /** 0 where the object has no versions. */
  version: number
  kind:
    | 'data-key'
    | 'key-material'
    | 'kms-settings'
    | 'token-signing-key'
    | 'wrapped-response'
    | 'audit-secret'
    | 'idempotent-answer'
}

const format = 1
const idBytes = 16
const nonceBytes = 12
const tagBytes = 16
const headerBytes = 1 + idBytes + nonceBytes

/**
 * Seals with AES-256-GCM (SP 800-38D, random 96-bit nonce): format byte, id of the sealing key, nonce, ciphertext, tag. The
 * additional data binds the header and the binding. `keyId` is 32 hex digits. The plaintext stays the caller's to zero.
 */
export function seal(keyId: string, key: Buffer, binding: Binding, plaintext: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes)
  header[0] = format
  header.write(keyId, 1, 'hex')
  const nonce = randomBytes(nonceBytes)
  nonce.copy(header, 1 + idBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(additionalData(keyId, binding))
  const body = cipher.update(plaintext)
  cipher.final()
  return Buffer.concat([header, body, cipher.getAuthTag()])
}

/** The id of the key that a box is sealed under, 32 hex digits. Throws `corrupt` for what is not a box. */
export function sealedUnder(box: Buffer): string {
  if (box.length < headerBytes + tagBytes || box[0] !== format) throw broken()
  return box.toString('hex', 1, 1 + idBytes)
}

/**
 * Opens a box. Gives the plaintext, which is the caller's to zero. Throws `corrupt` when a byte was changed, or when the box is
 * sealed for something else.
 */
export function open(keyId: string, key: Buffer, binding: Binding, box: Buffer): Buffer {
  if (sealedUnder(box) !== keyId) throw broken()
  const nonce = box.subarray(1 + idBytes, headerBytes)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  decipher.setAAD(additionalData(keyId, binding))
  decipher.setAuthTag(box.subarray(box.length - tagBytes))
  const plaintext = decipher.update(box.subarray(headerBytes, box.length - tagBytes))
  try {
    decipher.final()
  } catch {
    plaintext.fill(0)
    throw broken()
  }
  return plaintext
}

/** JSON of an array: unambiguous, whatever the parts hold. */
function additionalData(keyId: string, binding: Binding): Buffer {
  return Buffer.from(
    JSON.stringify([format, keyId, binding.namespaceId, binding.objectId, binding.version, binding.kind]),
  )
}

function broken(): KeyferryError {
  return new KeyferryError(
    'corrupt',
    'a sealed value in the database does not open: it was changed, or belongs to something else',
  )
}
