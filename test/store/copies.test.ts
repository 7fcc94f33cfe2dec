import { describe, expect, it } from 'vitest'
import type { Lease } from '../../src/core/store.ts'
import {
  box,
  copy,
  copyStore,
  dueIds,
  far,
  key,
  kms,
  lease,
  lost,
  now,
  operation,
  read,
  store,
  version,
} from './copy-store.ts'

copyStore()

describe('a lease', () => {
  it('is one process’s until it runs out or is given back', async () => {
    const first = await lease('one')
    expect(await store.copies.lease('copy', 'two', now + 999, now + 5_000)).toBeUndefined()
    expect(await dueIds(now + 999)).toEqual([])
    await store.copies.extend(first, now + 3_000)
    expect(await store.copies.lease('copy', 'two', now + 2_999, now + 5_000)).toBeUndefined()
    await store.copies.release(first)
    expect(await dueIds(now)).toEqual(['copy'])
    const second = await lease('two')
    expect(second.fence).toBeGreaterThan(first.fence)
  })

  it('of a process that has ended is free at once, and whoever takes it over knows', async () => {
    expect(await store.copies.lease('copy', 'dead/1', now, far)).toMatchObject({ abandoned: false })
    expect(await dueIds(now)).toEqual(['copy'])
    expect(await store.copies.dueByLane(undefined, now, 10, 10)).toMatchObject({ copies: [{ id: 'copy' }] })
    const taken = await store.copies.lease('copy', 'two', now, far)
    expect(taken).toMatchObject({ abandoned: true, leaseOwner: 'two' })
    expect(await dueIds(now)).toEqual([])
    await store.copies.release({ copyId: 'copy', fence: taken?.fence ?? 0, generation: 1 })
    expect(await store.copies.lease('copy', 'three', now, far)).toMatchObject({ abandoned: false })
  })

  it('that ran out changes nothing any more, whatever it tries', async () => {
    const old = await lease('one')
    const fresh = await lease('two', now + 2_000)
    const before = JSON.stringify([await read(), await store.copies.versions('copy'), await operation('first')])
    const attempts = [
      store.copies.extend(old, far),
      store.copies.release(old),
      store.copies.rename(old, 'orders-2'),
      store.copies.sent(old, 1, now),
      store.copies.sent(old, 1, null),
      store.copies.seen(old, 1, { remoteVersion: 'x', at: now, enabled: true }),
      store.copies.deleteSent(old, now),
      store.copies.settingState(old, [1]),
      store.copies.settle(old, now),
      store.copies.postpone(old, 'why', now, true),
      store.copies.stop(old, 'why', now),
      store.copies.refuseRemoval(old, 'why', now, now),
      store.copies.giveUp(old, 'why', box(), now),
      store.copies.drop(old, now),
    ]
    for (const attempt of attempts) await expect(attempt).rejects.toEqual(lost)
    expect(JSON.stringify([await read(), await store.copies.versions('copy'), await operation('first')])).toBe(before)
    await store.copies.settle(fresh, now)
    expect(await read()).toMatchObject({ state: 'settled', seenGeneration: 1, leaseOwner: null })
  })

  it('is not to be had of a copy that is settled, stopped or gone', async () => {
    await store.copies.settle(await lease(), now)
    expect(await store.copies.lease('copy', 'two', far, far)).toBeUndefined()
    expect(await store.copies.lease('none', 'two', far, far)).toBeUndefined()
    expect(await dueIds(far)).toEqual([])
  })
})

describe('what a job comes to after what should be was changed', () => {
  const rotate = () => store.keys.addVersion('key', version, now + 50)

  it('does not delay, stop or give up the new', async () => {
    for (const end of [
      (old: Lease) => store.copies.postpone(old, 'why', far, true),
      (old: Lease) => store.copies.stop(old, 'why', now),
      (old: Lease) => store.copies.giveUp(old, 'why', box(), now),
    ]) {
      const old = await lease()
      const { touched } = await rotate()
      await end(old)
      expect(await read()).toMatchObject({
        state: 'pending',
        desired: 'present',
        keyId: 'key',
        reason: null,
        attempts: 0,
        nextAttemptAt: now + 50,
        leaseOwner: null,
        leaseUntil: 0,
      })
      expect(await operation(touched[0]?.operationId ?? '')).toMatchObject({ state: 'pending' })
      expect(await dueIds(now + 50)).toEqual(['copy'])
    }
  })

  it('is seen done as far as it went', async () => {
    const old = await lease()
    const { touched } = await rotate()
    expect(await operation('first')).toMatchObject({ state: 'superseded', successor: touched[0]?.operationId })
    await store.copies.settle(old, now)
    expect(await read()).toMatchObject({ state: 'pending', generation: 2, seenGeneration: 1 })
    expect(await operation(touched[0]?.operationId ?? '')).toMatchObject({ state: 'pending', kind: 'rotate' })
  })

  it('new credentials set everything going that is not done, and nothing that is', async () => {
    await store.copies.stop(await lease(), 'refused', now)
    await store.kms.replaceSettings('kms', box())
    expect(await read()).toMatchObject({ state: 'pending', generation: 2, nextAttemptAt: 0 })
    await store.copies.settle(await lease(), now)
    const newest = box()
    await store.kms.replaceSettings('kms', newest)
    expect(await read()).toMatchObject({ state: 'settled', generation: 2 })
    expect(await store.kms.byId('kms')).toMatchObject({ credentialsGeneration: 3, settingsBox: newest })
  })
})

