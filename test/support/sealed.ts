import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { sealedUnder } from '../../src/core/seal/box.ts'
import { Keyring } from '../../src/core/seal/keyring.ts'
import { parseRootKey } from '../../src/core/seal/root-key.ts'
import type { SealedBox } from '../../src/core/seal/seal-store.ts'
import type { Store } from '../../src/core/store.ts'
import { openStore } from '../../src/store/sqlite/index.ts'

/** Opens a database and its keyring for the length of `work`, as another process would. */
export async function withStore<T>(
  file: string,
  rootKeyFiles: readonly string[],
  work: (store: Store, keyring: Keyring) => Promise<T>,
): Promise<T> {
  const store = openStore({ file })
  const roots = rootKeyFiles.map((path) => parseRootKey(readFileSync(path, 'utf8'), path))
  const keyring = new Keyring(roots, store.namespaces, () => store.meta.get('root_id'))
  try {
    return await work(store, keyring)
  } finally {
    keyring.close()
    store.close()
  }
}

export async function allBoxes(store: Store, page = 200): Promise<SealedBox[]> {
  const all: SealedBox[] = []
  let next: unknown
  do {
    const { boxes, next: after } = await store.seal.boxes(next, page)
    all.push(...boxes)
    next = after
  } while (next !== undefined)
  return all
}

/** Opens every sealed value of a database with these root keys: fails at one that does not open. Gives what is there. */
export async function openEverything(file: string, rootKeyFiles: readonly string[]) {
  return await withStore(file, rootKeyFiles, async (store, keyring) => {
    const under = new Set<string>()
    const places = new Map<string, number>()
    for (const { place, namespaceId, binding, box } of await allBoxes(store)) {
      const sealer = await keyring.forNamespace(namespaceId)
      const plaintext = sealer.open(binding, box)
      expect(plaintext.length).toBeGreaterThan(0)
      plaintext.fill(0)
      under.add(sealedUnder(box))
      places.set(place, (places.get(place) ?? 0) + 1)
    }
    return { dataKeys: under, places: Object.fromEntries(places) }
  })
}
