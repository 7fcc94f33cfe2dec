import { describe, expect, it } from 'vitest'
import { makeRestored } from '../../../src/core/backup/restore.ts'
import { systemContext } from '../../../src/core/context.ts'
import { CloudError } from '../../../src/core/kms/provider.ts'
import {
  asItShouldBe,
  clock,
  cloud,
  deliver,
  found,
  gateway,
  kinds,
  memoryGateway,
  read,
  sent,
  settled,
  until,
} from './restore-gateway.ts'

memoryGateway()

describe('what is put right', () => {
  it('is every version once, also where the answer to an import was lost', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    const lost = () => new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' })
    cloud.faults = [
      { call: 'import', error: lost, after: true, times: 1 },
      { call: 'import', error: lost, times: 1 },
    ]
    expect(await kinds()).toEqual(['missing'])
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
  })

  it('takes no other name where the old one is held by a deleted key that cannot be seen', async () => {
    const name = await deliver('restore')
    const versions = cloud.keys.get(name) ?? []
    cloud.keys.delete(name)
    cloud.faults = [{ call: 'import', error: () => new CloudError('name_taken', 'the name is held'), times: 9 }]
    expect(await kinds()).toEqual(['missing'])
    await settled()
    expect((await read()).drift).toMatchObject([{ kind: 'missing', notRestored: 'the name is held' }])
    // Somebody else recovers it: its places are found again, and nothing was made twice.
    cloud.faults = []
    cloud.keys.set(name, versions)
    await found()
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
  })

  it('is not sent on the word of one look: what shows again meanwhile is left', async () => {
    const name = await deliver('restore')
    const versions = cloud.keys.get(name) ?? []
    cloud.keys.delete(name)
    let looks = 0
    cloud.disturb = ({ call }) => {
      if (call === 'describe' && ++looks === 2) cloud.keys.set(name, versions)
      return undefined
    }
    const imports = cloud.calls.filter(({ call }) => call === 'import').length
    expect(await kinds()).toEqual(['missing'])
    await settled()
    expect(cloud.calls.filter(({ call }) => call === 'import')).toHaveLength(imports)
    await asItShouldBe(name)
  })

  it('goes no further once it is only to be told', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    cloud.faults = [{ call: 'import', error: () => new CloudError('throttled', 'too many'), times: 1e9 }]
    expect(await kinds()).toEqual(['missing'])
    await until(async () => cloud.calls.some(({ call }) => call === 'import') && (await read()).reason !== null)
    await deliver('report')
    await settled()
    cloud.faults = []
    const before = sent()
    expect(await kinds()).toEqual(['missing'])
    expect(await read()).toMatchObject({ state: 'settled', repair: 'report', remoteName: name })
    expect([sent(), cloud.keys.size]).toEqual([before, 0])
    await deliver('restore')
    expect(await kinds()).toEqual(['missing'])
    await settled()
    await asItShouldBe(name)
  })

  it('disables nothing once it is only to be told, not even a version that came back with another key', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    cloud.disturb = ({ call }) => {
      for (const version of cloud.keys.get(name) ?? []) version.publicKey = Buffer.from('somebody else')
      if (call !== 'import') return undefined
      return { error: new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' }), effectAfterMs: 150 }
    }
    expect(await kinds()).toEqual(['missing'])
    await until(async () => cloud.calls.at(-1)?.call === 'import')
    const before = sent()
    await expect(deliver('report')).rejects.toThrow('another public key')
    await settled()
    expect(await read()).toMatchObject({ state: 'stopped', reason: expect.stringContaining('another public key') })
    expect(cloud.keys.get(name)?.map(({ enabled }) => enabled)).toEqual([true, true])
    expect(sent()).toBe(before)
  })

  it('is what stands in the way of a rotation as well', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    const { core, scope, waiting } = gateway
    const { warnings } = await core.keys.rotate(scope, 'orders', waiting)
    expect(warnings.join()).toMatch(/is no longer in the KMS/)
    expect(await read()).toMatchObject({ state: 'stopped' })
    // Soon after it is looked at, and goes on by itself.
    clock.late += 60_000
    await core.looks.tick()
    await until(async () => (await read()).state === 'settled')
    await asItShouldBe(name)
  })

  it('is nothing while copies are held after a restore of the database', async () => {
    const name = await deliver('restore')
    cloud.keys.delete(name)
    const { core, store, rootKey } = gateway
    await makeRestored(
      store,
      { current: { id: rootKey.id, key: Buffer.from(rootKey.key) }, previous: undefined },
      1,
      systemContext,
    )
    const before = sent()
    for (let times = 0; times < 2; times++) expect(await kinds()).toEqual(['missing'])
    await new Promise((go) => setTimeout(go, 150))
    expect([sent(), cloud.keys.size, (await read()).state]).toEqual([before, 0, 'settled'])
    await core.restore.release({ unreachable: false })
    await settled()
    await asItShouldBe(name)
  })
})
