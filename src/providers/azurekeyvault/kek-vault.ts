import type { KeyAttestation, KeyVaultKey } from '@azure/keyvault-keys'
import type { WrappingKey } from '../../core/kms/provider.ts'
import type { Deadline, VaultClient } from './client.ts'
import { type NamedKek, parseKeyId } from './credentials.ts'
import { VaultError } from './errors.ts'
import { inspectKek, type SoundKek } from './kek-inspection.ts'

export interface KekVaultOptions {
  client: VaultClient
  kekType: 'RSA-HSM' | 'RSA'
  now: () => number
}

/** What is done with key encryption keys in a vault. It neither records nor decides anything: that is the keeper's (kek.ts). */
export class KekVault {
  readonly #options: KekVaultOptions
  readonly collection: string

  constructor(options: KekVaultOptions) {
    this.#options = options
    this.collection = options.client.target.collection
  }

  /** Makes one under a name that nobody could foresee. A lost answer is looked for once, by the name. Throws `CloudError`. */
  async create(name: string, time: Deadline): Promise<KeyVaultKey> {
    const { client, kekType } = this.#options
    const operation = { action: 'create', what: 'make a key encryption key for BYOK', hsm: true } as const
    try {
      return await client.call(operation, time, (keys, options) =>
        keys.createRsaKey(name, { ...options, hsm: kekType === 'RSA-HSM', keySize: 4096, keyOps: ['import'] }),
      )
    } catch (error) {
      if (!(error instanceof VaultError) || error.effect !== 'unknown' || time.signal.aborted) throw error
      const found = await this.read(name, undefined, time)
      if (!found) throw error
      return found
    }
  }

  /** Undefined when it is not there. */
  async read(name: string, version: string | undefined, time: Deadline): Promise<KeyVaultKey | undefined> {
    const operation = { action: 'get', what: 'read the key encryption key for BYOK' } as const
    try {
      return await this.#options.client.read(operation, time, (keys, options) =>
        keys.getKey(name, { ...options, ...(version !== undefined && { version }) }),
      )
    } catch (error) {
      if (error instanceof VaultError && error.status === 404) return undefined
      throw error
    }
  }

  /** Its identity when it is as it must be, or the end of a sentence about it. */
  inspect(key: KeyVaultKey | undefined): SoundKek | string {
    const { kekType, now } = this.#options
    return inspectKek(key, { collection: this.collection, kekType, now: now() })
  }

  /** Reads one that a KMS names. */
  async lookAtNamed(named: NamedKek, time: Deadline): Promise<SoundKek | string> {
    const seen = this.inspect(await this.read(named.name, named.version, time))
    if (typeof seen === 'string' || seen.fingerprint === named.fingerprint) return seen
    return `has another fingerprint than kek_fingerprint says: its fingerprint is ${seen.fingerprint}`
  }

  /** Reads one that was pinned; it must be as it was then. */
  async lookAtPinned(row: WrappingKey, time: Deadline): Promise<SoundKek | string> {
    const id = parseKeyId(row.keyId ?? '', this.collection)
    if (!id) return 'was recorded with an id that is not of this vault'
    let found: KeyVaultKey | undefined
    try {
      found = await this.read(id.name, id.version, time)
    } catch (error) {
      if (error instanceof VaultError && error.serviceCode?.includes('KeyDisabled')) return 'is disabled'
      throw error
    }
    const seen = this.inspect(found)
    if (typeof seen === 'string') return seen
    if (seen.keyId.toLowerCase() !== row.keyId?.toLowerCase()) return 'has another version than the one that was pinned'
    if (seen.fingerprint !== row.fingerprint) return 'has other key material than the one that was pinned'
    return seen
  }

  /** Disables a version; one that is gone is as good as disabled. */
  async disable(keyId: string, time: Deadline): Promise<void> {
    const id = parseKeyId(keyId, this.collection)
    if (!id) return
    const operation = { action: 'update', what: 'disable the former key encryption key' } as const
    try {
      await this.#options.client.call(operation, time, (keys, options) =>
        keys.updateKeyProperties(id.name, id.version, { ...options, enabled: false }),
      )
    } catch (error) {
      if (!(error instanceof VaultError) || error.status !== 404) throw error
    }
  }

  /** The HSM's attestation of a key; undefined where there is none to be had: vaults give none, Managed HSMs do. */
  async attestation(keyId: string, time: Deadline): Promise<KeyAttestation | undefined> {
    const id = parseKeyId(keyId, this.collection)
    if (!id || this.#options.client.target.kind !== 'managedhsm') return undefined
    const operation = { action: 'get', what: 'read the attestation of the key encryption key' } as const
    try {
      const key = await this.#options.client.read(operation, time, (keys, options) =>
        keys.getKeyAttestation(id.name, { ...options, version: id.version }),
      )
      return key.properties.attestation
    } catch (error) {
      // Older api-versions do not know it.
      if (error instanceof VaultError && [400, 404, 405].includes(error.status ?? 0)) return undefined
      throw error
    }
  }
}
