import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto'
import { KeyferryError } from '../errors.ts'

/** What a backup says of itself in the clear. A changed header opens nothing: the key of the content is derived from it too. */
export interface ArchiveHeader {
  /** ms since 1970. */
  madeAt: number
  instanceId: string
  /** The root key without which the database inside is worth nothing. */
  rootId: string
  /** Time stamp of the last migration. */
  schema: number
  /** The program's. */
  version: string
  sealedFor:
    | { method: 'root-key'; salt: string }
    | { method: 'x25519'; salt: string; ephemeral: string; recipient: string }
}

const magic = Buffer.from('keyferry backup 1\n')
const mostHeader = 4_096
const chunkBytes = 65_536
const tagBytes = 16

/**
 * Encrypts a file as a backup: magic, length and JSON of the header, then the content in chunks of 64 KiB, each AES-256-GCM with its number
 * and a mark of the last one as nonce (STREAM, Hoang, Reyhanitabar, Rogaway and Vizár 2015), so that chunks cannot be dropped, moved or cut
 * off. The key is HKDF-SHA256 of `secret`, the header's salt and the SHA-256 of all that precedes the chunks. `secret` stays the caller's to
 * zero.
 */
export async function* sealArchive(
  header: ArchiveHeader,
  secret: Buffer,
  content: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  const head = Buffer.concat([magic, length, text])
  const key = contentKey(header, head, secret)
  try {
    yield head
    let number = 0
    for await (const { bytes, last } of chunksOf(content, chunkBytes)) {
      const cipher = createCipheriv('aes-256-gcm', key, nonce(number++, last))
      yield Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
    }
  } finally {
    key.fill(0)
  }
}

/**
 * Reads a backup. `secretFor` gives the secret for the header, which it may refuse by throwing, and which is zeroed here. `content` yields
 * plaintext that was verified chunk by chunk; only its end shows that the whole is there. Throws `corrupt` for what is no backup, was
 * changed or cut off.
 */
export async function openArchive(
  source: AsyncIterable<Buffer>,
  secretFor: (header: ArchiveHeader) => Buffer,
): Promise<{ header: ArchiveHeader; content: AsyncGenerator<Buffer> }> {
  const reader = new Reader(source)
  const start = await reader.take(magic.length + 4)
  const length = start.length === magic.length + 4 ? start.readUInt32BE(magic.length) : 0
  if (!start.subarray(0, magic.length).equals(magic) || length === 0 || length > mostHeader) throw noBackup()
  const text = await reader.take(length)
  const header = parseHeader(text)
  const secret = secretFor(header)
  try {
    const key = contentKey(header, Buffer.concat([start, text]), secret)
    return { header, content: opened(key, reader.rest()) }
  } finally {
    secret.fill(0)
  }
}

async function* opened(key: Buffer, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    let number = 0
    for await (const { bytes, last } of chunksOf(source, chunkBytes + tagBytes)) {
      if (bytes.length < tagBytes) throw changed()
      const decipher = createDecipheriv('aes-256-gcm', key, nonce(number++, last), { authTagLength: tagBytes })
      decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes))
      const plaintext = decipher.update(bytes.subarray(0, bytes.length - tagBytes))
      try {
        decipher.final()
      } catch {
        throw changed()
      }
      yield plaintext
    }
  } finally {
    key.fill(0)
  }
}

function contentKey(header: ArchiveHeader, head: Buffer, secret: Buffer): Buffer {
  const info = Buffer.concat([magic, createHash('sha256').update(head).digest()])
  return Buffer.from(hkdfSync('sha256', secret, Buffer.from(header.sealedFor.salt, 'base64'), info, 32))
}

/** 11 bytes of number, one that is 1 for the last chunk. */
function nonce(number: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUIntBE(number, 5, 6)
  bytes[11] = last ? 1 : 0
  return bytes
}

function parseHeader(text: Buffer): ArchiveHeader {
  try {
    const header = JSON.parse(text.toString()) as ArchiveHeader
    const { method, salt } = header.sealedFor
    if ((method === 'root-key' || method === 'x25519') && typeof salt === 'string' && typeof header.schema === 'number')
      return header
  } catch {
    // Said below.
  }
  throw noBackup()
}

/** Cuts into pieces of one size; the last one, which may be shorter or empty, is marked. */
async function* chunksOf(
  source: AsyncIterable<Buffer>,
  size: number,
): AsyncGenerator<{ bytes: Buffer; last: boolean }> {
  const reader = new Reader(source)
  let bytes = await reader.take(size)
  for (;;) {
    const next = bytes.length < size ? undefined : await reader.take(size)
    yield { bytes, last: next === undefined || next.length === 0 }
    if (next === undefined || next.length === 0) return
    bytes = next
  }
}

/** Takes pieces of a wanted size from a stream of pieces of any. */
class Reader {
  readonly #source: AsyncIterator<Buffer>
  #left: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Less than `size` only at the end. */
  async take(size: number): Promise<Buffer> {
    const parts = [this.#left]
    let have = this.#left.length
    while (have < size) {
      const { value, done } = await this.#source.next()
      if (done) break
      parts.push(value)
      have += value.length
    }
    const all = Buffer.concat(parts)
    this.#left = all.subarray(size)
    return all.subarray(0, size)
  }

  async *rest(): AsyncGenerator<Buffer> {
    if (this.#left.length > 0) yield this.#left
    for (;;) {
      const { value, done } = await this.#source.next()
      if (done) return
      yield value
    }
  }
}

function noBackup(): KeyferryError {
  return new KeyferryError('corrupt', 'it is not a backup of keyferry')
}

function changed(): KeyferryError {
  return new KeyferryError('corrupt', 'it was changed or cut off, or is not sealed for this key')
}
