import { describe, expect, it } from 'vitest'
import { systemContext } from '../../../src/core/context.ts'
import { SealKeeper } from '../../../src/core/seal/keeper.ts'
import { Keyring, newDataKey } from '../../../src/core/seal/keyring.ts'
import { newRootKey, type RootKey } from '../../../src/core/seal/root-key.ts'
import { rotateRoot, staleAfterMs } from '../../../src/core/seal/root-rotation.ts'
import type { Store } from '../../../src/core/store.ts'
import { closesAfterEach, copyOf, lived, openAll } from './lived-gateway.ts'

closesAfterEach()

describe('the root key', () => {
  const ringOf = (store: Store, ...roots: RootKey[]) =>
    new Keyring(roots.map(copyOf), store.namespaces, () => store.meta.get('root_id'))

  it('is rotated: no data key is under the old one, and the store refuses one that is', async () => {
    const { store, core, rootKey } = await lived()
    await core.close()
    const fresh = newRootKey()
    const parts = { context: systemContext, store, keyring: ringOf(store, fresh, rootKey) }
    const roots = { current: fresh, previous: rootKey }
    expect(await rotateRoot(parts, roots)).toEqual({ from: rootKey.id, to: fresh.id, rewrapped: 2, holders: [] })
    expect(await store.seal.dataKeysNotUnder(fresh.id, 10)).toEqual([])
    await openAll(store, fresh)
    const late = newDataKey(rootKey, 'root', Date.now()).row
    await expect(store.seal.replaceDataKey(late)).rejects.toMatchObject({ code: 'unavailable' })
    const child = { id: 'x', parentId: 'root', path: 'x', customMetadata: {}, createdAt: 1, deletedAt: null }
    await expect(store.namespaces.create(child, newDataKey(rootKey, 'x', 1).row)).rejects.toThrow(/rotated meanwhile/)
    expect(await store.namespaces.byPath('x')).toBeUndefined()
    // Once more: there is nothing left to do.
    expect(await rotateRoot(parts, roots)).toMatchObject({ from: undefined, rewrapped: 0 })
  })

  it('is not given up for one that a live process does not hold; a process that was not seen for long is none', async () => {
    const { store, rootKey } = await lived()
    const fresh = newRootKey()
    const roots = { current: fresh, previous: rootKey }
    const keyring = ringOf(store, fresh, rootKey)
    await expect(rotateRoot({ context: systemContext, store, keyring }, roots)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/^\S+:\d+ would be left without the new root key: restart/),
    })
    expect(await store.meta.get('root_id')).toBe(rootKey.id)
    const later = { ...systemContext, now: () => Date.now() + staleAfterMs + 1_000 }
    expect(await rotateRoot({ context: later, store, keyring }, roots)).toMatchObject({ rewrapped: 2 })
  })

  it('that neither side knows rotates nothing', async () => {
    const { store, core, rootKey } = await lived()
    await core.close()
    const [one, two] = [newRootKey(), newRootKey()]
    const keyring = ringOf(store, one, two)
    await expect(
      rotateRoot({ context: systemContext, store, keyring }, { current: one, previous: two }),
    ).rejects.toMatchObject({ code: 'corrupt' })
    const alone = ringOf(store, rootKey)
    await expect(
      rotateRoot({ context: systemContext, store, keyring: alone }, { current: rootKey, previous: undefined }),
    ).rejects.toThrow(/^there is nothing to rotate to/)
  })

  it('is rotated to an end by a gateway that holds both, which then lets the old one go', async () => {
    const { store, core, rootKey } = await lived()
    await core.close()
    const fresh = newRootKey()
    const held = copyOf(rootKey)
    const keyring = new Keyring([copyOf(fresh), held], store.namespaces, () => store.meta.get('root_id'))
    const keeper = new SealKeeper({ context: systemContext, store, keyring, timing: { lookMs: 3_600_000 } })
    await keeper.start()
    await keeper.look()
    expect(keyring.rootIds).toEqual([fresh.id, rootKey.id])
    // Whoever began the rotation died after its first step.
    await store.seal.switchRoot({ from: rootKey.id, to: fresh.id, since: 1 }, 0)
    await keeper.look()
    expect(await store.seal.dataKeysNotUnder(fresh.id, 10)).toEqual([])
    expect(await store.seal.rootRotation()).toBeUndefined()
    expect(keyring.rootIds).toEqual([fresh.id])
    expect(held.key).toEqual(Buffer.alloc(32))
    expect((await store.seal.live(0)).map(({ roots }) => roots)).toEqual([[fresh.id]])
    await keyring.newDataKey('root', 1)
    await keeper.close()
    expect(await store.seal.live(0)).toEqual([])
    await openAll(store, fresh)
  })
})
