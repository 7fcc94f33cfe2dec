import type { CalledPlace } from '../audit/cloud.ts'
import type { AuditService } from '../audit/service.ts'
import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import type { Keyring } from '../seal/keyring.ts'
import type { CopyStore, KmsRow, NamespaceStore, WrappingKeyStore } from '../store.ts'
import type { Observer } from '../telemetry.ts'
import { observed } from './observed.ts'
import type {
  Connection,
  KmsHistory,
  KmsOwner,
  KmsSettings,
  ParsedSettings,
  Shown,
  WrappingKeyRegister,
} from './provider.ts'
import { recordedRegister } from './recorded-register.ts'
import type { ProviderRegistry } from './registry.ts'

/** How many connections are kept open: one a KMS and credential generation. */
const kept = 256

export interface ConnectionsParts {
  context: Context
  store: { wrappingKeys: WrappingKeyStore; namespaces: NamespaceStore; copies: Pick<CopyStore, 'anyDelivered'> }
  keyring: Keyring
  registry: ProviderRegistry
  audit: AuditService
  observer: Observer
}

interface Sealed {
  /** Id of the row that holds the box: the KMS, or the copy whose removal outlived its request. */
  holderId: string
  namespaceId: string
  box: Buffer
  /** What the row of a KMS says in the clear: the box says the same, or somebody changed the row. */
  row?: KmsRow
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
    const { provider, settings } = await this.#openSettings(sealedIn(kms))
    return await this.sealSettings(kms.namespaceId, holderId, provider, settings)
  }

  /** The connection of a KMS, with its present credentials. Throws `invalid` when the settings are no longer accepted. */
  async ofKms(kms: KmsRow): Promise<Connection> {
    return await this.#cached(kms.id, kms.credentialsGeneration, sealedIn(kms))
  }

  /** The connection of a removal that has settings of its own. */
  async ofSettings(copyId: string, namespaceId: string, box: Buffer): Promise<Connection> {
    return await this.#cached(copyId, 0, { holderId: copyId, namespaceId, box })
  }

  /** What `parse` says of a KMS's settings now. */
  async parsed(kms: KmsRow): Promise<ParsedSettings & { settings: KmsSettings }> {
    const { provider, settings } = await this.#openSettings(sealedIn(kms))
    const owner = await this.#owner(kms.namespaceId)
    return { ...this.#parts.registry.get(provider).parse(settings, owner), settings }
  }

  /** Throws `corrupt` when the row of a KMS does not say what is sealed in it. */
  async check(kms: KmsRow): Promise<void> {
    await this.#openSettings(sealedIn(kms))
  }

  /**
   * What a KMS shows of its key encryption key: the one that it names itself, or else the one that is recorded for the vault, once it
   * has delivered a key. Before that, whoever writes a vault's name would learn whether someone else uses it.
   */
  async shown(kms: KmsRow): Promise<Shown> {
    const { registry, store } = this.#parts
    const { collection, settings } = await this.parsed(kms)
    const own = registry.get(kms.provider).shown?.(settings, await this.#owner(kms.namespaceId)) ?? {}
    if (Object.keys(own).length > 0 || !(await store.copies.anyDelivered(kms.id))) return own
    const key = store.wrappingKeys.current(collection)
    if (key?.keyId == null || key.fingerprint == null) return {}
    return {
      kek_id: key.keyId,
      kek_fingerprint: key.fingerprint,
      ...(key.attestation ? { kek_attestation: key.attestation } : {}),
    }
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
    const owner = await this.#owner(sealed.namespaceId)
    const place: CalledPlace = {
      provider,
      namespace: { id: owner.namespaceId, path: owner.namespacePath },
      kms: sealed.row && { id: sealed.row.id, name: sealed.row.name },
    }
    const register = recordedRegister(this.#register(), place, this.#parts)
    const connection = await this.#parts.registry.get(provider).open(settings, owner, register, this.#history(sealed))
    return observed(connection, place, this.#parts)
  }

  /** A removal that has settings of its own is of a key that was once sent. */
  #history({ row }: Sealed): KmsHistory {
    return { everDelivered: async () => row === undefined || (await this.#parts.store.copies.anyDelivered(row.id)) }
  }

  async #openSettings(sealed: Sealed): Promise<{ provider: string; settings: KmsSettings }> {
    const sealer = await this.#parts.keyring.forNamespace(sealed.namespaceId)
    const plaintext = sealer.open({ objectId: sealed.holderId, version: 0, kind: 'kms-settings' }, sealed.box)
    try {
      const { provider, ...settings } = JSON.parse(plaintext.toString()) as KmsSettings & { provider: string }
      const { row } = sealed
      if (row && (row.provider !== provider || row.keyCollection !== settings.keyCollection))
        throw new KeyferryError(
          'corrupt',
          `the row of KMS "${row.name}" was changed: it does not say what is sealed in it`,
        )
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
      attest: (id, attestation) => store.wrappingKeys.attest(id, attestation),
    }
  }
}

function sealedIn(kms: KmsRow): Sealed {
  return { holderId: kms.id, namespaceId: kms.namespaceId, box: kms.settingsBox, row: kms }
}
