import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import type { Keyring } from '../seal/keyring.ts'
import type { CopyStore, KmsRow, NamespaceStore, WrappingKeyStore } from '../store.ts'
import type { Connection, KmsOwner, KmsSettings, ParsedSettings, Shown, WrappingKeyRegister } from './provider.ts'
import type { ProviderRegistry } from './registry.ts'

/** How many connections are kept open: one a KMS and credential generation. */
const kept = 256

export interface ConnectionsParts {
  context: Context
  store: { wrappingKeys: WrappingKeyStore; namespaces: NamespaceStore; copies: Pick<CopyStore, 'anyDelivered'> }
  keyring: Keyring
  registry: ProviderRegistry
}

interface Sealed {
  /** Id of the row that holds the box: the KMS, or the copy whose removal outlived its request. */
  holderId: string
  namespaceId: string
  box: Buffer
}

/** Opens settings that are sealed in the database, and keeps the connections made with them: per KMS, never per vault. */
export class Connections {
  readonly #parts: ConnectionsParts
  readonly #open = new Map<string, { generation: number; connection: Promise<Connection> }>()

  constructor(parts: ConnectionsParts) {
    this.#parts = parts
  }

  /** Seals provider, key_collection and credentials as one box, bound to the row that will hold it. */
  async sealSettings(namespaceId: string, holderId: string, provider: string, settings: KmsSettings): Promise<Buffer> {
    const sealer = await this.#parts.keyring.forNamespace(namespaceId)
    const plaintext = Buffer.from(JSON.stringify({ provider, ...settings }))
    try {
      return sealer.seal({ objectId: holderId, version: 0, kind: 'kms-settings' }, plaintext)
    } finally {
      plaintext.fill(0)
    }
  }

  /** Seals the settings of a KMS once more, for a copy that goes on without it. */
  async resealSettings(kms: KmsRow, holderId: string): Promise<Buffer> {
    const { provider, settings } = await this.#openSettings({
      holderId: kms.id,
      namespaceId: kms.namespaceId,
      box: kms.settingsBox,
    })
    return await this.sealSettings(kms.namespaceId, holderId, provider, settings)
  }

  /** The connection of a KMS, with its present credentials. Throws `invalid` when the settings are no longer accepted. */
  async ofKms(kms: KmsRow): Promise<Connection> {
    const sealed = { holderId: kms.id, namespaceId: kms.namespaceId, box: kms.settingsBox }
    return await this.#cached(kms.id, kms.credentialsGeneration, sealed)
  }

  /** The connection of a removal that has settings of its own. */
  async ofSettings(copyId: string, namespaceId: string, box: Buffer): Promise<Connection> {
    return await this.#cached(copyId, 0, { holderId: copyId, namespaceId, box })
  }

  /** What `parse` says of a KMS's settings now. */
  async parsed(kms: KmsRow): Promise<ParsedSettings & { settings: KmsSettings }> {
    const { provider, settings } = await this.#openSettings({
      holderId: kms.id,
      namespaceId: kms.namespaceId,
      box: kms.settingsBox,
    })
    const owner = await this.#owner(kms.namespaceId)
    return { ...this.#parts.registry.get(provider).parse(settings, owner), settings }
  }

  /**
   * What a KMS shows of its key encryption key, once it has delivered a key under it: before that, whoever writes a vault's name would
   * learn whether someone else uses it.
   */
  async shown(kms: KmsRow): Promise<Shown> {
    if (!(await this.#parts.store.copies.anyDelivered(kms.id))) return {}
    const key = this.#parts.store.wrappingKeys.current((await this.parsed(kms)).collection)
    if (key?.keyId == null || key.fingerprint == null) return {}
    return { kek_id: key.keyId, kek_fingerprint: key.fingerprint }
  }

  /** Closes what is open with old credentials, or of a KMS that is gone. */
  forget(holderId: string): void {
    const entry = this.#open.get(holderId)
    this.#open.delete(holderId)
    entry?.connection.then((connection) => connection.close?.()).catch(() => {})
  }

  close(): void {
    for (const id of [...this.#open.keys()]) this.forget(id)
  }

  async #cached(id: string, generation: number, sealed: Sealed): Promise<Connection> {
    const entry = this.#open.get(id)
    if (entry?.generation === generation) return await entry.connection
    if (entry) this.forget(id)
    const oldest = this.#open.size >= kept ? this.#open.keys().next().value : undefined
    if (oldest !== undefined) this.forget(oldest)
    const connection = this.#connect(sealed)
    this.#open.set(id, { generation, connection })
    connection.catch(() => this.#open.delete(id))
    return await connection
  }

  async #connect(sealed: Sealed): Promise<Connection> {
    const { provider, settings } = await this.#openSettings(sealed)
    return await this.#parts.registry
      .get(provider)
      .open(settings, await this.#owner(sealed.namespaceId), this.#register())
  }

  async #openSettings(sealed: Sealed): Promise<{ provider: string; settings: KmsSettings }> {
    const sealer = await this.#parts.keyring.forNamespace(sealed.namespaceId)
    const plaintext = sealer.open({ objectId: sealed.holderId, version: 0, kind: 'kms-settings' }, sealed.box)
    try {
      const { provider, ...settings } = JSON.parse(plaintext.toString()) as KmsSettings & { provider: string }
      return { provider, settings }
    } finally {
      plaintext.fill(0)
    }
  }

  async #owner(namespaceId: string): Promise<KmsOwner> {
    const namespace = await this.#parts.store.namespaces.byId(namespaceId)
    if (!namespace) throw new KeyferryError('not_found', 'the namespace is gone')
    return { namespaceId, namespacePath: namespace.path }
  }

  #register(): WrappingKeyRegister {
    const { context, store } = this.#parts
    return {
      current: (collection) => store.wrappingKeys.current(collection),
      plan: (collection, name) =>
        store.wrappingKeys.plan({ id: context.uuid(), collection, name, createdAt: context.now() }),
      pin: (id, keyId, fingerprint) => store.wrappingKeys.pin(id, keyId, fingerprint),
      retire: (id, reason) => store.wrappingKeys.retire(id, reason),
    }
  }
}
