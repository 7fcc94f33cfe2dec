import { Authenticator } from './access/authenticator.ts'
import type { FetchRules } from './access/doors/documents.ts'
import { createDoors, type Doors } from './access/doors/index.ts'
import type { NamespaceLimits } from './access/limits.ts'
import { NamespaceService } from './access/namespaces.ts'
import { PolicyService } from './access/policies.ts'
import { QuotaService } from './access/quotas.ts'
import { TokenSigner } from './access/signing.ts'
import { SigningKeyService } from './access/signing-keys.ts'
import { Sweeper } from './access/sweeper.ts'
import { TokenService } from './access/tokens.ts'
import { WrappingService } from './access/wrapping.ts'
import { openAudit } from './audit/open.ts'
import type { AuditOptions, AuditService } from './audit/service.ts'
import { RestoreService } from './backup/service.ts'
import { type Context, systemContext } from './context.ts'
import { Detaching } from './distribution/detach.ts'
import { defaultLookTiming, Looks, type LookTiming } from './distribution/looks.ts'
import { OperationService } from './distribution/operation-service.ts'
import { OperationWaiter } from './distribution/operations.ts'
import { defaultTiming, Reconciler, type Timing } from './distribution/reconciler.ts'
import { DistributionService } from './distribution/service.ts'
import { KeyferryError } from './errors.ts'
import type { Figures } from './figures.ts'
import { IdempotencyService } from './idempotency.ts'
import { issuer } from './initialise.ts'
import { autoRotation } from './keys/auto-rotation.ts'
import type { KeyGenerator } from './keys/pool.ts'
import { KeyService } from './keys/service.ts'
import { Connections } from './kms/connections.ts'
import type { ProviderRegistry } from './kms/registry.ts'
import { KmsService } from './kms/service.ts'
import { MountService } from './mounts.ts'
import { SealKeeper, type SealTiming } from './seal/keeper.ts'
import { Keyring } from './seal/keyring.ts'
import type { RootKey } from './seal/root-key.ts'
import { listRoots, namedRoot } from './seal/unsealing.ts'
import type { NamespaceRow, Store } from './store.ts'
import { noObserver, type Observer } from './telemetry.ts'

export { initialise } from './initialise.ts'

export interface CoreParts {
  store: Store
  rootKey: RootKey
  /** Beside it during a rotation. */
  previousRootKey?: RootKey | undefined
  sealTiming?: Partial<SealTiming>
  registry: ProviderRegistry
  generator: KeyGenerator
  context?: Context
  timing?: Timing
  /** How often copies are compared with the cloud. */
  lookTiming?: Partial<LookTiming>
  /** Where the audit log goes; without it nothing is recorded. */
  audit?: AuditOptions
  /** How documents of token issuers may be read: the hosts that the operator allows at any address, and limits. */
  issuerDocuments?: FetchRules
  /** How much each namespace may have; any number unless told. */
  limits?: NamespaceLimits
  /** Counts what happens; nobody does unless told. */
  observer?: Observer
}

/** What Keyferry is, without HTTP, SQL or a cloud. */
export interface Core {
  context: Context
  /** Random, made at the first start, for ever the same. */
  instanceId: string
  keys: KeyService
  kms: KmsService
  distribution: DistributionService
  mounts: MountService
  authenticator: Authenticator
  namespaces: NamespaceService
  wrapping: WrappingService
  quotas: QuotaService
  audit: AuditService
  policies: PolicyService
  signingKeys: SigningKeyService
  tokens: TokenService
  doors: Doors
  operations: OperationService
  looks: Looks
  idempotency: IdempotencyService
  seal: SealKeeper
  restore: RestoreService
  /** The namespace of a path ('' is the root), undefined when there is none. */
  namespace(path: string): Promise<NamespaceRow | undefined>
  /** To be called at the start of each request: drops what is remembered when another process changed the database. True: it did. */
  freshen(): boolean
  /** Differs whenever something in the mount may have changed since, as far as `freshen` knows: for caches of answers. */
  stamp(mountId: string): number
  /** How it stands, for monitoring. */
  figures(): Promise<Figures>
  /** Takes no new work, waits for calls under way, closes connections and key material. The store stays the caller's to close. */
  close(): Promise<void>
}

