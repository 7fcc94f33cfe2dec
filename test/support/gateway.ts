import type { FetchRules } from '../../src/core/access/doors/documents.ts'
import type { NamespaceLimits } from '../../src/core/access/limits.ts'
import type { AuditOptions } from '../../src/core/audit/service.ts'
import { type Context, type Scope, systemContext, type Waiting } from '../../src/core/context.ts'
import { type Core, createCore, initialise } from '../../src/core/core.ts'
import type { LookTiming } from '../../src/core/distribution/looks.ts'
import { createKeyGenerator } from '../../src/core/keys/pool.ts'
import type { Provider } from '../../src/core/kms/provider.ts'
import { ProviderRegistry } from '../../src/core/kms/registry.ts'
import { newRootKey, type RootKey } from '../../src/core/seal/root-key.ts'
import type { Store } from '../../src/core/store.ts'
import type { Observer } from '../../src/core/telemetry.ts'
import { openStore } from '../../src/store/sqlite/index.ts'

/** A core on a database of its own, with the mount `keymgmt/`. */
export interface TestCore {
  core: Core
  store: Store
  scope: Scope
  rootToken: string
  rootKey: RootKey
  /** A deadline far enough for everything that a test does. */
  waiting: Waiting
  close(): Promise<void>
}

/** Makes one in memory, or in the file named; `rootKey` re-opens a file that was made with it. */
export async function testCore(
  options: {
    providers?: Provider[]
    file?: string
    rootKey?: RootKey
    context?: Partial<Context>
    issuerDocuments?: FetchRules
    audit?: AuditOptions
    lookTiming?: Partial<LookTiming>
    limits?: NamespaceLimits
    observer?: Observer
  } = {},
): Promise<TestCore> {
  const context = { ...systemContext, ...options.context }
  const store = openStore({ file: options.file ?? ':memory:' })
  const rootKey = options.rootKey ?? newRootKey()
  const copy = () => ({ id: rootKey.id, key: Buffer.from(rootKey.key) })
  const rootToken = options.rootKey ? '' : await initialise(store, copy(), context)
  const registry = new ProviderRegistry()
  for (const provider of options.providers ?? []) registry.register(provider)
  const generator = createKeyGenerator({ pool: { 'rsa-2048': 0, 'rsa-3072': 0, 'rsa-4096': 0 } })
  const core = await createCore({
    store,
    rootKey: copy(),
    registry,
    generator,
    context,
    ...(options.audit ? { audit: options.audit } : {}),
    ...(options.limits ? { limits: options.limits } : {}),
    ...(options.observer ? { observer: options.observer } : {}),
    ...(options.issuerDocuments ? { issuerDocuments: options.issuerDocuments } : {}),
    ...(options.lookTiming ? { lookTiming: options.lookTiming } : {}),
    timing: { scanMs: 50, firstBackOffMs: 20, lastBackOffMs: 1_000 },
  })
  const mount = await core.mounts.at('root', 'keymgmt')
  return {
    core,
    store,
    scope: { namespaceId: 'root', namespacePath: '', mountId: mount.id, mountPath: mount.path },
    rootToken,
    rootKey,
    waiting: { deadline: context.now() + 60_000 },
    close: async () => {
      await core.close()
      store.close()
    },
  }
}
