import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CloudError } from '../../../src/core/kms/provider.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

let cloud: MemoryCloud
let gateway: TestCore
const down = () => new CloudError('unavailable', 'the cloud is down', { effect: 'none' })
const refused = () => new CloudError('refused', 'the cloud said no')

beforeEach(async () => {
  cloud = new MemoryCloud()
  gateway = await testCore({ providers: [memoryProvider(new Map([['one', cloud]]))] })
  const { core, scope, waiting } = gateway
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  await core.kms.write(scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: {} })
})
afterEach(() => gateway.close())

/** Not at all: the answer comes while the work goes on. */
const now = () => ({ deadline: 0 })
const distribute = (waiting = gateway.waiting) =>
  gateway.core.distribution.distribute(gateway.scope, 'first', 'orders', { purpose: ['sign'] }, waiting)
const ids = () => gateway.core.operations.list(gateway.scope)
const read = (id: string) => gateway.core.operations.read(gateway.scope, id)
const retry = (id: string) => gateway.core.operations.retry(gateway.scope, id, gateway.waiting)
const cancel = (id: string) => gateway.core.operations.cancel(gateway.scope, id, gateway.waiting)
const onlyId = async () => {
  const all = await ids()
  expect(all).toHaveLength(1)
  return all[0] ?? ''
}
const until = async (done: () => Promise<boolean>) => {
  const end = Date.now() + 5_000
  while (!(await done())) {
    if (Date.now() > end) throw new Error('it did not come to that')
    await new Promise((go) => setTimeout(go, 10))
  }
}
const fault = (call: 'import' | 'describe' | 'remove', error: () => Error, times = Number.POSITIVE_INFINITY) => {
  cloud.faults = [{ call, error, times }]
}

