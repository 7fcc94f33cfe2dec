import { afterEach, beforeEach, expect } from 'vitest'
import { initialise } from '../../src/core/core.ts'
import { Keyring, type Sealer } from '../../src/core/seal/keyring.ts'
import { newRootKey } from '../../src/core/seal/root-key.ts'
import type { CopyRow, KeyRow, KmsRow, Lease, Store } from '../../src/core/store.ts'
import { openStore } from '../../src/store/sqlite/index.ts'

export let store: Store
let sealer: Sealer
let ids = 0
const uuid = () => `id-${++ids}`
export const now = 1_000_000
export const far = Number.MAX_SAFE_INTEGER
/** The database takes nothing that is not sealed under a key of the namespace. */
export const box = () => sealer.seal({ objectId: 'any', version: 0, kind: 'kms-settings' }, Buffer.from('settings'))
export const version = () => ({ publicKey: null, box: box(), createdAt: now })

export const key: KeyRow = {
  id: 'key',
  namespaceId: 'root',
  mountId: 'mount',
  name: 'orders',
  type: 'ecdsa-p256',
  latestVersion: 1,
  minEnabledVersion: 1,
  deletionAllowed: true,
  replicaRegions: null,
  createdAt: now,
  autoRotatePeriod: 0,
  nextRotationAt: null,
  maxEnabledVersions: 0,
}
export const kms: KmsRow = {
  id: 'kms',
  namespaceId: 'root',
  mountId: 'mount',
  name: 'prod',
  provider: 'memory',
  keyCollection: 'one',
  settingsBox: Buffer.alloc(0),
  credentialsGeneration: 1,
  createdAt: now,
}
export const copy: CopyRow = {
  id: 'copy',
  namespaceId: 'root',
  mountId: 'mount',
  keyId: 'key',
  kmsId: 'kms',
  collection: 'memory://one',
  remoteName: 'orders-1',
  protection: 'hsm',
  purposes: ['sign'],
  options: {},
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
  repair: 'report',
  drift: [],
  nextLookAt: 0,
  lookedAt: null,
}

/** Has a store with one copy, of a key in a KMS, before each test, and closes it after it. */
export function copyStore(): void {
  beforeEach(async () => {
    const processes = { self: 'me', isDead: (owner: string) => owner.startsWith('dead') }
    store = openStore({ file: ':memory:', uuid, processes })
    const root = newRootKey()
    await initialise(store, root)
    sealer = await new Keyring(root, store.namespaces).forNamespace('root')
    const mount = {
      id: 'mount',
      namespaceId: 'root',
      path: 'other/',
      type: 'keymgmt',
      accessor: 'a',
      description: '',
      config: {},
      createdAt: now,
    }
    await store.mounts.create(mount)
    await store.keys.create(key, version())
    await store.kms.create({ ...kms, settingsBox: box() })
    await store.copies.create(copy, 'first')
  })
  afterEach(() => store.close())
}

export const read = async () => {
  const row = await store.copies.byId('copy')
  if (!row) throw new Error('the copy is gone')
  return row
}
export const operation = async (id: string) => await store.operations.byId('root', id)
export const dueIds = async (at: number) => (await store.copies.due(at, 10)).map((one) => one.id)
export async function lease(owner = 'one', at = now): Promise<Lease> {
  const row = await store.copies.lease('copy', owner, at, at + 1_000)
  if (!row) throw new Error('the lease is taken')
  return { copyId: row.id, fence: row.fence, generation: row.generation }
}
export const lost = expect.objectContaining({ code: 'conflict', message: 'the lease of this copy is lost' })