describe('a removal', () => {
  it('that is refused gives the copy back, with the versions that were made meanwhile', async () => {
    await store.copies.settle(await lease(), now)
    const { operationId } = await store.copies.requestRemoval('copy', 'removal', now)
    await store.keys.addVersion('key', version, now)
    expect(await store.copies.versions('copy')).toHaveLength(1)
    await store.copies.refuseRemoval(await lease(), 'no', now, far)
    expect(await read()).toMatchObject({ desired: 'present', state: 'pending', nextAttemptAt: now })
    expect((await store.copies.versions('copy')).map((row) => row.version)).toEqual([1, 2])
    expect(await operation(operationId)).toMatchObject({ state: 'failed', reason: 'no', kind: 'remove' })
  })

  it('that is refused after it was let go, or after a delete was sent, goes on', async () => {
    for (const begin of [
      () => store.copies.detach('copy', box()),
      async () => store.copies.deleteSent(await lease(), now),
    ]) {
      await store.copies.requestRemoval('copy', 'removal', now)
      await begin()
      const held = await lease()
      await store.copies.refuseRemoval(held, 'no', now, now + 700)
      expect(await read()).toMatchObject({
        desired: 'absent',
        state: 'pending',
        nextAttemptAt: now + 700,
        reason: 'no',
      })
      expect(await operation('removal')).toMatchObject({ state: 'pending' })
    }
  })

  it('lets go of key, KMS and their names, and keeps the name there until it is gone', async () => {
    await store.copies.requestRemoval('copy', 'removal', now)
    expect(await store.copies.requestRemoval('copy', 'another', now)).toEqual({
      copyId: 'copy',
      operationId: 'removal',
    })
    await expect(store.keys.remove('key', (_, copies) => expect(copies).toBe(0))).rejects.toThrow()
    await store.copies.detach('copy', box())
    await store.keys.remove('key', (_, copies) => expect(copies).toBe(0))
    await store.kms.remove('kms', (copies) => expect(copies).toBe(0))
    await store.keys.create({ ...key, id: 'key-2' }, version())
    await store.kms.create({ ...kms, id: 'kms-2', settingsBox: box() })
    const again = { ...copy, id: 'copy-2', keyId: 'key-2', kmsId: 'kms-2' }
    await expect(store.copies.create({ ...again, remoteName: 'ORDERS-1' }, 'second')).rejects.toMatchObject({
      code: 'conflict',
    })
    await store.copies.drop(await lease(), now)
    expect(await operation('removal')).toMatchObject({ state: 'succeeded', finishedAt: now })
    expect((await store.copies.create({ ...again, remoteName: 'ORDERS-1' }, 'second')).copy.id).toBe('copy-2')
  })

  it('of a delivery that was given up ends its operation with the reason', async () => {
    const held = await lease()
    await store.copies.sent(held, 1, now)
    const settings = box()
    await store.copies.giveUp(held, 'the cloud said no', settings, now)
    expect(await read()).toMatchObject({
      desired: 'absent',
      keyId: null,
      kmsId: null,
      settingsBox: settings,
      state: 'pending',
    })
    expect(await operation('first')).toMatchObject({ state: 'pending', reason: 'the cloud said no' })
    await store.copies.postpone(await lease(), 'down', now, true)
    await store.copies.drop(await lease(), now)
    expect(await operation('first')).toMatchObject({ state: 'failed', reason: 'the cloud said no' })
  })
})

describe('operations', () => {
  it('that ended long ago are forgotten, the oldest first, and none that goes on', async () => {
    await store.copies.settle(await lease(), now + 1)
    const touched: string[] = []
    for (let at = now + 2; at < now + 7; at++) {
      touched.push((await store.keys.addVersion('key', version, at)).touched[0]?.operationId ?? '')
      if (at < now + 6) await store.copies.settle(await lease(), at)
    }
    expect(await store.operations.prune(now + 1, 10)).toBe(0)
    expect(await store.operations.prune(now + 4, 2)).toBe(2)
    expect(await operation('first')).toBeUndefined()
    expect(await store.operations.prune(far, 10)).toBe(3)
    expect(await operation(touched.at(-1) ?? '')).toMatchObject({ state: 'pending' })
  })

  it('are their namespace’s alone', async () => {
    expect(await store.operations.byId('other', 'first')).toBeUndefined()
  })
})

it('a mount that is removed takes all of its rows with it, but for the removals that go on', async () => {
  await store.keys.create({ ...key, id: 'key-2', name: 'two' }, version())
  await store.copies.create({ ...copy, id: 'copy-2', keyId: 'key-2', remoteName: 'two-1' }, 'second')
  await store.copies.requestRemoval('copy-2', 'removal', now)
  await store.copies.detach('copy-2', box())
  expect(await store.mounts.remove('other', 'mount')).toEqual([])
  expect(await store.mounts.remove('root', 'mount')).toEqual(['memory://one/orders-1'])
  expect(await store.copies.byId('copy')).toBeUndefined()
  expect(await store.copies.versions('copy')).toEqual([])
  expect(await operation('first')).toBeUndefined()
  expect([await store.keys.byId('key'), await store.kms.byId('kms')]).toEqual([undefined, undefined])
  expect(await dueIds(far)).toEqual(['copy-2'])
  expect(await operation('removal')).toMatchObject({ state: 'pending' })
  await expect(store.keys.create({ ...key, id: 'key-3' }, version())).rejects.toMatchObject({ code: 'not_found' })
})
