import { constants, createHash, type KeyObject, privateEncrypt, publicDecrypt, randomBytes } from 'node:crypto'

/**
 * RSA signatures over a digest that the caller made, as Key Vault takes it: node:crypto's own `sign` only takes the message. Encodings by
 * RFC 8017; the private operation itself is OpenSSL's.
 */

export type Hash = 'sha256' | 'sha384' | 'sha512'

/** The DER of DigestInfo up to the digest (RFC 8017, section 9.2, note 1). */
const digestInfoPrefix: Readonly<Record<Hash, Buffer>> = {
  sha256: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  sha384: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  sha512: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
}

/** RSASSA-PKCS1-v1_5. */
export function signPkcs1(key: KeyObject, hash: Hash, digest: Buffer): Buffer {
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.concat([digestInfoPrefix[hash], digest]))
}

export function verifyPkcs1(key: KeyObject, hash: Hash, digest: Buffer, signature: Buffer): boolean {
  try {
    const opened = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature)
    return opened.equals(Buffer.concat([digestInfoPrefix[hash], digest]))
  } catch {
    return false
  }
}

/** MGF1 (RFC 8017, appendix B.2.1). */
function mgf1(hash: Hash, seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = []
  const counter = Buffer.alloc(4)
  for (let made = 0, i = 0; made < length; i++) {
    counter.writeUInt32BE(i)
    const block = createHash(hash).update(seed).update(counter).digest()
    blocks.push(block)
    made += block.length
  }
  return Buffer.concat(blocks).subarray(0, length)
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)))
}

const hashOfPss = (hash: Hash, digest: Buffer, salt: Buffer) =>
  createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest()

const modulusBits = (key: KeyObject) => key.asymmetricKeyDetails?.modulusLength ?? 0

/** RSASSA-PSS with MGF1 of the same hash and a salt as long as the digest (RFC 7518, section 3.5; encoding: RFC 8017, 9.1.1). */
export function signPss(key: KeyObject, hash: Hash, digest: Buffer): Buffer {
  const bits = modulusBits(key) - 1
  const length = Math.ceil(bits / 8)
  const salt = randomBytes(digest.length)
  const h = hashOfPss(hash, digest, salt)
  const block = Buffer.concat([Buffer.alloc(length - salt.length - h.length - 2), Buffer.from([1]), salt])
  const masked = xor(block, mgf1(hash, h, block.length))
  masked.writeUInt8(masked.readUInt8(0) & (0xff >> (8 * length - bits)), 0)
  const encoded = Buffer.concat([masked, h, Buffer.from([0xbc])])
  const padded = Buffer.concat([Buffer.alloc(Math.ceil(modulusBits(key) / 8) - encoded.length), encoded])
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, padded)
}

/** RFC 8017, section 9.1.2. */
export function verifyPss(key: KeyObject, hash: Hash, digest: Buffer, signature: Buffer): boolean {
  const bits = modulusBits(key) - 1
  const length = Math.ceil(bits / 8)
  let opened: Buffer
  try {
    opened = publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature)
  } catch {
    return false
  }
  const encoded = opened.subarray(opened.length - length)
  const unusedMask = 0xff >> (8 * length - bits)
  const masked = encoded.subarray(0, length - digest.length - 1)
  const h = encoded.subarray(masked.length, length - 1)
  if (encoded[length - 1] !== 0xbc || ((masked[0] ?? 0) & ~unusedMask) !== 0) return false
  const block = xor(masked, mgf1(hash, h, masked.length))
  block.writeUInt8(block.readUInt8(0) & unusedMask, 0)
  const zeros = block.length - digest.length - 1
  if (block.subarray(0, zeros).some((byte) => byte !== 0) || block[zeros] !== 1) return false
  return hashOfPss(hash, digest, block.subarray(zeros + 1)).equals(h)
}
