import type { ProcessStore, Store } from '../../core/store.ts'
import { auditStore } from './audit.ts'
import { authMountStore } from './auth-mounts.ts'
import { copyStore } from './copies.ts'
import { Database } from './database.ts'
import { figureStore } from './figures.ts'
import { idempotencyStore } from './idempotency.ts'
import { keyStore } from './keys.ts'
import { kmsStore } from './kms.ts'
import { lookStore } from './looks.ts'
import { metaStore } from './meta.ts'
import { bringUpToDate } from './migrations.ts'
import { mountStore } from './mounts.ts'
import { guardNamespaces } from './namespace-guard.ts'
import { namespaceStore } from './namespaces.ts'
import { operationStore } from './operations.ts'
import { policyStore } from './policies.ts'
import { ProcessLocks } from './process-locks.ts'
import { rateLimitStore } from './rate-limits.ts'
import { restoreStore } from './restore.ts'
import { roleStore } from './roles.ts'
import { sealStore } from './rotation.ts'
import { guardSeals } from './seal-guard.ts'
import { secretIdStore } from './secret-ids.ts'
import { tokenStore } from './tokens.ts'
import { usageStore } from './usage.ts'
import { wrappedStore } from './wrapped.ts'
import { wrappingKeyStore } from './wrapping-keys.ts'

export interface StoreOptions {
  /** A path, or ':memory:'. Made when it does not exist. */
  file: string
  /** Makes ids of operations and import ids; random UUIDs. */
  uuid?: () => string
  /** Told when this process cannot make itself known to others. */
  warn?: (message: string) => void
  /** Tells the living from the dead in another way than by locks beside the file: for tests. */
  processes?: ProcessStore
}

/** Opens the database and brings its schema up to date. Throws `unavailable` or `corrupt` with a sentence that names the file. */
export function openStore({ file, uuid = () => crypto.randomUUID(), warn, processes: own }: StoreOptions): Store {
  const database = new Database(file)
  const processes = own ?? locksOf(database, file, warn)
  try {
    bringUpToDate(database, file)
    guardSeals(database.sqlite)
    guardNamespaces(database)
    const usage = usageStore(database)
    database.started()
    return {
      meta: metaStore(database),
      namespaces: namespaceStore(database),
      mounts: mountStore(database),
      keys: keyStore(database, uuid),
      kms: kmsStore(database),
      wrappingKeys: wrappingKeyStore(database),
      processes,
      copies: copyStore(database, uuid, processes),
      operations: operationStore(database),
      looks: lookStore(database),
      figures: figureStore(database),
      audit: auditStore(database),
      tokens: tokenStore(database),
      wrapped: wrappedStore(database),
      rateLimits: rateLimitStore(database),
      policies: policyStore(database),
      roles: roleStore(database),
      authMounts: authMountStore(database),
      secretIds: secretIdStore(database),
      usage,
      idempotency: idempotencyStore(database, processes),
      seal: sealStore(database),
      restore: restoreStore(database),
      changedElsewhere: () => database.changedElsewhere(),
      stamp: (mountId) => database.stamp(mountId),
      close: () => database.close(),
    }
  } catch (error) {
    database.close()
    throw error
  }
}

function locksOf(database: Database, file: string, warn: StoreOptions['warn']): ProcessStore {
  // What is in memory is this process's alone.
  if (file === ':memory:') return { self: crypto.randomUUID(), isDead: () => false }
  const locks = new ProcessLocks(file, warn)
  database.onClose(() => locks.close())
  return locks
}