describe('operations', () => {
  it('are read with what they are about and how they stand', async () => {
    expect(await ids()).toEqual([])
    await distribute()
    const id = await onlyId()
    expect(await read(id)).toEqual({
      id,
      kind: 'distribute',
      state: 'succeeded',
      reason: null,
      successor: null,
      createdAt: expect.any(Number),
      finishedAt: expect.any(Number),
      key: 'orders',
      kms: 'first',
      attempts: null,
      nextAttemptAt: null,
    })
    await gateway.core.keys.rotate(gateway.scope, 'orders', gateway.waiting)
    await gateway.core.distribution.remove(gateway.scope, 'first', 'orders', gateway.waiting)
    const all = await ids()
    expect(all).toHaveLength(3)
    expect([...all].sort()).toEqual(all)
    expect(await gateway.core.operations.list(gateway.scope, { after: all[0] ?? '', limit: 1 })).toEqual([all[1]])
    const kinds = await Promise.all(all.map(async (one) => (await read(one)).kind))
    expect(kinds.sort()).toEqual(['distribute', 'remove', 'rotate'])
  })

  it('tell while they are pending why, and when they are tried again', async () => {
    fault('import', down)
    await distribute(now())
    const id = await onlyId()
    await until(async () => ((await read(id)).attempts ?? 0) > 1)
    expect(await read(id)).toMatchObject({
      state: 'pending',
      reason: 'the cloud is down',
      finishedAt: null,
      nextAttemptAt: expect.any(Number),
    })
  })

  it('are not told to another mount', async () => {
    await distribute()
    const id = await onlyId()
    for (const scope of [
      { ...gateway.scope, mountId: 'other' },
      { ...gateway.scope, namespaceId: 'other' },
    ]) {
      await expect(gateway.core.operations.read(scope, id)).rejects.toMatchObject({ code: 'not_found' })
      await expect(gateway.core.operations.retry(scope, id, now())).rejects.toMatchObject({ code: 'not_found' })
      await expect(gateway.core.operations.cancel(scope, id, now())).rejects.toMatchObject({ code: 'not_found' })
    }
    expect(await gateway.core.operations.list({ ...gateway.scope, mountId: 'other' })).toEqual([])
    await expect(read('nothing')).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('trying again', () => {
  it('brings forward what waits for its time', async () => {
    fault('import', () => new CloudError('throttled', 'too many', { retryAfterMs: 3_600_000 }))
    await distribute(now())
    const id = await onlyId()
    await until(async () => (await read(id)).reason === 'too many')
    cloud.faults = []
    expect(await retry(id)).toEqual({ id, warnings: [] })
    expect((await read(id)).state).toBe('succeeded')
  })

  it('takes up what was refused, under an id of its own', async () => {
    await distribute()
    fault('import', refused)
    await gateway.core.keys.rotate(gateway.scope, 'orders', gateway.waiting)
    const failed = async () => {
      const all = await Promise.all((await ids()).map(read))
      return all.find((one) => one.state === 'failed')
    }
    const id = (await failed())?.id ?? ''
    expect(await read(id)).toMatchObject({ kind: 'rotate', reason: 'the cloud said no' })
    // Refused once more.
    const again = await retry(id)
    expect(again.id).not.toBe(id)
    expect(again.warnings).toEqual([`operation ${again.id} (rotate) was refused by the KMS: the cloud said no`])
    cloud.faults = []
    const last = await retry(again.id)
    expect(last.warnings).toEqual([])
    expect(await read(last.id)).toMatchObject({ kind: 'rotate', state: 'succeeded' })
    expect([...cloud.keys.values()][0]).toHaveLength(2)
  })

  it('is refused where there is nothing to be done', async () => {
    await distribute()
    const id = await onlyId()
    await expect(retry(id)).rejects.toMatchObject({
      code: 'invalid',
      message: 'nothing is left to be tried again: it has ended (succeeded)',
    })
  })
})

describe('calling off', () => {
  it('turns a first distribution into a removal', async () => {
    await gateway.core.keys.rotate(gateway.scope, 'orders', gateway.waiting)
    // The first version gets there, the second does not.
    let imports = 0
    cloud.disturb = ({ call }) => (call === 'import' && ++imports > 1 ? { error: down() } : undefined)
    await distribute(now())
    const id = await onlyId()
    await until(async () => imports > 1)
    expect(cloud.keys.size).toBe(1)
    const removal = await cancel(id)
    expect(removal).toEqual({ id: expect.any(String), warnings: [] })
    expect(cloud.keys.size).toBe(0)
    expect(await read(id)).toMatchObject({ state: 'superseded', successor: removal.id })
    expect(await read(removal.id)).toMatchObject({ kind: 'remove', state: 'succeeded' })
    expect(await gateway.core.distribution.kmsOfKey(gateway.scope, 'orders')).toEqual([])
    await expect(cancel(id)).rejects.toMatchObject({
      code: 'invalid',
      message: `the operation cannot be cancelled: it was overtaken by operation ${removal.id}`,
    })
    await expect(retry(id)).rejects.toMatchObject({ code: 'invalid' })
    // The names are free: it can be distributed again.
    cloud.disturb = () => undefined
    expect(await distribute()).toEqual([])
  })

  it('is refused for everything else, and changes nothing', async () => {
    await distribute()
    const first = await onlyId()
    await expect(cancel(first)).rejects.toMatchObject({
      code: 'invalid',
      message: 'the operation cannot be cancelled: it has ended (succeeded)',
    })
    fault('import', down)
    await gateway.core.keys.rotate(gateway.scope, 'orders', now())
    const rotation = (await ids()).find((id) => id !== first) ?? ''
    await expect(cancel(rotation)).rejects.toMatchObject({
      code: 'invalid',
      message: 'only a first distribution can be cancelled, and the key is in this KMS already: remove it there',
    })
    expect((await read(rotation)).state).toBe('pending')
    fault('remove', down)
    await gateway.core.distribution.remove(gateway.scope, 'first', 'orders', now())
    const removal = (await ids()).find((id) => id !== first && id !== rotation) ?? ''
    await expect(cancel(removal)).rejects.toMatchObject({
      code: 'invalid',
      message: 'a removal cannot be cancelled: it goes on until the key is gone',
    })
    cloud.faults = []
    expect((await retry(removal)).warnings).toEqual([])
    expect(cloud.keys.size).toBe(0)
  })
})

describe('removals without a key or a mount', () => {
  it('are shown to the namespace, without any name', async () => {
    const { core, scope } = gateway
    const orphaned = () => core.operations.listOrphaned('root')
    await distribute()
    expect(await orphaned()).toEqual([])
    fault('remove', down)
    await core.distribution.remove(scope, 'first', 'orders', now())
    const views = await Promise.all((await orphaned()).map((id) => core.operations.readAny('root', id)))
    const pending = views.find(({ state }) => state === 'pending')
    expect(pending).toMatchObject({ kind: 'remove', key: null, kms: null })
    await expect(core.operations.readAny('another', pending?.id ?? '')).rejects.toMatchObject({ code: 'not_found' })
    expect(await core.operations.listOrphaned('another')).toEqual([])
    cloud.faults = []
    await retry(pending?.id ?? '')
    expect((await core.operations.readAny('root', pending?.id ?? '')).state).toBe('succeeded')
    expect(await orphaned()).toEqual([])
  })
})
