import type { KeyObject } from 'node:crypto'
import type { KeyVaultKey } from '@azure/keyvault-keys'
import { CloudError, type WrappingKey, type WrappingKeyRegister } from '../../core/kms/provider.ts'
import { kekPrefix } from './attributes.ts'
import type { Deadline, VaultClient } from './client.ts'
import { type NamedKek, parseKeyId } from './credentials.ts'
import { VaultError } from './errors.ts'
import { fingerprintOf, publicKeyOf } from './jwk.ts'
import type { KeyedLock } from './keyed-lock.ts'

/** A key encryption key that was seen in the vault and found sound. */
export interface Kek {
  /** Full id with version, as the service writes it. */
  keyId: string
  publicKey: KeyObject
  /** The register's row, or null for one that the KMS names. */
  row: string | null
}

export interface KekOptions {
  client: VaultClient
  register: WrappingKeyRegister
  kekType: 'RSA-HSM' | 'RSA'
  named: NamedKek | undefined
  /** Shared by all connections of the process: a vault's key is made by one at a time. */
  lock: KeyedLock
  random: (bytes: number) => Buffer
  now: () => number
}

/**
 * The key encryption key of one vault. Whoever holds it gets every key that is wrapped under it, so that none is trusted because of
 * its name: it is one that we made ourselves under a fresh random name, recorded before it was made, or one that the KMS names with
 * id and fingerprint. Its version and fingerprint are pinned; one that is gone, disabled or changed is replaced only by a new one.
 */
export class KekKeeper {
  readonly #options: KekOptions
  readonly #collection: string
  #verified: Kek | undefined

  constructor(options: KekOptions) {
    this.#options = options
    this.#collection = options.client.target.collection
  }

  /** The key to wrap under: verified once by this connection, made when there is none. Throws `CloudError` without effect. */
  async get(time: Deadline): Promise<Kek> {
    if (this.#options.named) {
      this.#verified ??= await this.#verifyNamed(this.#options.named, time)
      return this.#verified
    }
    const row = this.#options.register.current(this.#collection)
    if (this.#verified && row?.state === 'pinned' && row.id === this.#verified.row) return this.#verified
    return await this.#options.lock.run(this.#collection, () => withoutEffect(() => this.#secure(time)))
  }

  /**
   * After an import was refused: looks at the key again. Gives undefined when it is as it was, so that the refusal had another
   * reason; else the one that took its place.
   */
  async replacementFor(kek: Kek, time: Deadline): Promise<Kek | undefined> {
    this.#verified = undefined
    const next = await this.get(time)
    return next.keyId === kek.keyId ? undefined : next
  }

  async #verifyNamed(named: NamedKek, time: Deadline): Promise<Kek> {
    const found = await this.#read(named.name, named.version, time)
    const seen = this.#inspect(found)
    if (typeof seen === 'string')
      throw new CloudError('refused', `the key encryption key that kek_id names cannot be used: it ${seen}`)
    if (seen.fingerprint !== named.fingerprint) {
      throw new CloudError(
        'refused',
        `the key encryption key that kek_id names cannot be used: its fingerprint is ${seen.fingerprint}`,
      )
    }
    return { keyId: seen.keyId, publicKey: seen.publicKey, row: null }
  }

  async #secure(time: Deadline): Promise<Kek> {
    const { register, random } = this.#options
    let row = register.current(this.#collection)
    if (row?.state === 'pinned') {
      const kek = await this.#verifyPinned(row, time)
      if (typeof kek !== 'string') return this.#keep(kek)
      await register.retire(row.id, kek)
      row = undefined
    }
    const name = `${kekPrefix}${random(16).toString('hex')}`
    row ??= await register.plan(this.#collection, name)
    const kek =
      row.state === 'planned' ? await this.#make(row, row.name === name, time) : await this.#verifyPinned(row, time)
    if (typeof kek === 'string') {
      throw new CloudError(
        'unavailable',
        `the key encryption key ${row.name} ${kek}, although it was only just recorded`,
      )
    }
    return this.#keep(kek)
  }

  #keep(kek: Kek): Kek {
    this.#verified = kek
    return kek
  }

