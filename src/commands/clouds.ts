import { azureOptions } from '../config/azure.ts'
import type { Settings } from '../config/settings.ts'
import type { Comparison } from '../core/backup/compare.ts'
import { systemContext } from '../core/context.ts'
import { type Core, createCore } from '../core/core.ts'
import { createKeyGenerator } from '../core/keys/pool.ts'
import { ProviderRegistry } from '../core/kms/registry.ts'
import type { RootKeys } from '../core/seal/unsealing.ts'
import { createAzureKeyVaultProvider } from '../providers/azurekeyvault/index.ts'
import { openStore } from '../store/sqlite/index.ts'
import { createLog } from './log.ts'

/** Opens a database with its clouds, without serving anybody, for the length of `work`. `roots` stay the caller's. */
export async function withCore<T>(
  database: string,
  { current, previous }: RootKeys,
  settings: Settings,
  work: (core: Core) => Promise<T>,
): Promise<T> {
  const store = openStore({ file: database })
  const generator = createKeyGenerator({ pool: { 'rsa-2048': 0, 'rsa-3072': 0, 'rsa-4096': 0 } })
  try {
    const core = await createCore({
      store,
      rootKey: { id: current.id, key: Buffer.from(current.key) },
      previousRootKey: previous && { id: previous.id, key: Buffer.from(previous.key) },
      registry: new ProviderRegistry().register(createAzureKeyVaultProvider(azureOptions(settings.azure, process.env))),
      generator,
      context: { ...systemContext, log: createLog({ level: 'error' }) },
    })
    try {
      return await work(core)
    } finally {
      await core.close()
    }
  } finally {
    await generator.close()
    store.close()
  }
}

/** Compares a restored database with its clouds; gives what differs, for people. */
export async function compared(database: string, roots: RootKeys, settings: Settings): Promise<string> {
  return described(await withCore(database, roots, settings, (core) => core.restore.compare()))
}

/** A comparison in words. */
export function described({ copies, differences }: Comparison): string {
  if (copies === 0) return 'No key is in any KMS.'
  const looked = `Looked at ${copies} ${copies === 1 ? 'copy' : 'copies'} of keys in KMSs`
  if (differences.length === 0) return `${looked}: all are as the database has them.`
  return [
    `${looked}, and these differ:`,
    ...differences.map(({ key, kms, remoteName, what }) => `  key "${key}" in KMS "${kms}" (${remoteName}): ${what}`),
  ].join('\n')
}
