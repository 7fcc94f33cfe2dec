import type { Context } from '../context.ts'
import type { Detaching } from '../distribution/detach.ts'
import { invalid, KeyferryError } from '../errors.ts'
import { printable } from '../keys/types.ts'
import type { Keyring } from '../seal/keyring.ts'
import { sealedAgain } from '../seal/stale.ts'
import type { NamespaceRow, NamespaceStore } from '../store.ts'

/** What Keyferry or Vault serve at the top of a namespace, and a name that would be mistaken for the root. */
const reserved = new Set(['root', 'sys', 'auth', 'audit', 'identity', 'cubbyhole', 'oauth'])
const nameRule = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?$/
const deepest = 16
const mostMetadata = 64
/** So many are remembered by their paths. */
const kept = 20_000

export interface NamespaceServiceParts {
  context: Context
  store: { namespaces: NamespaceStore }
  keyring: Keyring
  detaching: Detaching
  /** Drops what is remembered of tokens and mounts. */
  forget(): void
}

/** Namespaces: the tenants, nested. */
export class NamespaceService {
  readonly #parts: NamespaceServiceParts
  readonly #byPath = new Map<string, NamespaceRow>()

  constructor(parts: NamespaceServiceParts) {
    this.#parts = parts
  }

  /** Drops what is remembered. */
  forget(): void {
    this.#byPath.clear()
  }

  /** The namespace of a path without slashes at its ends ('' is the root), undefined when there is none. */
  async byPath(path: string): Promise<NamespaceRow | undefined> {
    const known = this.#byPath.get(path)
    if (known) return known
    const row = await this.#parts.store.namespaces.byPath(path)
    if (this.#byPath.size >= kept) this.#byPath.clear()
    if (row) this.#byPath.set(path, row)
    return row
  }

  /** A namespace and those above it, up to the root. */
  async lineage(row: NamespaceRow): Promise<NamespaceRow[]> {
    const rows = [row]
    let path = row.path
    while (path !== '') {
      path = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
      const parent = await this.byPath(path)
      if (parent) rows.push(parent)
    }
    return rows
  }

  /** Names of the children, with their final slash, in order. */
  async list(parent: NamespaceRow): Promise<NamespaceRow[]> {
    return await this.#parts.store.namespaces.children(parent.id)
  }

  /** The namespace at a path relative to `parent`. Throws `not_found`. */
  async at(parent: NamespaceRow, relative: string): Promise<NamespaceRow> {
    const row = await this.byPath(join(parent.path, relative))
    if (!row || row.id === parent.id) throw new KeyferryError('not_found', 'namespace not found')
    return row
  }

  /**
   * Makes a child, or gives the one that is there with its metadata replaced. Throws `invalid` with the rule for names, `conflict` where
   * something is mounted at its path.
   */
  async create(
    parent: NamespaceRow,
    relative: string,
    metadata: Record<string, string> | undefined,
  ): Promise<NamespaceRow> {
    const { context, store, keyring } = this.#parts
    checkMetadata(metadata ?? {})
    const segments = relative.replace(/^\/+|\/+$/g, '').split('/')
    const name = segments.pop() ?? ''
    const under = segments.length === 0 ? parent : await this.at(parent, segments.join('/'))
    checkName(name)
    const path = join(under.path, name)
    if (path.split('/').length > deepest) throw invalid(`namespaces can be nested ${deepest} deep`)
    const known = await this.byPath(path)
    if (known) {
      if (metadata !== undefined) await this.setMetadata(known, metadata)
      return { ...known, customMetadata: metadata ?? known.customMetadata }
    }
    const now = context.now()
    const row: NamespaceRow = {
      id: context.randomHex(8),
      parentId: under.id,
      path,
      customMetadata: metadata ?? {},
      createdAt: now,
      deletedAt: null,
    }
    try {
      await sealedAgain(async () => store.namespaces.create(row, await keyring.newDataKey(row.id, now)))
    } catch (error) {
      if (error instanceof KeyferryError && error.code === 'already_exists')
        return await this.create(parent, relative, metadata)
      throw error
    } finally {
      this.forget()
    }
    return row
  }

  async setMetadata(row: NamespaceRow, metadata: Record<string, string>): Promise<void> {
    checkMetadata(metadata)
    await this.#changeMetadata(row, () => metadata)
  }

  /** Merges (RFC 7396): a value replaces, null takes away, null for the whole takes all away. Gives the namespace as it is then. */
  async patchMetadata(row: NamespaceRow, change: Record<string, string | null> | null): Promise<NamespaceRow> {
    const customMetadata = await this.#changeMetadata(row, (before) => {
      const merged = Object.entries({ ...before, ...change }).filter(
        (entry): entry is [string, string] => entry[1] !== null,
      )
      const metadata = change === null ? {} : Object.fromEntries(merged)
      checkMetadata(metadata)
      return metadata
    })
    return { ...row, customMetadata }
  }

  async #changeMetadata(
    row: NamespaceRow,
    decide: (before: Record<string, string>) => Record<string, string>,
  ): Promise<Record<string, string>> {
    try {
      return await this.#parts.store.namespaces.setMetadata(row.id, decide)
    } finally {
      this.forget()
    }
  }

  /**
   * Deletes a namespace with all that is in it: at once nobody can reach it and its tokens are dead. With `removeRemote`, its keys in
   * KMSs are removed there by and by; without, it is refused while there are any. Throws `invalid`.
   */
  async delete(row: NamespaceRow, removeRemote: boolean): Promise<void> {
    const { store, detaching, keyring } = this.#parts
    if (row.parentId === null) throw invalid('the root namespace cannot be deleted')
    await detaching.run(
      async () => {
        const attached = await store.namespaces.attachedCopies(row.id)
        if (attached.length === 0 || removeRemote) return attached
        throw invalid(
          `the namespace has ${attached.length} distributed key${attached.length > 1 ? 's' : ''}: remove them first, or delete it with remove_remote=true`,
        )
      },
      async (detached) => {
        try {
          await store.namespaces.remove(row.id, detached)
        } catch (error) {
          const refused = error instanceof KeyferryError && error.code === 'conflict'
          if (!refused || (await store.namespaces.children(row.id)).length === 0) throw error
          throw invalid('the namespace has child namespaces: delete them first')
        }
        this.forget()
        this.#parts.forget()
        if (detached.settings.size === 0) keyring.forget(row.id)
      },
    )
  }
}

function join(parent: string, relative: string): string {
  const child = relative.replace(/^\/+|\/+$/g, '')
  return parent === '' ? child : `${parent}/${child}`
}

function checkName(name: string): void {
  if (reserved.has(name.toLowerCase()))
    throw invalid(`"${printable(name)}" is a reserved path and cannot be used as a namespace`)
  if (nameRule.test(name) && !name.includes('..')) return
  throw invalid(
    `invalid namespace name "${printable(name)}": allowed are 1 to 64 letters, digits, "_", "-" and ".", without ".."`,
  )
}

function checkMetadata(metadata: Record<string, string>): void {
  const entries = Object.entries(metadata)
  if (entries.length > mostMetadata) throw invalid(`custom_metadata can have ${mostMetadata} entries`)
  for (const [key, value] of entries) {
    if (key.length === 0 || key.length > 128 || value.length > 512) {
      throw invalid('custom_metadata: allowed are keys of 1 to 128 and values of up to 512 characters')
    }
  }
}
