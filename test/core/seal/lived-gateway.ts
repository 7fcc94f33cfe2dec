import { afterEach, expect } from 'vitest'
import { sealedUnder } from '../../../src/core/seal/box.ts'
import { Keyring } from '../../../src/core/seal/keyring.ts'
import type { RootKey } from '../../../src/core/seal/root-key.ts'
import type { SealedBox } from '../../../src/core/seal/seal-store.ts'
import type { Store } from '../../../src/core/store.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

export const copyOf = ({ id, key }: RootKey): RootKey => ({ id, key: Buffer.from(key) })
const open: TestCore[] = []

/** Closes after each test what was made for it. */
export function closesAfterEach(): void {
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close()
  })
}

/** A gateway in which there is something sealed of every kind. */
export async function lived(versions = 3): Promise<TestCore> {
  const cloud = new MemoryCloud()
  const made = await testCore({ providers: [memoryProvider(new Map([['one', cloud]]))] })
  open.push(made)
  const { core, scope, waiting } = made
  const team = await core.namespaces.create((await core.namespace('')) ?? fail(), 'team', undefined)
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  for (let version = 1; version < versions; version++) await core.keys.rotate(scope, 'orders', waiting)
  await core.kms.write(scope, 'prod', { provider: 'memory', keyCollection: 'one', credentials: { secret: 's' } })
  await core.distribution.distribute(scope, 'prod', 'orders', { purpose: ['sign'] }, waiting)
  await core.wrapping.wrap('root', 'sys/x', '{"a":1}', 600)
  await core.wrapping.wrap(team.id, 'sys/x', '{"a":1}', 600)
  return made
}

export function fail(): never {
  throw new Error('it should be there')
}

export async function allBoxes(store: Store): Promise<SealedBox[]> {
  const all: SealedBox[] = []
  let next: unknown
  do {
    const page = await store.seal.boxes(next, 2)
    all.push(...page.boxes)
    next = page.next
  } while (next !== undefined)
  return all
}

/** Opens every box of the store under a root key; gives the ids of the data keys in use. */
export async function openAll(store: Store, root: RootKey): Promise<Set<string>> {
  const keyring = new Keyring(copyOf(root), store.namespaces)
  const under = new Set<string>()
  for (const { namespaceId, binding, box } of await allBoxes(store)) {
    const sealer = await keyring.forNamespace(namespaceId)
    expect(sealer.open(binding, box).length).toBeGreaterThan(0)
    under.add(sealedUnder(box))
  }
  keyring.close()
  return under
}
