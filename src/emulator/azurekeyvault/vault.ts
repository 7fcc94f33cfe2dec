import { cloudOfSuffix } from './clouds.ts'
import { conflict, keyNotFound } from './errors.ts'
import type { KeyMaterial } from './key-material.ts'
import type { Attributes, KeyOperation } from './key-parameters.ts'
import { parseSpec, type VaultSpec, vaultSpec } from './specs.ts'

/** One version of a key. `created` and `updated` are seconds since 1970. */
export interface KeyVersion {
  readonly version: string
  readonly material: KeyMaterial
  readonly created: number
  updated: number
  keyOps: KeyOperation[]
  attributes: Attributes
  tags: Record<string, string> | undefined
}

/** Where a name is in its life; times are ms of the emulator's clock. */
export type KeyState =
  | { readonly name: 'active' }
  | { readonly name: 'deleting' | 'recovering'; readonly settles: number; readonly deleted: number }
  | { readonly name: 'deleted'; readonly deleted: number }

/** A name with all its versions, oldest first. */
export interface NamedKey {
  readonly name: string
  readonly versions: KeyVersion[]
  state: KeyState
}

const dayMs = 86_400_000

/** A vault or Managed HSM: its names and their states. Names are compared without regard to case, as the service does. */
export class Vault {
  readonly spec: ReturnType<typeof vaultSpec.parse>
  readonly name: string
  readonly host: string
  readonly suffix: string
  /** What a token must be for. */
  readonly resource: string
  readonly tenantId: string
  readonly authorityHost: string
  readonly #keys = new Map<string, NamedKey>()
  readonly #now: () => number

  constructor(spec: VaultSpec, defaultTenantId: string, now: () => number) {
    this.spec = parseSpec('vault', vaultSpec, spec)
    this.name = this.spec.name.toLowerCase()
    this.suffix = (
      this.spec.suffix ?? (this.spec.kind === 'managedhsm' ? 'managedhsm.azure.net' : 'vault.azure.net')
    ).toLowerCase()
    this.host = `${this.name}.${this.suffix}`
    this.resource = `https://${this.suffix}`
    this.tenantId = this.spec.tenantId ?? defaultTenantId
    this.authorityHost = cloudOfSuffix(this.suffix).authorities[0] ?? ''
    this.#now = now
  }

  get isManagedHsm(): boolean {
    return this.spec.kind === 'managedhsm'
  }

  get now(): number {
    return this.#now()
  }

  /** The entry of a name, moved on to the state that it has by now; `undefined` when there is none or it is past its retention. */
  lookup(name: string): NamedKey | undefined {
    const id = name.toLowerCase()
    const key = this.#keys.get(id)
    if (key === undefined) return undefined
    const state = key.state
    if (state.name === 'recovering' && this.now >= state.settles) key.state = { name: 'active' }
    if (state.name === 'deleting' && this.now >= state.settles) key.state = { name: 'deleted', deleted: state.deleted }
    if (key.state.name === 'deleted' && this.now >= this.purgeTime(key.state.deleted)) {
      this.#keys.delete(id)
      return undefined
    }
    return key
  }

  /** When a key deleted at `deleted` (ms) is purged by itself. */
  purgeTime(deleted: number): number {
    return deleted + this.spec.softDeleteRetentionDays * dayMs
  }

  /** Every entry that is there now, by name. */
  entries(): NamedKey[] {
    return [...this.#keys.keys()]
      .sort()
      .map((id) => this.lookup(id))
      .filter((key) => key !== undefined)
  }

  /** @throws {ServiceError} 404 unless the key is there and not deleted */
  active(name: string): NamedKey {
    const key = this.lookup(name)
    if (key?.state.name !== 'active') throw keyNotFound(name)
    return key
  }

  /**
   * A version of an active key, the latest without `version`.
   *
   * @throws {ServiceError} 404
   */
  version(name: string, version: string | undefined): KeyVersion {
    const key = this.active(name)
    const wanted = version?.toLowerCase()
    const found = wanted ? key.versions.find((entry) => entry.version === wanted) : key.versions.at(-1)
    if (found === undefined) throw keyNotFound(version ? `${name}/${version}` : name)
    return found
  }

  /**
   * Refuses to make a version under a name that is deleted or on the way there or back.
   *
   * @throws {ServiceError} 409, with the service's own texts
   */
  checkFree(name: string): void {
    const state = this.lookup(name)?.state.name ?? 'active'
    if (state === 'deleted') {
      throw conflict(
        `Key ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can ` +
          'only be recovered or purged.',
        'ObjectIsDeletedButRecoverable',
      )
    }
    if (state === 'deleting') {
      throw conflict(
        `Key ${name} is currently being deleted and cannot be re-created; retry later.`,
        'ObjectIsBeingDeleted',
      )
    }
    if (state === 'recovering') {
      throw conflict(`Key ${name} is currently being recovered; retry later.`, 'ObjectIsBeingRecovered')
    }
  }

  /** Adds a version, making the name when it is new. */
  add(name: string, version: KeyVersion): NamedKey {
    this.checkFree(name)
    const existing = this.lookup(name)
    if (existing !== undefined) {
      existing.versions.push(version)
      return existing
    }
    const key: NamedKey = { name, versions: [version], state: { name: 'active' } }
    this.#keys.set(name.toLowerCase(), key)
    return key
  }

  remove(name: string): void {
    this.#keys.delete(name.toLowerCase())
  }
}
