import type { KeyObject } from 'node:crypto'
import { CloudError, type WrappingKey, type WrappingKeyRegister } from '../../core/kms/provider.ts'
import { attestationText } from './attestation.ts'
import { kekPrefix } from './attributes.ts'
import type { Deadline } from './client.ts'
import type { NamedKek } from './credentials.ts'
import type { SoundKek } from './kek-inspection.ts'
import type { KekVault } from './kek-vault.ts'
import type { KeyedLock } from './keyed-lock.ts'

/** A key encryption key that was seen in the vault and found sound. */
export interface Kek {
  /** Full id with version, as the service writes it. */
  keyId: string
  publicKey: KeyObject
  fingerprint: string
  /** The register's row, or null for one that the KMS names. */
  row: string | null
}

export interface KekOptions {
  vault: KekVault
  register: WrappingKeyRegister
  named: NamedKek | undefined
  /** Shared by all connections of the process: a vault's key is made by one at a time. */
  lock: KeyedLock
  random: (bytes: number) => Buffer
}

/** What is known of the key, without one being made or replaced. `named`: by the KMS itself. */
export type KekLook =
  | { state: 'none' }
  | { state: 'sound'; keyId: string; named: boolean }
  | { state: 'unsound'; why: string; named: boolean }

/** A name that nobody can foresee, and so nobody can have put theirs under. */
export function freshKekName(random: (bytes: number) => Buffer): string {
  return `${kekPrefix}${random(16).toString('hex')}`
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
    this.#collection = options.vault.collection
  }

  /** The key to wrap under: verified once by this connection, made when there is none. Throws `CloudError` without effect. */
  async get(time: Deadline): Promise<Kek> {
    if (this.#options.named) {
      this.#verified ??= await this.#verifyNamed(this.#options.named, time)
      return this.#verified
    }
    const row = this.#options.register.current(this.#collection)
    if (this.#verified && row?.state === 'pinned' && row.id === this.#verified.row) return this.#verified
    return await this.#options.lock.run(this.#collection, () => this.secure(time))
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

  /** Looks at the key, and changes nothing. Throws `VaultError` where it cannot be read. */
  async look(time: Deadline): Promise<KekLook> {
    const { vault, named, register } = this.#options
    const row = register.current(this.#collection)
    if (!named && row?.state !== 'pinned') return { state: 'none' }
    const seen = named ? await vault.lookAtNamed(named, time) : row ? await vault.lookAtPinned(row, time) : 'is gone'
    if (typeof seen === 'string') return { state: 'unsound', why: seen, named: named !== undefined }
    return { state: 'sound', keyId: seen.keyId, named: named !== undefined }
  }

  /** The recorded key, verified; made anew when there is none or it is not as it was. To be called under the lock. */
  async secure(time: Deadline): Promise<Kek> {
    this.#verified = await withoutEffect(() => this.#secure(time))
    return this.#verified
  }

  async #verifyNamed(named: NamedKek, time: Deadline): Promise<Kek> {
    const seen = await this.#options.vault.lookAtNamed(named, time)
    if (typeof seen === 'string')
      throw new CloudError('refused', `the key encryption key that kek_id names cannot be used: it ${seen}`)
    return { ...seen, row: null }
  }

  async #secure(time: Deadline): Promise<Kek> {
    const { vault, register, random } = this.#options
    let row = register.current(this.#collection)
    if (row?.state === 'pinned') {
      const seen = await vault.lookAtPinned(row, time)
      if (typeof seen !== 'string') return { ...seen, row: row.id }
      await register.retire(row.id, seen)
      row = undefined
    }
    const name = freshKekName(random)
    row ??= await register.plan(this.#collection, name)
    const seen =
      row.state === 'planned' ? await this.#make(row, row.name === name, time) : await vault.lookAtPinned(row, time)
    if (typeof seen !== 'string') return { ...seen, row: row.id }
    throw new CloudError(
      'unavailable',
      `the key encryption key ${row.name} ${seen}, although it was only just recorded`,
    )
  }

  /**
   * Sees to it that a planned key exists, and pins it. `fresh`: planned just now, so that it cannot be there yet. Another process
   * may have pinned its version of it first: then that one counts.
   */
  async #make(row: WrappingKey, fresh: boolean, time: Deadline): Promise<SoundKek | string> {
    const { vault, register } = this.#options
    const found = fresh ? undefined : await vault.read(row.name, undefined, time)
    const seen = vault.inspect(found ?? (await this.#create(row, time)))
    if (typeof seen === 'string') {
      await register.retire(row.id, seen)
      throw new CloudError('refused', `the key encryption key ${row.name} that was made in the vault ${seen}`)
    }
    const pinned = await register.pin(row.id, seen.keyId, seen.fingerprint)
    if (pinned.keyId !== seen.keyId) return await vault.lookAtPinned(pinned, time)
    await this.#keepAttestation(row.id, seen.keyId, time)
    return seen
  }

  /** What the HSM states about a key just made. Where it cannot be read, imports go on: the preflight says so. */
  async #keepAttestation(id: string, keyId: string, time: Deadline): Promise<void> {
    const { vault, register } = this.#options
    try {
      const attestation = await vault.attestation(keyId, time)
      if (attestation) await register.attest?.(id, attestationText(attestation))
    } catch (error) {
      if (!(error instanceof CloudError)) throw error
    }
  }

  async #create(row: WrappingKey, time: Deadline) {
    const { vault, register } = this.#options
    try {
      return await vault.create(row.name, time)
    } catch (error) {
      if (!(error instanceof CloudError) || error.kind !== 'name_taken') throw error
      // Not the name of the key that is imported: to the core this is a matter of trying again.
      const reason = 'was deleted before it was ever used'
      await register.retire(row.id, reason)
      throw new CloudError(
        'unavailable',
        `the key encryption key ${row.name} ${reason}: the next attempt makes another`,
      )
    }
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
      status: error.status,
      ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    })
  }
}