/** Opens an initialised store. Throws `unavailable` when it was never initialised, `corrupt` when the root key is another one. */
export async function createCore(parts: CoreParts): Promise<Core> {
  const { store, rootKey, registry, generator } = parts
  const context = parts.context ?? systemContext
  const observer = parts.observer ?? noObserver
  const instanceId = await store.meta.get('instance_id')
  const rootId = await store.meta.get('root_id')
  if (instanceId === undefined || rootId === undefined) {
    throw new KeyferryError('unavailable', 'the database was never initialised: run "keyferry init" first')
  }
  const roots = { current: rootKey, previous: parts.previousRootKey }
  namedRoot(rootId, roots)
  const keyring = new Keyring(listRoots(roots), store.namespaces, () => store.meta.get('root_id'))
  const seal = new SealKeeper({ context, store, keyring, ...(parts.sealTiming && { timing: parts.sealTiming }) })
  const signer = new TokenSigner(
    issuer(instanceId),
    await store.tokens.signingKeys(),
    await keyring.forNamespace('root'),
    () => store.tokens.signingKeys(),
  )
  const audit = await openAudit({ context, store, keyring }, parts.audit)
  const operations = new OperationWaiter(context, store.operations)
  const connections = new Connections({ context, store, keyring, registry, audit, observer })
  const reconciler = new Reconciler({
    context,
    store,
    registry,
    connections,
    keyring,
    operations,
    observer,
    timing: parts.timing ?? defaultTiming,
  })
  const authenticator = new Authenticator({ context, store, signer })
  const tokens = new TokenService({ context, store, signer, authenticator })
  const detaching = new Detaching({ context, connections, operations })
  const mounts = new MountService({ context, store, detaching })
  const doors = createDoors({
    context,
    store,
    authenticator,
    tokens,
    issuer: issuer(instanceId),
    ...(parts.issuerDocuments ? { documents: parts.issuerDocuments } : {}),
  })
  const quotas = new QuotaService({ context, store })
  const policies = new PolicyService(store.policies)
  const signingKeys = new SigningKeyService({ context, store, keyring, signer })
  const sweeper = new Sweeper(context, [
    store.tokens.expire,
    store.secretIds.expire,
    store.wrapped.expire,
    () => signingKeys.prune(),
  ])
  const forget = () => {
    authenticator.forget()
    mounts.forget()
    doors.forget()
    quotas.forget()
    policies.forget()
  }
  const namespaces = new NamespaceService({ context, store, keyring, detaching, forget })
  await seal.start()
  if (await store.restore.hold())
    context.log('warn', 'restored from a backup: nothing is sent to any KMS until "keyferry release"')
  store.usage.limit(parts.limits ?? {})
  const looks = new Looks({
    context,
    store,
    connections,
    operations,
    observer,
    timing: { ...defaultLookTiming, ...parts.lookTiming },
  })
  const keys = new KeyService({ context, store, keyring, generator, operations })
  const distribution = new DistributionService({
    ...{ context, store, registry, connections, operations },
    firstLookAt: () => looks.firstLookAt(),
  })
  const rotations = new Sweeper(context, [
    autoRotation({ context, store, rotate: (key, due) => keys.rotateDue(key, due) }),
  ])
  reconciler.start()
  looks.start()
  sweeper.start()
  rotations.start()
  return {
    context,
    instanceId,
    keys,
    kms: new KmsService({ context, store, registry, connections }),
    distribution,
    mounts,
    authenticator,
    tokens,
    doors,
    operations: new OperationService({ context, store, operations, distribution }),
    looks,
    idempotency: new IdempotencyService({ context, store, keyring }),
    seal,
    restore: new RestoreService({ context, store, connections }),
    namespaces,
    wrapping: new WrappingService({ context, store, keyring, signer }),
    quotas,
    audit,
    policies,
    signingKeys,
    namespace: (path) => namespaces.byPath(path),
    freshen: () => {
      const changed = store.changedElsewhere()
      if (changed) {
        forget()
        namespaces.forget()
        signer.forget()
      }
      return changed
    },
    stamp: (mountId) => store.stamp(mountId),
    figures: async () => ({
      keyPool: generator.stats(),
      audit: audit.figures(),
      seal: {
        rotatingRootKey: (await store.seal.rootRotation()) !== undefined,
        replacedDataKeys: (await store.seal.replaced()).length,
      },
      held: (await store.restore.hold()) !== undefined,
      copiesInWork: reconciler.running,
      store: await store.figures.read(),
    }),
    close: async () => {
      await sweeper.close()
      await rotations.close()
      await looks.close()
      await reconciler.close()
      await seal.close()
      await generator.close()
      await audit.close()
      connections.close()
      keyring.close()
    },
  }
}
