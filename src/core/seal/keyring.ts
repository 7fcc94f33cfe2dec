import { randomBytes } from 'node:crypto'
import { KeyferryError } from '../errors.ts'
import type { DataKeyRow, NamespaceStore } from '../store.ts'
import { type Binding, open, seal, sealedUnder } from './box.ts'
import type { RootKey } from './root-key.ts'

/** Seals and opens for one namespace. Plaintext given back is the caller's to zero. */
export interface Sealer {
  seal(binding: Omit<Binding, 'namespaceId'>, plaintext: Buffer): Buffer
  open(binding: Omit<Binding, 'namespaceId'>, box: Buffer): Buffer
}

/** How many namespaces' data keys are kept open at a time. */
const kept = 1024

/**
 * The key hierarchy: the root key seals one data key a namespace, that one seals everything of the namespace. Data keys are opened
 * at first use and kept in memory.
 */
export class Keyring {
  readonly #root: RootKey
  readonly #namespaces: Pick<NamespaceStore, 'dataKeys'>
  readonly #open = new Map<string, { sealingId: string; keys: Map<string, Buffer> }>()

  constructor(root: RootKey, namespaces: Pick<NamespaceStore, 'dataKeys'>) {
    this.#root = root
    this.#namespaces = namespaces
  }

  /** The sealer of a namespace. Throws `corrupt` when it has no data key or one that does not open under this root key. */
  async forNamespace(namespaceId: string): Promise<Sealer> {
    let ring = this.#open.get(namespaceId)
    if (!ring) {
      ring = this.#openRing(namespaceId, await this.#namespaces.dataKeys(namespaceId))
      const oldest = this.#open.size >= kept ? this.#open.keys().next().value : undefined
      if (oldest !== undefined) this.#open.delete(oldest)
      this.#open.set(namespaceId, ring)
    }
    return sealerOf(namespaceId, ring.sealingId, ring.keys)
  }

  /** A fresh data key for a new namespace, sealed under the root key. */
  newDataKey(namespaceId: string, createdAt: number): DataKeyRow {
    return newDataKey(this.#root, namespaceId, createdAt).row
  }

  /** The namespace is gone: what was open of it is zeroed. */
  forget(namespaceId: string): void {
    for (const key of this.#open.get(namespaceId)?.keys.values() ?? []) key.fill(0)
    this.#open.delete(namespaceId)
  }

  #openRing(namespaceId: string, rows: DataKeyRow[]): { sealingId: string; keys: Map<string, Buffer> } {
    const newest = rows[0]
    if (!newest) throw new KeyferryError('corrupt', 'a namespace has no data key')
    const keys = new Map<string, Buffer>()
    for (const row of rows) {
      keys.set(row.id, open(this.#root.id, this.#root.key, dataKeyBinding(namespaceId, row.id), row.box))
    }
    return { sealingId: newest.id, keys }
  }

  /** Zeroes every open key. Nothing opens afterwards. */
  close(): void {
    for (const ring of this.#open.values()) for (const key of ring.keys.values()) key.fill(0)
    this.#open.clear()
    this.#root.key.fill(0)
  }
}

/** A fresh data key for a namespace, sealed under the root key, and a sealer that uses it. */
export function newDataKey(root: RootKey, namespaceId: string, createdAt: number): { row: DataKeyRow; sealer: Sealer } {
  const id = randomBytes(16).toString('hex')
  const key = randomBytes(32)
  const box = seal(root.id, root.key, dataKeyBinding(namespaceId, id), key)
  return {
    row: { id, namespaceId, rootId: root.id, box, createdAt },
    sealer: sealerOf(namespaceId, id, new Map([[id, key]])),
  }
}

function dataKeyBinding(namespaceId: string, id: string): Binding {
  return { namespaceId, objectId: id, version: 0, kind: 'data-key' }
}

function sealerOf(namespaceId: string, sealingId: string, keys: ReadonlyMap<string, Buffer>): Sealer {
  const keyOf = (id: string): Buffer => {
    const key = keys.get(id)
    if (!key) throw new KeyferryError('corrupt', 'a sealed value names a data key that its namespace does not have')
    return key
  }
  return {
    seal: (binding, plaintext) => seal(sealingId, keyOf(sealingId), { ...binding, namespaceId }, plaintext),
    open: (binding, box) => {
      const id = sealedUnder(box)
      return open(id, keyOf(id), { ...binding, namespaceId }, box)
    },
  }
}
