import { randomBytes } from 'node:crypto'
import { KeyferryError } from '../errors.ts'
import type { Awaitable, DataKeyRow, NamespaceStore } from '../store.ts'
import { type Binding, open, seal, sealedUnder } from './box.ts'
import type { RootKey } from './root-key.ts'

/** Seals and opens for one namespace. Plaintext given back is the caller's to zero. */
export interface Sealer {
  seal(binding: Omit<Binding, 'namespaceId'>, plaintext: Buffer): Buffer
  open(binding: Omit<Binding, 'namespaceId'>, box: Buffer): Buffer
}

/** Data key -> how often it sealed. */
export type Seals = Map<string, { namespaceId: string; count: number }>

/** How many namespaces' data keys are kept open at a time. */
const kept = 1024

/** The open data keys of a namespace. Once zeroed they serve nobody any more: what is sealed under zeroes is sealed under nothing. */
interface Ring {
  sealingId: string
  /** Also those that were replaced since, for boxes that were read before that. */
  keys: Map<string, Buffer>
  zeroed: boolean
}

/**
 * The key hierarchy: a root key seals one data key a namespace, that one seals everything of the namespace. Data keys are opened at
 * first use and kept in memory; which there are is looked up each time, so that one that another process made is used at once.
 */
export class Keyring {
  readonly #roots = new Map<string, RootKey>()
  readonly #namespaces: Pick<NamespaceStore, 'dataKeys'>
  readonly #namedRoot: () => Awaitable<string | undefined>
  readonly #open = new Map<string, Ring>()
  readonly #seals: Seals = new Map()
  #closed = false

  /** `namedRoot`: the id of the root key that the store names; the first of `roots`, where that is not asked. */
  constructor(
    roots: RootKey | readonly RootKey[],
    namespaces: Pick<NamespaceStore, 'dataKeys'>,
    namedRoot?: () => Awaitable<string | undefined>,
  ) {
    const list = 'key' in roots ? [roots] : roots
    for (const root of list) this.#roots.set(root.id, root)
    this.#namespaces = namespaces
    this.#namedRoot = namedRoot ?? (() => list[0]?.id)
  }

