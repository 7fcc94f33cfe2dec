import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CloudError } from '../../../src/core/kms/provider.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

let cloud: MemoryCloud
let other: MemoryCloud
let gateway: TestCore
const refused = () => new CloudError('refused', 'the cloud said no')
const lost = () => new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' })

beforeEach(async () => {
  cloud = new MemoryCloud()
  other = new MemoryCloud()
  gateway = await testCore({
    providers: [
      memoryProvider(
        new Map([
          ['one', cloud],
          ['two', other],
        ]),
      ),
    ],
  })
  const { core, scope, waiting } = gateway
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  await core.kms.write(scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: {} })
  await core.kms.write(scope, 'second', { provider: 'memory', keyCollection: 'two', credentials: {} })
})
afterEach(() => gateway.close())

const distribute = (kms = 'first', more = {}) => {
  const { core, scope, waiting } = gateway
  return core.distribution.distribute(scope, kms, 'orders', { purpose: ['sign', 'verify'], ...more }, waiting)
}
const remoteName = async (kms = 'first') =>
  (await gateway.core.distribution.read(gateway.scope, kms, 'orders')).remoteName
const there = async (kms = 'first') => (kms === 'first' ? cloud : other).keys.get(await remoteName(kms)) ?? []
const imports = () => cloud.calls.filter((one) => one.call === 'import').length

describe('a delivery', () => {
  it('imports every version, the newest last, and says where each is', async () => {
    const { core, scope, waiting } = gateway
    await core.keys.rotate(scope, 'orders', waiting)
    await core.keys.rotate(scope, 'orders', waiting)
    expect(await distribute()).toEqual([])
    const copy = await core.distribution.read(scope, 'first', 'orders')
    const versions = await there()
    expect(copy.remoteName).toMatch(/^orders-\d{10}$/)
    expect(Object.keys(copy.versions)).toEqual(['1', '2', '3'])
    expect(versions.at(-1)?.remoteVersion).toBe(copy.versions[3])
    expect(copy).toMatchObject({ state: 'settled', reason: null, protection: 'hsm', purposes: ['sign', 'verify'] })
    expect(imports()).toBe(3)
  })

  it('goes to several KMSs, and rotation follows in each', async () => {
    const { core, scope, waiting } = gateway
    await Promise.all([distribute('first'), distribute('second')])
    expect(await core.distribution.kmsOfKey(scope, 'orders')).toEqual(['first', 'second'])
    expect(await core.keys.rotate(scope, 'orders', waiting)).toEqual({ version: 2, warnings: [] })
    for (const kms of ['first', 'second']) expect(await there(kms)).toHaveLength(2)
  })

  it('done twice at once is done once; other parameters are refused', async () => {
    expect(await Promise.all([distribute(), distribute(), distribute()])).toEqual([[], [], []])
    expect(imports()).toBe(1)
    await expect(distribute('first', { purpose: ['sign'] })).rejects.toThrow(
      /in this KMS already, with protection hsm and purpose sign,verify/,
    )
    expect(await distribute()).toEqual([])
    expect(imports()).toBe(1)
  })

  it('refused for good leaves nothing here or there', async () => {
    const { core, scope, waiting } = gateway
    await core.keys.rotate(scope, 'orders', waiting)
    cloud.faults.push(
      { call: 'import', error: lost, after: true, times: 1 },
      { call: 'import', error: refused, times: 9 },
    )
    await expect(distribute()).rejects.toMatchObject({ code: 'refused', message: 'the cloud said no' })
    expect(cloud.keys.size).toBe(0)
    expect(await core.distribution.kmsOfKey(scope, 'orders')).toEqual([])
    cloud.faults = []
    await core.kms.delete(scope, 'first')
  })

  it('finds an import whose answer was lost, and never makes a second', async () => {
    cloud.faults.push({ call: 'import', error: lost, after: true, times: 1 })
    expect(await distribute()).toEqual([])
    expect(imports()).toBe(1)
    expect(await there()).toHaveLength(1)
  })

  it('finds it also where listing is not permitted', async () => {
    const { core, scope, waiting } = gateway
    cloud.listPermitted = false
    await core.keys.rotate(scope, 'orders', waiting)
    cloud.faults.push({ call: 'import', error: lost, after: true, times: 2 })
    expect(await distribute()).toEqual([])
    expect(imports()).toBe(2)
  })

  it('sends again what was lost before it took effect, but only after it can no longer do so', async () => {
    cloud.faults.push({ call: 'import', error: lost, times: 1 })
    expect(await distribute()).toEqual([])
    expect(imports()).toBe(2)
    expect(await there()).toHaveLength(1)
  })

  it('that is still going at the deadline succeeds with a warning, and goes on', async () => {
    cloud.faults.push({ call: 'describe', error: () => new CloudError('throttled', 'too many'), times: 1 })
    const { core, scope } = gateway
    const [warning] = await core.distribution.distribute(
      scope,
      'first',
      'orders',
      { purpose: ['sign'] },
      { deadline: 0 },
    )
    expect(warning).toMatch(/^operation [0-9a-f-]{36} \(distribute\) is still going on/)
    await expect
      .poll(async () => (await core.distribution.read(scope, 'first', 'orders')).state, { timeout: 10_000 })
      .toBe('settled')
  })

  it('never takes a name that somebody else has', async () => {
    const taken = { remoteVersion: 'x', importId: null, enabled: true, created: 0 }
    const now = Math.floor(Date.now() / 1000)
    for (let second = now - 1; second < now + 3; second++) cloud.keys.set(`orders-${second}`, [{ ...taken }])
    await distribute()
    expect(Number((await remoteName()).slice('orders-'.length))).toBeGreaterThanOrEqual(now + 3)
    await gateway.core.distribution.remove(gateway.scope, 'first', 'orders', gateway.waiting)
    await expect(distribute('first', { name: `orders-${now}` })).rejects.toThrow(/is taken in the KMS/)
  })
})

