import type { Context, Scope, Waiting } from '../context.ts'
import type { OperationWaiter } from '../distribution/operations.ts'
import { invalid, KeyferryError } from '../errors.ts'
import { checkName } from '../names.ts'
import type { Keyring, Sealer } from '../seal/keyring.ts'
import { sealedAgain } from '../seal/stale.ts'
import type { KeyRow, KeyStore, NewKeyVersion } from '../store.ts'
import { checkSchedule, nextRotation } from './auto-rotation.ts'
import type { GeneratedKey, KeyGenerator } from './pool.ts'
import { type KeyType, keyTypeNames, parseKeyType } from './types.ts'

/** A write to `key/:name`: absent fields are not changed, or take Vault's defaults when the key is made. */
export interface KeyInput {
  type?: string
  deletionAllowed?: boolean
  minEnabledVersion?: number
  replicaRegions?: string[]
  /** In seconds; 0: never. */
  autoRotatePeriod?: number
  /** 0: any number. */
  maxEnabledVersions?: number
}

/** A key as it is read: nothing secret. Versions below `minEnabledVersion` are left out, as Vault does. */
export interface KeyView {
  name: string
  type: KeyType
  latestVersion: number
  minEnabledVersion: number
  deletionAllowed: boolean
  replicaRegions: string[] | null
  autoRotatePeriod: number
  nextRotationAt: number | null
  maxEnabledVersions: number
  versions: { version: number; createdAt: number; publicKey: string | null }[]
}

export interface Written {
  created: boolean
  warnings: string[]
}

export interface KeyServiceParts {
  context: Context
  store: { keys: KeyStore }
  keyring: Keyring
  generator: KeyGenerator
  operations: OperationWaiter
}

/** The keys of a mount: made here, sealed at once, and never given out. */
export class KeyService {
  readonly #parts: KeyServiceParts

  constructor(parts: KeyServiceParts) {
    this.#parts = parts
  }

