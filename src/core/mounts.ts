import type { Context } from './context.ts'
import type { Detaching } from './distribution/detach.ts'
import { invalid, KeyferryError, oneOf } from './errors.ts'
import { printable } from './keys/types.ts'
import type { MountRow, MountStore } from './store.ts'

/** What can be mounted. */
export const mountTypes = ['keymgmt'] as const

/** Paths that Keyferry serves itself: nothing can be mounted there. */
const reserved = ['sys/', 'auth/', 'identity/', 'cubbyhole/', 'oauth/']
const segment = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?$/
const mostSegments = 8

export interface MountInput {
  type: string
  description?: string
  config?: Record<string, unknown>
}

/** A mount that was given another path. */
export interface Move {
  id: string
  namespaceId: string
  from: string
  to: string
}

/** Of so many namespaces the mounts are remembered. */
const kept = 20_000

/** So many moves are remembered, to be asked for by their ids. */
const keptMoves = 1000

export interface MountServiceParts {
  context: Context
  store: { mounts: MountStore }
  detaching: Detaching
}

/** The mounts of namespaces: each a world of its own. */
export class MountService {
  readonly #parts: MountServiceParts
  /** namespace id -> its mounts; forgotten when something changes. */
  readonly #known = new Map<string, MountRow[]>()
  readonly #moves = new Map<string, Move>()

  constructor(parts: MountServiceParts) {
    this.#parts = parts
  }

  forget(): void {
    this.#known.clear()
  }

  /** The mounts of a namespace, in order of their paths. */
  async list(namespaceId: string): Promise<MountRow[]> {
    const known = this.#known.get(namespaceId)
    if (known) return known
    const mounts = await this.#parts.store.mounts.list(namespaceId)
    if (this.#known.size >= kept) this.#known.clear()
    this.#known.set(namespaceId, mounts)
    return mounts
  }

  /** The mount that a path is under (`keymgmt/key/a` is under `keymgmt/`), if any. */
  async resolve(namespaceId: string, path: string): Promise<MountRow | undefined> {
    return (await this.list(namespaceId)).find((mount) => path.startsWith(mount.path))
  }

  /** Takes a path with or without slashes at its ends. Throws `invalid` when it is not one, is reserved or taken. */
  async create(namespaceId: string, path: string, input: MountInput): Promise<MountRow> {
    if (!mountTypes.some((type) => type === input.type)) {
      throw invalid(`unsupported mount type "${printable(input.type)}": allowed is ${oneOf(mountTypes)}`)
    }
    const mount: MountRow = {
      id: this.#parts.context.uuid(),
      namespaceId,
      path: mountPath(path),
      type: input.type,
      accessor: `${input.type}_${this.#parts.context.randomHex(4)}`,
      description: input.description ?? '',
      config: input.config ?? {},
      createdAt: this.#parts.context.now(),
    }
    try {
      await this.#parts.store.mounts.create(mount)
    } catch (error) {
      if (!(error instanceof KeyferryError && error.code === 'already_exists')) throw error
      throw new KeyferryError('invalid', `path is already in use at ${mount.path}`, { cause: error })
    } finally {
      this.forget()
    }
    return mount
  }

  /** Throws `not_found` when nothing is mounted there. */
  async at(namespaceId: string, path: string): Promise<MountRow> {
    const mount = await this.#find(namespaceId, path)
    if (!mount) throw new KeyferryError('not_found', `No secret engine mount at ${printable(withEnd(path))}`)
    return mount
  }

  /** Changes description or config of a mount. */
  async tune(
    namespaceId: string,
    path: string,
    change: { description?: string; config?: Record<string, unknown> },
  ): Promise<void> {
    const mount = await this.at(namespaceId, path)
    const config = change.config === undefined ? {} : { config: { ...mount.config, ...change.config } }
    try {
      await this.#parts.store.mounts.tune(namespaceId, mount.id, {
        ...(change.description === undefined ? {} : { description: change.description }),
        ...config,
      })
    } finally {
      this.forget()
    }
  }

  /**
   * Gives a mount another path in its namespace, at once and with all that is in it. Throws `not_found` when nothing is mounted at `from`,
   * `invalid` for a path that cannot be one or is in use.
   */
  async move(namespaceId: string, from: string, to: string): Promise<Move> {
    const mount = await this.at(namespaceId, from)
    const path = mountPath(to)
    try {
      await this.#parts.store.mounts.move(namespaceId, mount.id, path)
    } catch (error) {
      if (!(error instanceof KeyferryError && error.code === 'already_exists')) throw error
      throw new KeyferryError('invalid', `path is already in use at ${path}`, { cause: error })
    } finally {
      this.forget()
    }
    const move = { id: this.#parts.context.uuid(), namespaceId, from: mount.path, to: path }
    const [oldest] = this.#moves.keys()
    if (oldest !== undefined && this.#moves.size >= keptMoves) this.#moves.delete(oldest)
    this.#moves.set(move.id, move)
    return move
  }

  /** A move that this process made lately. */
  moved(namespaceId: string, id: string): Move | undefined {
    const move = this.#moves.get(id)
    return move?.namespaceId === namespaceId ? move : undefined
  }

  /**
   * Removes a mount with its keys and KMSs, as Vault does; what is not there is no error. Copies stay in their clouds, or are removed there
   * by and by with `removeRemote`. Gives a warning that names them.
   */
  async remove(namespaceId: string, path: string, removeRemote = false): Promise<string[]> {
    const mount = await this.#find(namespaceId, path)
    if (!mount) return []
    try {
      return await (removeRemote ? this.#removeRemote(mount) : this.#leaveRemote(mount))
    } finally {
      this.forget()
    }
  }

  async #find(namespaceId: string, path: string): Promise<MountRow | undefined> {
    const wanted = withEnd(path)
    return (await this.list(namespaceId)).find((one) => one.path === wanted)
  }

  async #leaveRemote({ namespaceId, id }: MountRow): Promise<string[]> {
    const left = await this.#parts.store.mounts.remove(namespaceId, id)
    return left.length === 0 ? [] : [`left in their KMSs, where you may want to delete them: ${left.join(', ')}`]
  }

  async #removeRemote({ namespaceId, id }: MountRow): Promise<string[]> {
    const { store, detaching } = this.#parts
    const attached = await detaching.run(
      () => store.mounts.attachedCopies(namespaceId, id),
      (detached) => store.mounts.remove(namespaceId, id, detached),
    )
    const names = attached.map(({ copy }) => `${copy.collection}/${copy.remoteName}`)
    return names.length === 0
      ? []
      : [`being removed from their KMSs (LIST sys/operation shows how far): ${names.join(', ')}`]
  }
}

/** A path with one slash at its end and none at its beginning, as mounts have it. */
function withEnd(path: string): string {
  return `${path.replace(/^\/+|\/+$/g, '')}/`
}

function mountPath(path: string): string {
  const segments = path.replace(/^\/+|\/+$/g, '').split('/')
  if (segments.length > mostSegments || segments.some((one) => !segment.test(one) || one.includes('..'))) {
    throw invalid(
      `invalid mount path "${printable(path)}": allowed are up to ${mostSegments} parts of 1 to 64 letters, digits, "_", "-" and "."`,
    )
  }
  const whole = `${segments.join('/')}/`
  const taken = reserved.find((one) => whole.startsWith(one))
  if (taken) throw invalid(`cannot mount under "${taken}": it is reserved`)
  return whole
}
