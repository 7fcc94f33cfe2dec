import { createHmac, randomBytes } from 'node:crypto'
import { KeyferryError } from '../errors.ts'

/** The key above all others: 32 bytes that never are in the database. */
export interface RootKey {
  /** Derived from the key, 32 hex digits; says nothing about it. */
  id: string
  key: Buffer
}

const prefix = 'keyferry-root-key:'

/** A fresh root key from the system's generator. */
export function newRootKey(): RootKey {
  return rootKey(randomBytes(32))
}

/** The text form that goes into a key file, an environment variable or a systemd credential: one line. */
export function formatRootKey(root: RootKey): string {
  return `${prefix}${root.key.toString('base64')}\n`
}

/**
 * Reads the text form back. `source` names where it came from, for the message. Throws `invalid` when it is not a root key; the
 * message does not repeat the text.
 */
export function parseRootKey(text: string, source: string): RootKey {
  const line = text.trim()
  const encoded = line.startsWith(prefix) ? line.slice(prefix.length) : ''
  const key = Buffer.from(encoded, 'base64')
  if (key.length !== 32 || key.toString('base64') !== encoded) {
    key.fill(0)
    throw new KeyferryError(
      'invalid',
      `${source} holds no root key: one line "${prefix}" and 32 bytes in base64 are wanted`,
    )
  }
  return rootKey(key)
}

function rootKey(key: Buffer): RootKey {
  return { id: createHmac('sha256', key).update('keyferry root key id').digest('hex').slice(0, 32), key }
}
