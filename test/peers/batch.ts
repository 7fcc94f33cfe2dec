import { createHash, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createKeyGenerator } from '../../src/core/keys/pool.ts'
import { type KeyType, keyTypes } from '../../src/core/keys/types.ts'
import { transferBlob } from '../../src/providers/azurekeyvault/transfer-blob.ts'

/** How many keys of each type are made: 1,000 in all, fewer of those that take long to make. */
const counts: Record<KeyType, number> = {
  'rsa-2048': 150,
  'rsa-3072': 50,
  'rsa-4096': 20,
  'ecdsa-p256': 240,
  'ecdsa-p384': 170,
  'ecdsa-p521': 170,
  'aes256-gcm96': 200,
}
const kekSizes = [2048, 3072, 4096]

/** One key, wrapped: what a judge gets (`kek`, `type`, `package`) and what it should find (`digest`). */
export interface Item {
  id: number
  kek: string
  type: KeyType
  /** The key transfer package, as it goes into `key_hsm`. */
  package: string
  /** SPKI DER, base64; null for symmetric keys. */
  publicKey: string | null
  /** SHA-256, hex, of the public key's SPKI DER, or of the raw symmetric key. */
  digest: string
}

export interface Batch {
  /** A folder with `batch.jsonl` and the private halves of the key encryption keys: `kek-<bits>.pem`. */
  folder: string
  items: Item[]
}

/** Makes the keys with the real generator and wraps them with the real provider's code, every type under every size of KEK. */
export async function makeBatch(): Promise<Batch> {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-peers-'))
  const keks = new Map<string, KeyObject>()
  for (const bits of kekSizes) {
    const pair = await promisify(generateKeyPair)('rsa', { modulusLength: bits })
    writeFileSync(join(folder, `kek-${bits}.pem`), pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
    keks.set(`kek-${bits}`, pair.publicKey)
  }
  const generator = createKeyGenerator({ pool: { 'rsa-2048': 0, 'rsa-3072': 0, 'rsa-4096': 0 } })
  const names = [...keks.keys()]
  const types = (Object.keys(keyTypes) as KeyType[]).flatMap((type) => Array<KeyType>(counts[type]).fill(type))
  const make = async (type: KeyType, id: number): Promise<Item> => {
    const { material, publicKey } = await generator.generate(type)
    const kek = names[id % names.length] ?? ''
    const wrappingKey = keks.get(kek)
    if (!wrappingKey) throw new Error('no such key encryption key')
    const keyId = `https://peers.vault.azure.net/keys/${kek}/${'0'.repeat(32)}`
    const spki = publicKey === null ? null : createPublicKey(publicKey).export({ type: 'spki', format: 'der' })
    const digest = createHash('sha256')
      .update(spki ?? material)
      .digest('hex')
    const blob = transferBlob({ keyId, publicKey: wrappingKey }, material)
    material.fill(0)
    return { id, kek, type, package: blob.toString(), publicKey: spki?.toString('base64') ?? null, digest }
  }
  const items = await Promise.all(types.map(make))
  await generator.close()
  const lines = items.map(({ id, kek, type, package: blob }) => JSON.stringify({ id, kek, type, package: blob }))
  writeFileSync(join(folder, 'batch.jsonl'), `${lines.join('\n')}\n`)
  // The token shows no private key: it proves each by a signature, which its announced public key checks.
  const publics = items.filter((item) => item.publicKey !== null).map((item) => `${item.id} ${item.publicKey}`)
  writeFileSync(join(folder, 'publics.txt'), `${publics.join('\n')}\n`)
  return { folder, items }
}