describe('versions', () => {
  it('below min_enabled_version are disabled, and enabled again when it is lowered', async () => {
    const { core, scope, waiting } = gateway
    await core.keys.rotate(scope, 'orders', waiting)
    await distribute()
    await core.keys.write(scope, 'orders', { minEnabledVersion: 2 }, waiting)
    expect((await there()).map((one) => one.enabled)).toEqual([false, true])
    await core.keys.write(scope, 'orders', { minEnabledVersion: 0 }, waiting)
    expect((await there()).map((one) => one.enabled)).toEqual([true, true])
  })

  it('a rotation that the KMS refuses is made all the same, with a warning', async () => {
    const { core, scope, waiting } = gateway
    await distribute()
    cloud.faults.push({ call: 'import', error: refused, times: 1 })
    const { version, warnings } = await core.keys.rotate(scope, 'orders', waiting)
    expect(version).toBe(2)
    expect(warnings[0]).toMatch(/\(rotate\) was refused by the KMS: the cloud said no$/)
    expect(await core.distribution.read(scope, 'first', 'orders')).toMatchObject({
      state: 'stopped',
      reason: 'the cloud said no',
    })
    await core.kms.write(scope, 'first', { credentials: {} })
    await expect.poll(async () => (await there()).length, { timeout: 10_000 }).toBe(2)
  })

  it('are not sent onto a version of somebody else', async () => {
    const { core, scope, waiting } = gateway
    await distribute()
    cloud.keys.get(await remoteName())?.push({ remoteVersion: 'stranger', importId: null, enabled: true, created: 1 })
    const { warnings } = await core.keys.rotate(scope, 'orders', waiting)
    expect(warnings[0]).toMatch(/version stranger of "orders-\d+" was not made by this gateway/)
    expect(await there()).toHaveLength(2)
    await expect(core.distribution.remove(scope, 'first', 'orders', waiting)).rejects.toThrow(/nothing is deleted/)
    expect(await there()).toHaveLength(2)
  })

  it('that come back with another public key are not trusted', async () => {
    const { core, scope, waiting } = gateway
    const alien = Buffer.from('not our key')
    const originals = cloud.act.bind(cloud)
    cloud.act = async (call, effect) => {
      const result = await originals(call, effect)
      return call.call === 'import' ? { ...result, publicKey: alien } : result
    }
    await expect(distribute()).rejects.toThrow(/another public key/)
    expect(cloud.keys.size).toBe(0)
    cloud.act = originals
    await distribute()
    cloud.act = async (call, effect) => {
      const result = await originals(call, effect)
      return call.call === 'import' ? { ...result, publicKey: alien } : result
    }
    expect((await core.keys.rotate(scope, 'orders', waiting)).warnings[0]).toMatch(/another public key/)
    expect((await there()).map((one) => one.enabled)).toEqual([true, false])
  })
})

describe('a removal', () => {
  it('deletes there, keeps the key here, and can be followed by a new delivery', async () => {
    const { core, scope, waiting } = gateway
    await distribute()
    const first = await remoteName()
    await expect(core.keys.delete(scope, 'orders')).rejects.toThrow(/still in 1 KMS provider/)
    expect(await core.distribution.remove(scope, 'first', 'orders', waiting)).toEqual([])
    expect(cloud.keys.has(first)).toBe(false)
    await expect(core.distribution.read(scope, 'first', 'orders')).rejects.toMatchObject({ code: 'not_found' })
    expect(await core.distribution.remove(scope, 'first', 'orders', waiting)).toEqual([])
    await distribute()
    expect(await there()).toHaveLength(1)
  })

  it('refused leaves the copy as it was', async () => {
    const { core, scope, waiting } = gateway
    await distribute()
    cloud.faults.push({ call: 'remove', error: refused, times: 1 })
    await expect(core.distribution.remove(scope, 'first', 'orders', waiting)).rejects.toMatchObject({ code: 'refused' })
    expect(await there()).toHaveLength(1)
    expect(await core.distribution.kmsOfKey(scope, 'orders')).toEqual(['first'])
  })

  it('that outlives its request frees the names at once and ends by itself', async () => {
    const { core, scope, waiting } = gateway
    await distribute()
    const name = await remoteName()
    cloud.faults.push({ call: 'describe', error: () => new CloudError('unavailable', 'down'), times: 1 })
    const warnings = await core.distribution.remove(scope, 'first', 'orders', { deadline: 0 })
    expect(warnings[0]).toMatch(/\(remove\) is still going on/)
    await core.keys.write(scope, 'orders', { deletionAllowed: true }, waiting)
    await core.keys.delete(scope, 'orders')
    await core.kms.delete(scope, 'first')
    await expect.poll(() => cloud.keys.has(name), { timeout: 10_000 }).toBe(false)
  })
})
