import { Authenticator } from './access/authenticator.ts'
import { NamespaceService } from './access/namespaces.ts'
import { QuotaService } from './access/quotas.ts'
import { newSigningKey, TokenSigner } from './access/signing.ts'
import { rootToken, TokenService } from './access/tokens.ts'
import { WrappingService } from './access/wrapping.ts'
import { type Context, systemContext } from './context.ts'
import { OperationWaiter } from './distribution/operations.ts'
import { defaultTiming, Reconciler, type Timing } from './distribution/reconciler.ts'
import { DistributionService } from './distribution/service.ts'
import { KeyferryError } from './errors.ts'
import type { KeyGenerator } from './keys/pool.ts'
import { KeyService } from './keys/service.ts'
import { Connections } from './kms/connections.ts'
import type { ProviderRegistry } from './kms/registry.ts'
import { KmsService } from './kms/service.ts'
import { MountService } from './mounts.ts'
import { Keyring, newDataKey } from './seal/keyring.ts'
import type { RootKey } from './seal/root-key.ts'
import type { NamespaceRow, Store } from './store.ts'

export interface CoreParts {
  store: Store
  rootKey: RootKey
  registry: ProviderRegistry
  generator: KeyGenerator
  context?: Context
  timing?: Timing
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
  tokens: TokenService
  operations: OperationWaiter
  /** The namespace of a path ('' is the root), undefined when there is none. */
  namespace(path: string): Promise<NamespaceRow | undefined>
  /** To be called at the start of each request: drops what is remembered when another process changed the database. True: it did. */
  freshen(): boolean
  /** Differs whenever something in the mount may have changed since, as far as `freshen` knows: for caches of answers. */
  stamp(mountId: string): number
  stats(): { keyPool: ReturnType<KeyGenerator['stats']> }
  /** Takes no new work, waits for calls under way, closes connections and key material. The store stays the caller's to close. */
  close(): Promise<void>
}

/**
 * First start on an empty store: makes instance, root namespace, its data key, the token signing key and a mount at `keymgmt/`. Gives
 * the first root token, which is nowhere kept. Throws `already_exists` when the store was initialised before.
 */
export async function initialise(store: Store, root: RootKey, context: Context = systemContext): Promise<string> {
  const now = context.now()
  const namespace: NamespaceRow = {
    id: 'root',
    parentId: null,
    path: '',
    customMetadata: {},
    createdAt: now,
    deletedAt: null,
  }
  const { row: dataKey, sealer } = newDataKey(root, namespace.id, now)
  const signingKey = newSigningKey(sealer, context.uuid(), now)
  const token = rootToken(context, namespace.id, 'auth/token/root')
  const instanceId = context.uuid()
  await store.meta.initialise({
    meta: { instance_id: instanceId, root_id: root.id },
    namespace,
    dataKey,
    signingKey,
    mount: {
      id: context.uuid(),
      namespaceId: namespace.id,
      path: 'keymgmt/',
      type: 'keymgmt',
      accessor: `keymgmt_${context.randomHex(4)}`,
      description: 'key management',
      config: {},
      createdAt: now,
    },
    token,
  })
  const signer = new TokenSigner(issuer(instanceId), [signingKey], sealer)
  const authenticator = new Authenticator({ context, store, signer })
  return await new TokenService({ context, store, signer, authenticator }).sign(token)
}

/** Opens an initialised store. Throws `unavailable` when it was never initialised, `corrupt` when the root key is another one. */
export async function createCore(parts: CoreParts): Promise<Core> {
  const { store, rootKey, registry, generator } = parts
  const context = parts.context ?? systemContext
  const instanceId = await store.meta.get('instance_id')
  const rootId = await store.meta.get('root_id')
  if (instanceId === undefined || rootId === undefined) {
    throw new KeyferryError('unavailable', 'the database was never initialised: run "keyferry init" first')
  }
  if (rootId !== rootKey.id) {
    throw new KeyferryError(
      'corrupt',
      `the root key is not the one of this database: it has id ${rootKey.id}, the database wants ${rootId}`,
    )
  }
  const keyring = new Keyring(rootKey, store.namespaces)
  const signer = new TokenSigner(
    issuer(instanceId),
    await store.tokens.signingKeys(),
    await keyring.forNamespace('root'),
  )
  const operations = new OperationWaiter(context, store.operations)
  const connections = new Connections({ context, store, keyring, registry })
  const reconciler = new Reconciler({
    context,
    store,
    registry,
    connections,
    keyring,
    operations,
    timing: parts.timing ?? defaultTiming,
  })
  const authenticator = new Authenticator({ context, store, signer })
  const tokens = new TokenService({ context, store, signer, authenticator })
  const mounts = new MountService({ context, store })
  const quotas = new QuotaService({ context, store })
  const forget = () => {
    authenticator.forget()
    mounts.forget()
    quotas.forget()
  }
  const namespaces = new NamespaceService({ context, store, keyring, connections, operations, forget })
  reconciler.start()
  return {
    context,
    instanceId,
    keys: new KeyService({ context, store, keyring, generator, operations }),
    kms: new KmsService({ context, store, registry, connections }),
    distribution: new DistributionService({ context, store, registry, connections, operations }),
    mounts,
    authenticator,
    tokens,
    operations,
    namespaces,
    wrapping: new WrappingService({ context, store, keyring, signer }),
    quotas,
    namespace: (path) => namespaces.byPath(path),
    freshen: () => {
      const changed = store.changedElsewhere()
      if (changed) {
        forget()
        namespaces.forget()
      }
      return changed
    },
    stamp: (mountId) => store.stamp(mountId),
    stats: () => ({ keyPool: generator.stats() }),
    close: async () => {
      await reconciler.close()
      await generator.close()
      connections.close()
      keyring.close()
    },
  }
}

function issuer(instanceId: string): string {
  return `urn:keyferry:${instanceId}`
}
