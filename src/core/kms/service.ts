import type { Context, Scope } from '../context.ts'
import { invalid, KeyferryError } from '../errors.ts'
import { checkName } from '../names.ts'
import type { KmsRow, KmsStore } from '../store.ts'
import type { Connections } from './connections.ts'
import { type Diagnosis, diagnose, rotateWrappingKey } from './diagnose.ts'
import type { KmsSettings, Shown, WrappingKeyRotation } from './provider.ts'
import type { ProviderRegistry } from './registry.ts'

/** A write to `kms/:name`: all needed when it is made, any part when it is changed. `credentials` are replaced whole. */
export interface KmsInput {
  provider?: string
  keyCollection?: string
  credentials?: Record<string, string>
}

/** A KMS as it is read: never a credential. */
export interface KmsView {
  name: string
  provider: string
  keyCollection: string
  shown: Shown
}

export interface KmsServiceParts {
  context: Context
  store: { kms: KmsStore }
  registry: ProviderRegistry
  connections: Connections
}

/** The KMSs of a mount: where keys can be distributed to, and with which credentials. */
export class KmsService {
  readonly #parts: KmsServiceParts

  constructor(parts: KmsServiceParts) {
    this.#parts = parts
  }

  /**
   * Creates the KMS, or changes its credentials when it is there (Vault's `POST kms/:name`); the cloud is not asked. Throws `invalid`
   * for an unknown provider, settings that the provider does not accept, or an attempt to change provider or key_collection.
   */
  async write(scope: Scope, name: string, input: KmsInput): Promise<{ created: boolean; warnings: string[] }> {
    checkName('KMS', name)
    for (;;) {
      const kms = await this.#parts.store.kms.find(scope.mountId, name)
      try {
        if (!kms) return await this.#create(scope, name, input)
        return await this.#update(scope, kms, input)
      } catch (error) {
        // Somebody made or deleted it meanwhile: then this write comes after that.
        const code = error instanceof KeyferryError ? error.code : undefined
        if (code !== (kms ? 'not_found' : 'already_exists')) throw error
      }
    }
  }

  async read(scope: Scope, name: string): Promise<KmsView> {
    const kms = await this.#find(scope, name)
    return {
      name: kms.name,
      provider: kms.provider,
      keyCollection: kms.keyCollection,
      shown: await this.#parts.connections.shown(kms),
    }
  }

  /** A preflight with the KMS's present credentials; nothing is changed in the cloud. Throws `invalid` where the provider has none. */
  async diagnose(scope: Scope, name: string): Promise<Diagnosis> {
    const kms = await this.#find(scope, name)
    return await diagnose(await this.#parts.connections.ofKms(kms), kms.provider)
  }

  /**
   * Replaces the key encryption key that this KMS uses, for every KMS on its vault. Throws `refused` with the cloud's reason, and
   * `invalid` where the provider has no such key.
   */
  async rotateWrappingKey(scope: Scope, name: string): Promise<WrappingKeyRotation> {
    const { connections, context } = this.#parts
    const kms = await this.#find(scope, name)
    const rotation = await rotateWrappingKey(await connections.ofKms(kms), kms.provider)
    const { keyId, formerKeyId } = rotation
    context.log('info', 'a key encryption key was replaced on request', { kms: kms.id, keyId, formerKeyId })
    return rotation
  }

  async list(scope: Scope, page?: { after?: string; limit?: number }): Promise<string[]> {
    return await this.#parts.store.kms.names(scope.mountId, page)
  }

  /** Deletes the KMS here; nothing in the cloud changes. What is not there is no error. Throws `invalid` while keys are in it. */
  async delete(scope: Scope, name: string): Promise<void> {
    const kms = await this.#parts.store.kms.find(scope.mountId, name)
    if (!kms) return
    await this.#parts.store.kms.remove(kms.id, (copies) => {
      if (copies === 0) return
      throw invalid(
        `KMS "${name}" still has ${copies} key${copies > 1 ? 's' : ''}: remove them first (DELETE kms/${name}/key/:key)`,
      )
    })
    this.#parts.connections.forget(kms.id)
  }

  async #create(scope: Scope, name: string, input: KmsInput): Promise<{ created: boolean; warnings: string[] }> {
    const { context, registry, store, connections } = this.#parts
    if (input.provider === undefined) throw invalid(`missing provider: allowed is ${registry.names().join(', ')}`)
    const provider = registry.get(input.provider)
    if (input.keyCollection === undefined)
      throw invalid('missing key_collection: it names where the provider keeps the keys')
    const settings: KmsSettings = { keyCollection: input.keyCollection, credentials: input.credentials ?? {} }
    const parsed = provider.parse(settings, scope)
    const id = context.uuid()
    await store.kms.create({
      id,
      namespaceId: scope.namespaceId,
      mountId: scope.mountId,
      name,
      provider: provider.name,
      keyCollection: settings.keyCollection,
      settingsBox: await connections.sealSettings(scope.namespaceId, id, provider.name, settings),
      credentialsGeneration: 1,
      createdAt: context.now(),
    })
    return { created: true, warnings: parsed.warnings }
  }

  async #update(scope: Scope, kms: KmsRow, input: KmsInput): Promise<{ created: boolean; warnings: string[] }> {
    const { registry, store, connections } = this.#parts
    if (input.provider !== undefined && input.provider !== kms.provider) {
      throw invalid(`provider cannot be changed: KMS "${kms.name}" is of provider ${kms.provider}`)
    }
    if (input.keyCollection !== undefined && input.keyCollection !== kms.keyCollection) {
      throw invalid(`key_collection cannot be changed: KMS "${kms.name}" has ${kms.keyCollection}`)
    }
    if (input.credentials === undefined) return { created: false, warnings: [] }
    // The new credentials go where the old ones went, whatever the row says.
    await connections.check(kms)
    const settings: KmsSettings = { keyCollection: kms.keyCollection, credentials: input.credentials }
    const parsed = registry.get(kms.provider).parse(settings, scope)
    await store.kms.replaceSettings(
      kms.id,
      await connections.sealSettings(scope.namespaceId, kms.id, kms.provider, settings),
    )
    connections.forget(kms.id)
    return { created: false, warnings: parsed.warnings }
  }

  async #find(scope: Scope, name: string): Promise<KmsRow> {
    const kms = await this.#parts.store.kms.find(scope.mountId, name)
    if (!kms) throw new KeyferryError('not_found', `KMS "${checkName('KMS', name)}" not found`)
    return kms
  }
}