  /**
   * Sees to it that a planned key exists, and pins it. `fresh`: planned just now, so that it cannot be there yet. Another process
   * may have pinned its version of it first: then that one counts.
   */
  async #make(row: WrappingKey, fresh: boolean, time: Deadline): Promise<Kek | string> {
    const { register } = this.#options
    let found = fresh ? undefined : await this.#read(row.name, undefined, time)
    found ??= await this.#create(row, time)
    const seen = this.#inspect(found)
    if (typeof seen === 'string') {
      await register.retire(row.id, seen)
      throw new CloudError('refused', `the key encryption key ${row.name} that was made in the vault ${seen}`)
    }
    const pinned = await register.pin(row.id, seen.keyId, seen.fingerprint)
    if (pinned.keyId !== seen.keyId) return await this.#verifyPinned(pinned, time)
    return { keyId: seen.keyId, publicKey: seen.publicKey, row: pinned.id }
  }

  async #create(row: WrappingKey, time: Deadline): Promise<KeyVaultKey | undefined> {
    const { client, kekType, register } = this.#options
    const operation = { action: 'create', what: 'make a key encryption key for BYOK', hsm: true } as const
    try {
      return await client.call(operation, time, (keys, options) =>
        keys.createRsaKey(row.name, { ...options, hsm: kekType === 'RSA-HSM', keySize: 4096, keyOps: ['import'] }),
      )
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
      if (error.kind === 'name_taken') {
        // Not the name of the key that is imported: to the core this is a matter of trying again.
        const reason = 'was deleted before it was ever used'
        await register.retire(row.id, reason)
        throw new CloudError(
          'unavailable',
          `the key encryption key ${row.name} ${reason}: the next attempt makes another`,
        )
      }
      if (error.effect !== 'unknown' || time.signal.aborted) throw error
      const found = await this.#read(row.name, undefined, time)
      if (!found) throw error
      return found
    }
  }

  /** Gives the pinned key when it is as it was pinned, else what is wrong with it. */
  async #verifyPinned(row: WrappingKey, time: Deadline): Promise<Kek | string> {
    const id = parseKeyId(row.keyId ?? '', this.#collection)
    if (!id) return 'was recorded with an id that is not of this vault'
    let found: KeyVaultKey | undefined
    try {
      found = await this.#read(id.name, id.version, time)
    } catch (error) {
      if (error instanceof VaultError && error.serviceCode?.includes('KeyDisabled')) return 'is disabled'
      throw error
    }
    const seen = this.#inspect(found)
    if (typeof seen === 'string') return seen
    if (seen.keyId.toLowerCase() !== row.keyId?.toLowerCase()) return 'has another version than the one that was pinned'
    if (seen.fingerprint !== row.fingerprint) return 'has other key material than the one that was pinned'
    return { keyId: seen.keyId, publicKey: seen.publicKey, row: row.id }
  }

  async #read(name: string, version: string | undefined, time: Deadline): Promise<KeyVaultKey | undefined> {
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

  /** What the BYOK specification and we ask of a key encryption key; gives its identity, or the end of a sentence about it. */
  #inspect(key: KeyVaultKey | undefined): { keyId: string; publicKey: KeyObject; fingerprint: string } | string {
    if (!key) return 'is not there any more'
    const keyId = key.key?.kid ?? ''
    const { enabled, exportable, releasePolicy, notBefore, expiresOn } = key.properties
    const now = this.#options.now()
    if (!parseKeyId(keyId, this.#collection)) return 'is said to be in another vault'
    if (enabled === false) return 'is disabled'
    if (key.keyType !== this.#options.kekType) return `is of type ${key.keyType}, not ${this.#options.kekType}`
    if (key.keyOperations?.length !== 1 || key.keyOperations[0] !== 'import')
      return 'has other operations than import alone'
    if (exportable) return 'is exportable'
    if (releasePolicy) return 'has a release policy'
    if ((notBefore && notBefore.getTime() > now) || (expiresOn && expiresOn.getTime() <= now))
      return 'is not valid at this time'
    const publicKey = publicKeyOf(key.key)
    if ((publicKey?.asymmetricKeyDetails?.modulusLength ?? 0) < 2048 || !publicKey)
      return 'is not an RSA key of 2048 bits or more'
    return { keyId, publicKey, fingerprint: fingerprintOf(publicKey) }
  }
}

/** While the key encryption key is made or read, the import itself has not been sent: nothing is unknown about it. */
async function withoutEffect<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof CloudError) || error.effect === 'none') throw error
    throw new CloudError(error.kind, error.message, {
      ...(error.serviceCode !== undefined && { serviceCode: error.serviceCode }),
      ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    })
  }
}
