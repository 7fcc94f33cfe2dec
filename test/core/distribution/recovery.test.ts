import { beforeEach, describe, expect, it } from 'vitest'
import { CloudError } from '../../../src/core/kms/provider.ts'
import { cloud, deliver, found, gateway, kinds, memoryGateway, read, settled, start, until } from './restore-gateway.ts'

memoryGateway()

const lostAfterMs = 300
const recoveryMs = 20_000
beforeEach(async () => {
  await gateway.close()
  await start((provider) => ({ ...provider, recoveryMs }))
})

const times = (call: string) => cloud.calls.filter((one) => one.call === call).length
const asked = (count = 1) => until(async () => times('recover') >= count)
/** A removal that goes on when its caller no longer waits. */
const remove = async (name = 'orders') => {
  const { core, scope } = gateway
  const [warning] = await core.distribution.remove(scope, 'prod', name, { deadline: Date.now() + 100 })
  expect(warning).toMatch(/still going on/)
}
/** Once the key came back it is deleted again, and that is all. */
const comesBackAndGoes = async () => {
  await until(async () => times('remove') > 0 && cloud.keys.size === 0)
  const { core, scope } = gateway
  await until(async () => {
    const all = await Promise.all((await core.operations.list(scope)).map((id) => core.operations.read(scope, id)))
    return all.every(({ state }) => state !== 'pending')
  })
  expect([cloud.keys.size, cloud.deleted.size, times('remove')]).toEqual([0, 0, 1])
}

describe('a removal of a key that is being recovered waits for it', () => {
  it('where the recovery takes longer than any other call', async () => {
    const name = await deliver('restore')
    cloud.softDelete(name)
    cloud.recoveryTakesMs = 2 * lostAfterMs
    expect(await kinds()).toEqual(['deleted'])
    await asked()
    await remove()
    await comesBackAndGoes()
  })

  it('where its answer was lost', async () => {
    const name = await deliver('restore')
    cloud.softDelete(name)
    const lost = new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' })
    cloud.disturb = ({ call }) => (call === 'recover' ? { error: lost, effectAfterMs: 2 * lostAfterMs } : undefined)
    expect(await kinds()).toEqual(['deleted'])
    await asked()
    await remove()
    await comesBackAndGoes()
  })

  it.each([
    'unavailable',
    'throttled',
    'refused',
  ] as const)('where it was asked for once more, and that was %s', async (kind) => {
    const name = await deliver('restore')
    cloud.softDelete(name)
    cloud.recoveryTakesMs = 4 * lostAfterMs
    const error = new CloudError(kind, 'the key is being recovered', { effect: 'none' })
    cloud.disturb = ({ call }) => (call === 'recover' && times('recover') > 1 ? { error } : undefined)
    expect(await kinds()).toEqual(['deleted'])
    await asked(2)
    await remove()
    await comesBackAndGoes()
  })

  it('where a version was made meanwhile, which is not there yet', async () => {
    const name = await deliver('restore')
    cloud.softDelete(name)
    cloud.recoveryTakesMs = 3 * lostAfterMs
    await gateway.core.keys.rotate(gateway.scope, 'orders', gateway.waiting)
    expect(await kinds()).toEqual(['deleted'])
    await asked()
    await remove()
    await comesBackAndGoes()
  })

  it('where nothing of it is to be seen meanwhile, and its name cannot be used', async () => {
    const { core, scope, waiting } = gateway
    const input = { purpose: ['sign', 'verify'], repair: 'restore' as const }
    await core.keys.write(scope, 'solo', { type: 'ecdsa-p256' }, waiting)
    await core.distribution.distribute(scope, 'prod', 'solo', input, waiting)
    const solo = () => core.distribution.read(scope, 'prod', 'solo')
    const { remoteName } = await solo()
    cloud.softDelete(remoteName)
    const held = cloud.deleted.get(remoteName) ?? []
    const isComing = () => times('recover') > 0 && !cloud.keys.has(remoteName)
    cloud.disturb = ({ call }) => {
      if (call === 'recover') {
        cloud.deleted.delete(remoteName)
        setTimeout(() => cloud.keys.set(remoteName, held), 5 * lostAfterMs)
      }
      if (call !== 'import' || !isComing()) return undefined
      return { error: new CloudError('name_taken', 'the key is being recovered', { effect: 'none' }) }
    }
    await found()
    await asked()
    await until(async () => (await solo()).state !== 'pending')
    await found()
    await remove('solo')
    await comesBackAndGoes()
  })
})

describe('a removal does not wait', () => {
  it('where a recovery has had its effect', async () => {
    const name = await deliver('restore')
    cloud.softDelete(name)
    expect(await kinds()).toEqual(['deleted'])
    await asked()
    await settled()
    expect((await read()).state).toBe('settled')
    const { core, scope, waiting } = gateway
    const looks = times('describe')
    expect(await core.distribution.remove(scope, 'prod', 'orders', waiting)).toEqual([])
    expect([times('describe') - looks, cloud.keys.size]).toEqual([2, 0])
  })

  it('longer than for an import, where versions were imported again', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    const lost = new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' })
    cloud.disturb = ({ call }) => (call === 'import' ? { error: lost } : undefined)
    expect(await kinds()).toEqual(['missing'])
    await until(async () => times('import') > 3)
    const { core, scope, waiting } = gateway
    expect(await core.distribution.remove(scope, 'prod', 'orders', waiting)).toEqual([])
  })
})
