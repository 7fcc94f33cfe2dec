import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { invalid, KeyferryError } from '../errors.ts'
import type { RootKey } from '../seal/root-key.ts'
import type { ArchiveHeader } from './archive.ts'

type SealedFor = ArchiveHeader['sealedFor']

/** For whom a backup is sealed: whoever has the root key, or the owner of an X25519 key, which the machine that makes backups need not have. */
export function newSecret(to: RootKey | KeyObject): { sealedFor: SealedFor; secret: Buffer } {
  const salt = randomBytes(32).toString('base64')
  if ('id' in to) return { sealedFor: { method: 'root-key', salt }, secret: Buffer.from(to.key) }
  const ephemeral = generateKeyPairSync('x25519')
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: to })
  return {
    sealedFor: { method: 'x25519', salt, ephemeral: rawPublic(ephemeral.publicKey), recipient: rawPublic(to) },
    secret,
  }
}

/** The secret that opens a backup. Throws `corrupt` where neither a root key nor the identity is the one that it is sealed for. */
export function secretOf(header: ArchiveHeader, roots: readonly RootKey[], identity: KeyObject | undefined): Buffer {
  const { sealedFor, rootId } = header
  if (sealedFor.method === 'root-key') {
    const root = roots.find(({ id }) => id === rootId)
    if (root) return Buffer.from(root.key)
    throw new KeyferryError(
      'corrupt',
      `it is sealed under root key ${rootId}, and the one that is configured is ${roots.map(({ id }) => id).join(' or ')}`,
    )
  }
  if (!identity)
    throw invalid(`it is sealed for the X25519 key ${sealedFor.recipient}: give its private half with --identity`)
  if (rawPublic(createPublicKey(identity)) !== sealedFor.recipient) {
    throw new KeyferryError(
      'corrupt',
      `it is sealed for the X25519 key ${sealedFor.recipient}, and the identity is ${rawPublic(createPublicKey(identity))}`,
    )
  }
  const ephemeral = createPublicKey({
    key: { kty: 'OKP', crv: 'X25519', x: Buffer.from(sealedFor.ephemeral, 'base64').toString('base64url') },
    format: 'jwk',
  })
  return diffieHellman({ privateKey: identity, publicKey: ephemeral })
}

/** Reads a recipient: a PEM public key (RFC 8410), as `openssl pkey -pubout` writes it. Throws `invalid`. */
export function parseRecipient(pem: string, source: string): KeyObject {
  // Node makes a public key of a private one without a word; whoever gives that has taken the wrong file.
  if (pem.includes('PRIVATE KEY')) throw invalid(`${source} holds a private key: a recipient is the public half alone`)
  return x25519(() => createPublicKey(pem), source, 'public')
}

/** Reads an identity: a PEM private key, as `openssl genpkey -algorithm X25519` writes it. Throws `invalid`; never repeats the text. */
export function parseIdentity(pem: string, source: string): KeyObject {
  return x25519(() => createPrivateKey(pem), source, 'private')
}

function x25519(parse: () => KeyObject, source: string, half: 'public' | 'private'): KeyObject {
  try {
    const key = parse()
    if (key.asymmetricKeyType === 'x25519') return key
  } catch {
    // Said below: the reason could repeat the text.
  }
  throw invalid(`${source} holds no X25519 ${half} key in PEM`)
}

/** The 32 bytes of a public key, base64. */
function rawPublic(key: KeyObject): string {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64')
}