  /**
   * Creates the key, or changes its settings when it is there (Vault's `POST key/:name`). Throws `invalid` for an unknown type, an
   * attempt to change `type` or `replica_regions`, or a `min_enabled_version` outside of 0 to the latest version.
   */
  async write(scope: Scope, name: string, input: KeyInput, waiting: Waiting): Promise<Written> {
    checkName('key', name)
    checkSchedule(input)
    const type = input.type === undefined ? undefined : parseKeyType(input.type)
    for (;;) {
      const key = await this.#parts.store.keys.find(scope.mountId, name)
      try {
        if (!key) return await this.#create(scope, name, type ?? 'rsa-2048', input)
        return { created: false, warnings: await this.#update(key, type, input, waiting) }
      } catch (error) {
        // Somebody made or deleted it meanwhile: then this write comes after that.
        const code = error instanceof KeyferryError ? error.code : undefined
        if (code !== (key ? 'not_found' : 'already_exists')) throw error
      }
    }
  }

  async read(scope: Scope, name: string): Promise<KeyView> {
    const key = await this.#find(scope, name)
    const versions = await this.#parts.store.keys.versions(key.id, Math.max(1, key.minEnabledVersion))
    return { ...key, versions }
  }

  /** Names in order; with `after` and `limit` a page of them. */
  async list(scope: Scope, page?: { after?: string; limit?: number }): Promise<string[]> {
    return await this.#parts.store.keys.names(scope.mountId, page)
  }

  /**
   * Deletes the key with all its versions. Deleting what is not there is no error. Throws `invalid` while it is in a KMS or
   * `deletion_allowed` is false.
   */
  async delete(scope: Scope, name: string): Promise<void> {
    const key = await this.#parts.store.keys.find(scope.mountId, name)
    if (!key) return
    await this.#parts.store.keys.remove(key.id, (now, copies) => {
      if (copies > 0) {
        throw invalid(
          `key "${name}" is still in ${copies} KMS provider${copies > 1 ? 's' : ''}: remove it there first (DELETE kms/:name/key/${name})`,
        )
      }
      if (!now.deletionAllowed)
        throw invalid(`deletion is not allowed for key "${name}": set deletion_allowed to true first`)
    })
  }

  /**
   * Adds a version with new material, here and then in every KMS that has the key. The version is made when this resolves; a KMS
   * that is behind or refuses is a warning, since sending the rotation again would make another version.
   */
  async rotate(scope: Scope, name: string, waiting: Waiting): Promise<{ version: number; warnings: string[] }> {
    const key = await this.#find(scope, name)
    const { version, touched } = await this.#addVersion(key)
    return { version, warnings: await this.#parts.operations.outcomes(key.namespaceId, touched, waiting) }
  }

  /** Rotates a key that is due at `due` and waits for no KMS. Throws `conflict` where another process did it. */
  async rotateDue(key: KeyRow, due: number): Promise<void> {
    const { touched } = await this.#addVersion(key, due)
    for (const { copyId } of touched) this.#parts.operations.kick(copyId)
  }

  async #addVersion(key: KeyRow, due?: number) {
    const { context, store } = this.#parts
    const schedule = {
      next: (now: KeyRow) => nextRotation(context, now.autoRotatePeriod),
      ...(due === undefined ? {} : { due }),
    }
    return await this.#withFreshKey(key.namespaceId, key.type, (make) =>
      store.keys.addVersion(key.id, (version) => make(key.id, version), context.now(), schedule),
    )
  }

  async #create(scope: Scope, name: string, type: KeyType, input: KeyInput): Promise<Written> {
    const { context, store } = this.#parts
    checkMinEnabled(input.minEnabledVersion, 1)
    if (input.replicaRegions?.length && type !== 'aes256-gcm96') {
      throw invalid(`replica_regions is only for keys of type aes256-gcm96, not ${type}`)
    }
    const key: KeyRow = {
      id: context.uuid(),
      namespaceId: scope.namespaceId,
      mountId: scope.mountId,
      name,
      type,
      latestVersion: 1,
      minEnabledVersion: 1,
      deletionAllowed: input.deletionAllowed ?? false,
      replicaRegions: input.replicaRegions?.length ? input.replicaRegions : null,
      createdAt: context.now(),
      autoRotatePeriod: input.autoRotatePeriod ?? 0,
      nextRotationAt: nextRotation(context, input.autoRotatePeriod ?? 0),
      maxEnabledVersions: input.maxEnabledVersions ?? 0,
    }
    await this.#withFreshKey(scope.namespaceId, type, (make) => store.keys.create(key, make(key.id, 1)))
    return { created: true, warnings: [] }
  }

  async #update(key: KeyRow, type: KeyType | undefined, input: KeyInput, waiting: Waiting): Promise<string[]> {
    const { context, store, operations } = this.#parts
    if (type !== undefined && type !== key.type) {
      throw invalid(`type cannot be changed: key "${key.name}" is of type ${key.type}`)
    }
    const regions = input.replicaRegions
    if (regions !== undefined && regions.join() !== (key.replicaRegions ?? []).join()) {
      throw invalid(`replica_regions can only be given when a key is created, and key "${key.name}" exists`)
    }
    const { deletionAllowed, minEnabledVersion, autoRotatePeriod, maxEnabledVersions } = input
    const settings = { deletionAllowed, minEnabledVersion, autoRotatePeriod, maxEnabledVersions }
    const wanted = Object.entries(settings).filter(([, value]) => value !== undefined)
    if (wanted.length === 0) return []
    const touched = await store.keys.update(
      key.id,
      (now) => {
        checkMinEnabled(minEnabledVersion, now.latestVersion)
        const another = autoRotatePeriod !== undefined && autoRotatePeriod !== now.autoRotatePeriod
        return {
          ...Object.fromEntries(wanted),
          // The same period once more leaves the time as it is, or whoever writes it often would never see a rotation.
          ...(another ? { nextRotationAt: nextRotation(context, autoRotatePeriod) } : {}),
        }
      },
      context.now(),
    )
    return await operations.outcomes(key.namespaceId, touched, waiting)
  }

  async #find(scope: Scope, name: string): Promise<KeyRow> {
    const key = await this.#parts.store.keys.find(scope.mountId, name)
    if (!key) throw new KeyferryError('not_found', `key "${checkName('key', name)}" not found`)
    return key
  }

  /** The one place where fresh plaintext is: generated, handed to be sealed (once per attempt), zeroed. */
  async #withFreshKey<T>(
    namespaceId: string,
    type: KeyType,
    work: (make: (keyId: string, version: number) => NewKeyVersion) => Promise<T>,
  ): Promise<T> {
    const { generator, keyring, context } = this.#parts
    const fresh = await generator.generate(type)
    try {
      return await sealedAgain(async () => {
        const sealer = await keyring.forNamespace(namespaceId)
        return await work((keyId, version) => sealVersion(sealer, fresh, keyId, version, context.now()))
      })
    } finally {
      fresh.material.fill(0)
    }
  }
}

function sealVersion(sealer: Sealer, fresh: GeneratedKey, keyId: string, version: number, now: number): NewKeyVersion {
  const box = sealer.seal({ objectId: keyId, version, kind: 'key-material' }, fresh.material)
  return { publicKey: fresh.publicKey, box, createdAt: now }
}

function checkMinEnabled(wanted: number | undefined, latest: number): void {
  if (wanted === undefined || (Number.isInteger(wanted) && wanted >= 0 && wanted <= latest)) return
  throw invalid(
    `min_enabled_version ${wanted} is not possible: allowed are 0 (all versions) to ${latest} (the latest version)`,
  )
}

/** The types that can be made, for help texts and schemas. */
export const creatableTypes: readonly KeyType[] = keyTypeNames