  /** Ids of the root keys that are held. */
  get rootIds(): string[] {
    return [...this.#roots.keys()]
  }

  /**
   * The sealer of a namespace. Throws `not_found` when it has no data key, `corrupt` for one that does not open under the root keys held.
   * What it seals is under the newest data key that was known when it was last asked for.
   */
  async forNamespace(namespaceId: string): Promise<Sealer> {
    const rows = await this.#namespaces.dataKeys(namespaceId)
    if (this.#closed) throw stopping()
    const newest = rows[0]
    // Only with the namespace itself does the last one go: somebody deleted that meanwhile.
    if (!newest)
      throw new KeyferryError(namespaceId === 'root' ? 'corrupt' : 'not_found', 'a namespace has no data key')
    // One ring a namespace, so that none is left out when they are zeroed.
    const ring = this.#open.get(namespaceId) ?? { sealingId: newest.id, keys: new Map(), zeroed: false }
    for (const row of rows) if (!ring.keys.has(row.id)) ring.keys.set(row.id, this.#openDataKey(row, namespaceId))
    ring.sealingId = newest.id
    // An evicted ring is not zeroed: somebody may be about to seal with it.
    const oldest = this.#open.size >= kept ? this.#open.keys().next().value : undefined
    if (oldest !== undefined && oldest !== namespaceId) this.#open.delete(oldest)
    this.#open.set(namespaceId, ring)
    return sealerOf(namespaceId, ring, (id) => this.#count(id, namespaceId, 1))
  }

  /** Where data keys of the namespace are open: those who hold a sealer of it seal under the newest from now on. */
  async refresh(namespaceId: string): Promise<void> {
    if (this.#open.has(namespaceId)) await this.forNamespace(namespaceId)
  }

  /** A fresh data key for a namespace, sealed under the root key that the store names. */
  async newDataKey(namespaceId: string, createdAt: number): Promise<DataKeyRow> {
    const root = await this.#named()
    const { row, zero } = newDataKey(root, namespaceId, createdAt)
    zero()
    return row
  }

  /** The box of a data key, sealed anew under the root key that the store names. */
  async rewrapDataKey(row: DataKeyRow): Promise<{ rootId: string; box: Buffer }> {
    const root = await this.#named()
    const key = this.#openDataKey(row, row.namespaceId)
    try {
      return { rootId: root.id, box: seal(root.id, root.key, dataKeyBinding(row.namespaceId, row.id), key) }
    } finally {
      key.fill(0)
    }
  }

  /** How often each data key has sealed since the last call. */
  takeSeals(): Seals {
    const taken = new Map(this.#seals)
    this.#seals.clear()
    return taken
  }

  /** What was taken could not be recorded. */
  giveBack(seals: Seals): void {
    for (const [id, { namespaceId, count }] of seals) this.#count(id, namespaceId, count)
  }

  /** A root key that nothing is under any more is zeroed. */
  dropRoot(id: string): void {
    this.#roots.get(id)?.key.fill(0)
    this.#roots.delete(id)
  }

  /** The namespace is gone: what was open of it is zeroed. */
  forget(namespaceId: string): void {
    const ring = this.#open.get(namespaceId)
    if (ring) zero(ring)
    this.#open.delete(namespaceId)
  }

  /** Zeroes every open key. Nothing is sealed or opened afterwards. */
  close(): void {
    this.#closed = true
    for (const ring of this.#open.values()) zero(ring)
    this.#open.clear()
    for (const id of this.rootIds) this.dropRoot(id)
  }

  #openDataKey(row: DataKeyRow, namespaceId: string): Buffer {
    if (this.#closed) throw stopping()
    const root = this.#roots.get(row.rootId)
    if (!root)
      throw new KeyferryError(
        'corrupt',
        `a data key is under root key ${row.rootId}: until the rotation has ended, that is needed as the previous one`,
      )
    return open(root.id, root.key, dataKeyBinding(namespaceId, row.id), row.box)
  }

  #count(id: string, namespaceId: string, more: number): void {
    const known = this.#seals.get(id)
    if (known) known.count += more
    else this.#seals.set(id, { namespaceId, count: more })
  }

  async #named(): Promise<RootKey> {
    const id = await this.#namedRoot()
    if (this.#closed) throw stopping()
    const root = id === undefined ? undefined : this.#roots.get(id)
    if (root) return root
    throw new KeyferryError(
      'unavailable',
      `the root key was rotated, and this process does not hold the new one (id ${id}): restart it with that one`,
    )
  }
}

/** A fresh data key for a namespace, sealed under the root key, a sealer that uses it, and what zeroes it. */
export function newDataKey(
  root: RootKey,
  namespaceId: string,
  createdAt: number,
): { row: DataKeyRow; sealer: Sealer; zero: () => void } {
  const id = randomBytes(16).toString('hex')
  const key = randomBytes(32)
  const box = seal(root.id, root.key, dataKeyBinding(namespaceId, id), key)
  const ring: Ring = { sealingId: id, keys: new Map([[id, key]]), zeroed: false }
  return {
    row: { id, namespaceId, rootId: root.id, box, createdAt },
    sealer: sealerOf(namespaceId, ring),
    zero: () => zero(ring),
  }
}

function zero(ring: Ring): void {
  ring.zeroed = true
  for (const key of ring.keys.values()) key.fill(0)
}

function stopping(): KeyferryError {
  return new KeyferryError('unavailable', 'the gateway is stopping, or the namespace is gone')
}

function dataKeyBinding(namespaceId: string, id: string): Binding {
  return { namespaceId, objectId: id, version: 0, kind: 'data-key' }
}

function sealerOf(namespaceId: string, ring: Ring, used: (dataKeyId: string) => void = () => {}): Sealer {
  const keyOf = (id: string): Buffer => {
    if (ring.zeroed) throw stopping()
    const key = ring.keys.get(id)
    if (!key) throw new KeyferryError('corrupt', 'a sealed value names a data key that its namespace does not have')
    return key
  }
  return {
    seal: (binding, plaintext) => {
      const box = seal(ring.sealingId, keyOf(ring.sealingId), { ...binding, namespaceId }, plaintext)
      used(ring.sealingId)
      return box
    },
    open: (binding, box) => {
      const id = sealedUnder(box)
      return open(id, keyOf(id), { ...binding, namespaceId }, box)
    },
  }
}
