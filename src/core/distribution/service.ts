import type { Context, Scope, Waiting } from '../context.ts'
import { invalid, KeyferryError } from '../errors.ts'
import type { Connections } from '../kms/connections.ts'
import { checkPurposes } from '../kms/matrix.ts'
import type { ProviderRegistry } from '../kms/registry.ts'
import { checkName } from '../names.ts'
import type {
  CopyOptions,
  CopyRow,
  CopyStore,
  DriftEntry,
  KeyRow,
  KeyStore,
  KmsRow,
  KmsStore,
  OperationRow,
  Repair,
} from '../store.ts'
import { checkSame, type DistributeInput } from './distribute-input.ts'
import { type OperationWaiter, warningOf } from './operations.ts'

/** A copy as it is read: stored knowledge, the cloud is not asked. */
export interface CopyView {
  remoteName: string
  protection: string
  purposes: string[]
  distributedAt: number
  /** version -> the provider's id of it, for all that were seen there. */
  versions: Record<string, string>
  state: CopyRow['state']
  reason: string | null
  options: CopyOptions
  repair: Repair
  /** What was found there that should be otherwise, and when it was looked for (null: not yet). */
  drift: DriftEntry[]
  lookedAt: number | null
}

export interface DistributionParts {
  context: Context
  store: { keys: KeyStore; kms: KmsStore; copies: CopyStore }
  registry: ProviderRegistry
  connections: Connections
  operations: OperationWaiter
  /** When a copy that is made now is looked at for the first time. */
  firstLookAt(): number
}

/** Keys in KMSs: what a caller may ask. The work itself is the reconciler's. */
export class DistributionService {
  readonly #parts: DistributionParts

  constructor(parts: DistributionParts) {
    this.#parts = parts
  }

  /**
   * Delivers every version of a key to a KMS. The same again joins what is there; other parameters are `invalid`. A delivery refused
   * by the cloud before the deadline is `refused` with its reason and leaves nothing behind; one still going is a warning.
   */
  async distribute(
    scope: Scope,
    kmsName: string,
    keyName: string,
    input: DistributeInput,
    waiting: Waiting,
  ): Promise<string[]> {
    const { context, store, registry, connections, operations } = this.#parts
    const kms = await this.#kms(scope, kmsName)
    const key = await this.#key(scope, keyName)
    const provider = registry.get(kms.provider)
    const { protection, purposes } = checkPurposes(provider, key.type, input.protection ?? 'hsm', input.purpose)
    const parsed = await connections.parsed(kms)
    if (input.name !== undefined) provider.checkRemoteName(input.name)
    const { purpose: _purpose, protection: _protection, name: _name, repair: _repair, ...options } = input
    provider.checkCopy?.(parsed.settings, { type: key.type, protection, options })
    const now = context.now()
    const wanted: CopyRow = {
      id: context.uuid(),
      namespaceId: scope.namespaceId,
      mountId: scope.mountId,
      keyId: key.id,
      kmsId: kms.id,
      collection: parsed.collection,
      remoteName: input.name ?? `${provider.remoteBaseName(key.name)}-${Math.floor(now / 1000)}`,
      protection,
      purposes,
      options: input.name === undefined ? options : { ...options, nameChosen: true },
      desired: 'present',
      generation: 1,
      seenGeneration: 0,
      state: 'pending',
      reason: null,
      attempts: 0,
      nextAttemptAt: now,
      distributedAt: now,
      settingsBox: null,
      deleteSentAt: null,
      recoverySentAt: null,
      leaseOwner: null,
      leaseUntil: 0,
      fence: 0,
      repair: input.repair ?? 'report',
      drift: [],
      nextLookAt: this.#parts.firstLookAt(),
      lookedAt: null,
    }
    const known = await store.copies.find(key.id, kms.id)
    if (known) checkSame(known, wanted, input)
    if (known && input.repair !== undefined && input.repair !== known.repair)
      await store.copies.setRepair(known.id, input.repair)
    const { copy, touched } = await this.#create(wanted)
    if (copy.id !== wanted.id) checkSame(copy, wanted, input)
    if (!touched) return []
    const operation = await operations.wait(scope.namespaceId, touched, waiting, true)
    const left = await store.copies.byId(copy.id)
    const takenBack = operation?.state === 'pending' && left?.desired === 'absent'
    if (operation?.state === 'failed' || takenBack) {
      // Another process was at work, and does not know that somebody waits here.
      if (left?.state === 'stopped' && left.desired === 'present' && left.seenGeneration === 0)
        await this.#remove(scope, left, kms, waiting)
      throw new KeyferryError('refused', operation?.reason ?? 'the KMS refused the key')
    }
    return warningOf(touched.operationId, operation)
  }

  /** Throws `not_found` when the key is not (or no longer) in the KMS. */
  async read(scope: Scope, kmsName: string, keyName: string): Promise<CopyView> {
    const copy = await this.#copy(scope, kmsName, keyName)
    if (copy?.desired !== 'present') {
      throw new KeyferryError(
        'not_found',
        `key "${checkName('key', keyName)}" is not in KMS "${checkName('KMS', kmsName)}"`,
      )
    }
    const versions: Record<string, string> = {}
    for (const { version, remoteVersion } of await this.#parts.store.copies.versions(copy.id)) {
      if (remoteVersion !== null) versions[version] = remoteVersion
    }
    return { ...copy, versions }
  }

