import { createHash } from 'node:crypto'
import type { Context } from '../../context.ts'
import { invalid, KeyferryError } from '../../errors.ts'
import { printable } from '../../keys/types.ts'
import type { AuthMountRow, AuthMountStore } from '../../store.ts'

/** What can be enabled. `oidc` is Vault's other name of the same plugin; here too it takes JWTs, and has no flow through a browser. */
export const authTypes = ['approle', 'jwt', 'oidc'] as const

const segment = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?$/
const mostSegments = 8
/** Of so many namespaces the mounts are remembered. */
const kept = 20_000
const builtIn = 'token/'

/** Says what there is, for whoever asks for something else. */
export const offered =
  'there are "approle" (role id and secret id), "jwt" and "oidc" (JWTs of an issuer), and "token", which is always enabled'

export interface AuthMountServiceParts {
  context: Context
  store: { authMounts: AuthMountStore }
  /** Drops what is remembered of tokens: those made through a mount end with it. */
  forgetTokens(): void
}

/** The doors of namespaces other than tokens: what is at `auth/<path>`. */
export class AuthMountService {
  readonly #parts: AuthMountServiceParts
  /** namespace id -> its mounts; forgotten when something changes. */
  readonly #known = new Map<string, AuthMountRow[]>()

  constructor(parts: AuthMountServiceParts) {
    this.#parts = parts
  }

  forget(): void {
    this.#known.clear()
  }

  /** All of a namespace in order of their paths, `token/` among them. */
  async list(namespaceId: string): Promise<AuthMountRow[]> {
    const mounts = [...(await this.#enabled(namespaceId)), tokenMount(namespaceId)]
    return mounts.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  /** The mount that a path is under, without `auth/` before it (`approle/login` is under `approle/`); never `token/`. */
  async resolve(namespaceId: string, path: string): Promise<AuthMountRow | undefined> {
    return (await this.#enabled(namespaceId)).find((mount) => path.startsWith(mount.path))
  }

  /** Takes a path with or without slashes at its ends. Throws `not_found`. */
  async at(namespaceId: string, path: string): Promise<AuthMountRow> {
    const wanted = normal(path)
    const mount = (await this.list(namespaceId)).find((one) => one.path === wanted)
    if (!mount) throw new KeyferryError('not_found', `No auth engine at ${printable(wanted)}`)
    return mount
  }

  /** Throws `invalid` for another type, a bad path or one in use. */
  async enable(
    namespaceId: string,
    path: string,
    input: { type: string; description?: string; tune?: Record<string, unknown> },
  ): Promise<AuthMountRow> {
    const { context, store } = this.#parts
    if (input.type === 'token') throw invalid('token credential backend cannot be instantiated: it is always enabled')
    if (!authTypes.some((type) => type === input.type)) {
      throw invalid(`unsupported auth type "${printable(input.type)}": ${offered}`)
    }
    const mount: AuthMountRow = {
      id: context.uuid(),
      namespaceId,
      path: checkPath(path),
      type: input.type,
      accessor: `auth_${input.type}_${context.randomHex(4)}`,
      description: input.description ?? '',
      tune: checkTune(input.tune ?? {}),
      config: {},
      createdAt: context.now(),
    }
    try {
      await store.authMounts.create(mount)
    } catch (error) {
      if (!(error instanceof KeyferryError && error.code === 'already_exists')) throw error
      throw new KeyferryError('invalid', `path is already in use at ${mount.path}`, { cause: error })
    } finally {
      this.forget()
    }
    return mount
  }

  /** Changes what is given, and nothing else. Throws `not_found`, `invalid`. */
  async tune(
    namespaceId: string,
    path: string,
    change: { description?: string; tune?: Record<string, unknown> },
  ): Promise<void> {
    const mount = await this.at(namespaceId, path)
    if (mount.path === builtIn) throw invalid('the settings of auth/token/ cannot be changed')
    const tune = checkTune(change.tune ?? {})
    try {
      await this.#parts.store.authMounts.change(namespaceId, mount.id, (now) => ({
        ...(change.description === undefined ? {} : { description: change.description }),
        tune: { ...now.tune, ...tune },
      }))
    } finally {
      this.forget()
    }
  }

  /** Replaces what `auth/<path>/config` holds. */
  async configure(mount: AuthMountRow, config: Record<string, unknown>): Promise<void> {
    try {
      await this.#parts.store.authMounts.change(mount.namespaceId, mount.id, () => ({ config }))
    } finally {
      this.forget()
    }
  }

  /** Removes a mount with its roles and secret ids, and ends the tokens made through it. What is not there is no error, as in Vault. */
  async disable(namespaceId: string, path: string): Promise<void> {
    const wanted = normal(path)
    if (wanted === builtIn) throw invalid('token credential backend cannot be disabled')
    const mount = (await this.#enabled(namespaceId)).find((one) => one.path === wanted)
    if (!mount) return
    try {
      await this.#parts.store.authMounts.remove(namespaceId, mount.id, tokenPath(mount))
    } catch (error) {
      if (!(error instanceof KeyferryError && error.code === 'not_found')) throw error
    } finally {
      this.forget()
      this.#parts.forgetTokens()
    }
  }

  async #enabled(namespaceId: string): Promise<AuthMountRow[]> {
    const known = this.#known.get(namespaceId)
    if (known) return known
    const mounts = await this.#parts.store.authMounts.list(namespaceId)
    if (this.#known.size >= kept) this.#known.clear()
    this.#known.set(namespaceId, mounts)
    return mounts
  }
}

/** The `path` of tokens that are made through a mount. */
export function tokenPath(mount: AuthMountRow): string {
  return `auth/${mount.path}login`
}

function normal(path: string): string {
  return `${path.replace(/^\/+|\/+$/g, '')}/`
}

function checkPath(path: string): string {
  const whole = normal(path)
  const segments = whole.slice(0, -1).split('/')
  if (segments.length > mostSegments || segments.some((one) => !segment.test(one) || one.includes('..'))) {
    throw invalid(
      `invalid auth path "${printable(path)}": allowed are up to ${mostSegments} parts of 1 to 64 letters, digits, "_", "-" and "."`,
    )
  }
  if (whole.startsWith(builtIn)) throw invalid(`path is already in use at ${builtIn}`)
  return whole
}

const tokenTypes = ['default-service', 'default-batch', 'service', 'batch']

function checkTune(tune: Record<string, unknown>): Record<string, unknown> {
  if (tune.token_type !== undefined && !tokenTypes.includes(String(tune.token_type))) {
    throw invalid('token_type: allowed are "default-service", "default-batch", "service" or "batch"')
  }
  return tune
}

/** What is at `auth/token/`, without a row. */
function tokenMount(namespaceId: string): AuthMountRow {
  const hex = createHash('sha256').update(`auth/token/ ${namespaceId}`).digest('hex')
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
  return {
    id,
    namespaceId,
    path: builtIn,
    type: 'token',
    accessor: `auth_token_${hex.slice(0, 8)}`,
    description: 'token based credentials',
    tune: { token_type: 'default-service' },
    config: {},
    createdAt: 0,
  }
}
