import { describe, expect, it } from 'vitest'
import { CloudError } from '../../../src/core/kms/provider.ts'
import type { StoredVersion } from '../../support/memory-provider.ts'
import {
  asItShouldBe,
  clock,
  cloud,
  deliver,
  found,
  gateway,
  hour,
  kinds,
  memoryGateway,
  read,
  sent,
  settled,
  start,
  until,
} from './restore-gateway.ts'

memoryGateway()

describe('what is put right', () => {
  it('reads versions one by one only where they can be used and were changed', async () => {
    const name = await deliver('restore')
    const reads = () => cloud.calls.filter(({ call }) => call === 'read').length
    const before = reads()
    expect(await found()).toEqual([])
    expect(reads()).toBe(before)
    // Disabled as it should be: what it may be used for is of no account until it is enabled.
    await gateway.core.keys.write(gateway.scope, 'orders', { minEnabledVersion: 2 }, gateway.waiting)
    cloud.change(name, 0, { purposes: ['encrypt'] })
    expect(await found()).toEqual([])
    expect(reads()).toBe(before)
    await gateway.core.keys.write(gateway.scope, 'orders', { minEnabledVersion: 1 }, gateway.waiting)
    expect(await kinds()).toEqual(['purposes'])
    expect(reads()).toBeGreaterThan(before)
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
  })

  it('is put right by itself, once a period at most', async () => {
    const name = await deliver('restore')
    const ruin = () => {
      for (const version of cloud.keys.get(name) ?? []) version.enabled = false
    }
    ruin()
    clock.late += hour + 1_000
    await gateway.core.looks.tick()
    await until(async () => (await read()).lookedAt !== null && (await read()).state === 'settled')
    await asItShouldBe(name)
    ruin()
    // The look after the work finds it as it was, and leaves it for now.
    clock.late += 60_000
    const before = sent()
    const at = (await read()).lookedAt
    await gateway.core.looks.tick()
    await until(async () => (await read()).lookedAt !== at)
    expect([sent(), (await read()).state]).toEqual([before, 'settled'])
    clock.late += 1.2 * hour
    await gateway.core.looks.tick()
    await until(async () => sent() > before && (await read()).state === 'settled')
    await asItShouldBe(name)
  })

  it('leaves tags that others added', async () => {
    const name = await deliver('restore')
    cloud.change(name, 0, { tags: { team: 'x', Stage: 'test', cost: '7' } })
    expect(await kinds()).toEqual(['tags'])
    await settled()
    // Names of tags do not differ by case: what was written over goes.
    expect(cloud.keys.get(name)?.[0]?.tags).toEqual({ team: 'pay', stage: 'prod', cost: '7' })
    expect(await found()).toEqual([])
  })

  it('is not an older version that is gone, which would become the current one, but is all else', async () => {
    const name = await deliver('restore')
    cloud.keys.get(name)?.splice(0, 1)
    cloud.change(name, 0, { enabled: false })
    const imports = () => cloud.calls.filter(({ call }) => call === 'import').length
    const before = imports()
    expect((await found()).map(({ kind, notRestored }) => [kind, notRestored])).toEqual([
      ['version_missing', 'imported again, it would become the current version in place of version 3'],
      ['version_disabled', undefined],
    ])
    await settled()
    expect(cloud.keys.get(name)?.map(({ enabled }) => enabled)).toEqual([true, true])
    expect(await kinds()).toEqual(['version_missing'])
    expect([imports(), (await read()).state]).toEqual([before, 'settled'])
  })

  it('is nothing where somebody else’s version is, also in the place of the key', async () => {
    const name = await deliver('restore')
    const stranger: StoredVersion = { remoteVersion: 'stranger', importId: null, enabled: true, created: 1 }
    cloud.keys.set(name, [stranger])
    const before = sent()
    expect(await kinds()).toEqual(['version_missing', 'version_missing', 'version_missing', 'version_extra'])
    await settled()
    expect([sent(), cloud.keys.get(name)]).toEqual([before, [stranger]])
    expect((await read()).drift.every(({ notRestored }) => notRestored !== undefined)).toBe(true)
  })

  it('is not what the cloud refuses: the reason is told, and the copy is not stopped', async () => {
    const name = await deliver('restore')
    cloud.softDelete(name)
    cloud.faults = [{ call: 'recover', error: () => new CloudError('refused', 'no right to recover'), times: 1 }]
    expect(await kinds()).toEqual(['deleted'])
    await settled()
    const { state, drift } = await read()
    expect([state, drift]).toMatchObject(['settled', [{ kind: 'deleted', notRestored: 'no right to recover' }]])
    // The look after it tells the same; on demand it is tried again.
    clock.late += 60_000
    const before = sent()
    await gateway.core.looks.tick()
    await new Promise((go) => setTimeout(go, 30))
    expect(sent()).toBe(before)
    expect((await read()).drift).toEqual(drift)
    await found()
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
  })

  it.each(['changeVersion', 'recover'] as const)('is not what the provider cannot do: %s', async (capability) => {
    await gateway.close()
    await start((provider) => ({
      ...provider,
      open: async (...about) => {
        const { [capability]: _, ...connection } = await provider.open(...about)
        return connection
      },
    }))
    const name = await deliver('restore')
    if (capability === 'recover') cloud.softDelete(name)
    else cloud.change(name, 2, { purposes: [] })
    const before = sent()
    const [entry] = await found()
    expect(entry?.notRestored).toBe(
      capability === 'recover'
        ? 'the provider does not recover keys'
        : 'the provider has no change of a version in place',
    )
    await settled()
    expect(sent()).toBe(before)
  })

  it('is tried in vain three times where the cloud does not keep what it took', async () => {
    const name = await deliver('restore')
    cloud.change(name, 2, { purposes: [] })
    const act = cloud.act.bind(cloud)
    cloud.act = (call, effect, time) =>
      act(call, () => (call.call === 'change' ? (undefined as never) : effect()), time)
    expect(await kinds()).toEqual(['purposes'])
    await settled()
    expect(cloud.calls.filter(({ call }) => call === 'change')).toHaveLength(3)
    expect((await read()).drift[0]?.notRestored).toMatch(/^the KMS took what versions .* and does not show it$/)
  })
})