  /** Names of the KMSs that a key is in; throws `not_found` for a key that does not exist. */
  async kmsOfKey(scope: Scope, keyName: string): Promise<string[]> {
    return await this.#parts.store.copies.kmsNames((await this.#key(scope, keyName)).id)
  }

  /** Names of the keys in a KMS; throws `not_found` for a KMS that does not exist. */
  async keysOfKms(scope: Scope, kmsName: string): Promise<string[]> {
    return await this.#parts.store.copies.keyNames((await this.#kms(scope, kmsName)).id)
  }

  /**
   * Removes a key from a KMS; the key itself stays. What is not there is no error. Refused by the cloud before the deadline:
   * `refused`, and the copy stays. Still going: a warning, and the removal goes on without key and KMS, whose names are free again.
   */
  async remove(scope: Scope, kmsName: string, keyName: string, waiting: Waiting): Promise<string[]> {
    const kms = await this.#parts.store.kms.find(scope.mountId, kmsName)
    const copy = kms && (await this.#copy(scope, kmsName, keyName))
    if (!kms || !copy) return []
    const removal = await this.#remove(scope, copy, kms, waiting).catch((error: unknown) => {
      // A removal that was asked for before has ended in between: what is asked for is done.
      if (error instanceof KeyferryError && error.code === 'not_found') return undefined
      throw error
    })
    return removal ? warningsOfRemoval(removal) : []
  }

  /**
   * Turns a first distribution that was never seen done into a removal. Gives the id of that. Throws `invalid` for any other copy,
   * `refused` where the cloud refused the removal before the deadline.
   */
  async callOff(scope: Scope, copyId: string, waiting: Waiting): Promise<{ id: string; warnings: string[] }> {
    const copy = await this.#parts.store.copies.byId(copyId)
    const kms = copy?.kmsId == null ? undefined : await this.#parts.store.kms.byId(copy.kmsId)
    if (!copy || !kms) throw invalid('a removal cannot be cancelled: it goes on until the key is gone')
    const removal = await this.#remove(scope, copy, kms, waiting, (now) => {
      if (now.desired !== 'present') throw invalid('a removal cannot be cancelled: it goes on until the key is gone')
      if (now.seenGeneration > 0)
        throw invalid('only a first distribution can be cancelled, and the key is in this KMS already: remove it there')
    })
    return { id: removal.id, warnings: warningsOfRemoval(removal) }
  }

  /** Asks for the removal and waits. One that is still going then goes on without key and KMS. */
  async #remove(scope: Scope, copy: CopyRow, kms: KmsRow, waiting: Waiting, check?: (now: CopyRow) => void) {
    const { context, store, connections, operations } = this.#parts
    const touched = await store.copies.requestRemoval(copy.id, context.uuid(), context.now(), check)
    const operation = await operations.wait(scope.namespaceId, touched, waiting)
    const present = operation?.state === 'pending' ? await store.kms.byId(kms.id) : undefined
    if (present) await store.copies.detach(copy.id, await connections.resealSettings(present, copy.id))
    return { id: touched.operationId, operation }
  }

  /** Creates the copy; a generated name that is taken here moves on to the next second. */
  async #create(wanted: CopyRow) {
    const { context, store } = this.#parts
    const operationId = context.uuid()
    for (;;) {
      try {
        return await store.copies.create(wanted, operationId)
      } catch (error) {
        const taken = error instanceof KeyferryError && error.code === 'conflict'
        if (!taken) throw error
        if (wanted.options.nameChosen)
          throw invalid(`the name "${wanted.remoteName}" is taken in this KMS: choose another`)
        wanted.remoteName = nextName(wanted.remoteName)
      }
    }
  }

  async #copy(scope: Scope, kmsName: string, keyName: string): Promise<CopyRow | undefined> {
    const kms = await this.#parts.store.kms.find(scope.mountId, kmsName)
    const key = await this.#parts.store.keys.find(scope.mountId, keyName)
    return kms && key ? await this.#parts.store.copies.find(key.id, kms.id) : undefined
  }

  async #key(scope: Scope, name: string): Promise<KeyRow> {
    const key = await this.#parts.store.keys.find(scope.mountId, name)
    if (!key) throw new KeyferryError('not_found', `key "${checkName('key', name)}" not found`)
    return key
  }

  async #kms(scope: Scope, name: string): Promise<KmsRow> {
    const kms = await this.#parts.store.kms.find(scope.mountId, name)
    if (!kms) throw new KeyferryError('not_found', `KMS "${checkName('KMS', name)}" not found`)
    return kms
  }
}

/** What is said of a removal that was waited for. Throws `refused` where the cloud refused it. */
function warningsOfRemoval({ id, operation }: { id: string; operation: OperationRow | undefined }): string[] {
  if (operation?.state === 'failed')
    throw new KeyferryError('refused', operation.reason ?? 'the KMS refused the removal')
  return warningOf(id, operation)
}

/** `orders-1633226076` -> `orders-1633226077`: Vault's form, the next free second. */
export function nextName(name: string): string {
  const dash = name.lastIndexOf('-')
  return `${name.slice(0, dash)}-${Number(name.slice(dash + 1)) + 1}`
}
