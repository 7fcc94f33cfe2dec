import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { systemContext } from '../../../src/core/context.ts'
import { createCore, initialise } from '../../../src/core/core.ts'
import { createKeyGenerator } from '../../../src/core/keys/pool.ts'
import { ProviderRegistry } from '../../../src/core/kms/registry.ts'
import { Keyring } from '../../../src/core/seal/keyring.ts'
import { newRootKey, type RootKey } from '../../../src/core/seal/root-key.ts'
import { rotateRoot } from '../../../src/core/seal/root-rotation.ts'
import { namedRoot, type RootKeys, unseal } from '../../../src/core/seal/unsealing.ts'
import { openStore } from '../../../src/store/sqlite/index.ts'

const copyOf = ({ id, key }: RootKey): RootKey => ({ id, key: Buffer.from(key) })
const source = (root: RootKey) => ({ name: 'a place', read: async () => copyOf(root) })
const [old, fresh, other] = [newRootKey(), newRootKey(), newRootKey()]

describe('root keys are read from their sources', () => {
  it('the present one, and the one before it where there is one', async () => {
    expect(await unseal({ current: source(old), previous: undefined })).toEqual({ current: old, previous: undefined })
    expect(await unseal({ current: source(fresh), previous: source(old) })).toEqual({ current: fresh, previous: old })
  })

  it('the same key twice is one', async () => {
    expect((await unseal({ current: source(old), previous: source(old) })).previous).toBeUndefined()
  })

  it('a previous one that cannot be read stops the start, and the present one is zeroed', async () => {
    const held = copyOf(fresh)
    const failing = {
      name: 'x',
      read: () => {
        throw new Error('no such place')
      },
    }
    await expect(unseal({ current: { name: 'y', read: () => held }, previous: failing })).rejects.toThrow(
      'no such place',
    )
    expect(held.key).toEqual(Buffer.alloc(32))
  })
})

/** Starts a core on a store with these root keys; gives what it said when it did not. */
async function start(file: ReturnType<typeof openStore>, roots: RootKeys): Promise<string> {
  const generator = createKeyGenerator({ pool: { 'rsa-2048': 0, 'rsa-3072': 0, 'rsa-4096': 0 } })
  try {
    const core = await createCore({
      store: file,
      rootKey: copyOf(roots.current),
      previousRootKey: roots.previous && copyOf(roots.previous),
      registry: new ProviderRegistry(),
      generator,
    })
    await core.close()
    return 'started'
  } catch (error) {
    await generator.close()
    return error instanceof Error ? error.message : String(error)
  }
}

describe('the old key, the new one, both and neither at the start', () => {
  const given: [string, RootKeys][] = [
    ['the old', { current: old, previous: undefined }],
    ['the new', { current: fresh, previous: undefined }],
    ['both', { current: fresh, previous: old }],
    ['both, the other way round', { current: old, previous: fresh }],
    ['neither', { current: other, previous: undefined }],
    ['neither of two', { current: other, previous: newRootKey() }],
  ]
  const alone = (id: string, wants: string) =>
    `the root key is not the one of this database: it has id ${id}, the database wants ${wants}`
  const two = (wants: string) => expect.stringMatching(`^neither the root key nor the previous one .* wants ${wants}$`)

  it('before a rotation', async () => {
    const store = openStore({ file: ':memory:' })
    await initialise(store, copyOf(old))
    const said = []
    for (const [, roots] of given) said.push(await start(store, roots))
    expect(said).toEqual([
      'started',
      alone(fresh.id, old.id),
      'started',
      'started',
      alone(other.id, old.id),
      two(old.id),
    ])
    store.close()
  })

  it('after a rotation', async () => {
    const store = openStore({ file: ':memory:' })
    await initialise(store, copyOf(old))
    const roots = { current: copyOf(fresh), previous: copyOf(old) }
    const keyring = new Keyring([roots.current, roots.previous], store.namespaces, () => store.meta.get('root_id'))
    await rotateRoot({ context: systemContext, store, keyring }, roots)
    const said = []
    for (const [, one] of given) said.push(await start(store, one))
    expect(said).toEqual([
      alone(old.id, fresh.id),
      'started',
      'started',
      'started',
      alone(other.id, fresh.id),
      two(fresh.id),
    ])
    store.close()
  })

  it('in the middle of one: both, or a sentence that says which is missing', async () => {
    const store = openStore({ file: ':memory:' })
    await initialise(store, copyOf(old))
    await store.seal.switchRoot({ from: old.id, to: fresh.id, since: 1 }, 0)
    expect(await start(store, { current: fresh, previous: undefined })).toBe(
      `a data key is under root key ${old.id}: until the rotation has ended, that is needed as the previous one`,
    )
    const process = { id: randomUUID(), name: 'a', roots: [fresh.id], seenAt: 1 }
    await expect(store.seal.enter(process)).rejects.toThrow(
      `the rotation of the root key is not finished: data keys are still under root key ${old.id}, which is needed as the previous one`,
    )
    expect(await start(store, { current: fresh, previous: old })).toBe('started')
    store.close()
  })
})

it('names the root key that the store wants, whichever of the two it is', () => {
  expect(namedRoot(old.id, { current: fresh, previous: old })).toBe(old)
  expect(namedRoot(fresh.id, { current: fresh, previous: old })).toBe(fresh)
  expect(() => namedRoot('x', { current: fresh, previous: old })).toThrow(/^neither/)
})
