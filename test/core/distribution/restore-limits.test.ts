import { describe, expect, it } from 'vitest'
import { CloudError } from '../../../src/core/kms/provider.ts'
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
  until,
} from './restore-gateway.ts'

memoryGateway()

describe('what is put right never', () => {
  it('makes an older version the current one in a rotation, while the one that callers have is there', async () => {
    const name = await deliver('restore')
    cloud.keys.get(name)?.splice(0, 1)
    const { core, scope, waiting } = gateway
    await core.keys.rotate(scope, 'orders', waiting)
    await settled()
    expect(cloud.keys.get(name)?.map(({ importId }) => importId?.split('-')[0])).toEqual(['v2', 'v3', 'v4'])
    expect((await found()).map(({ kind, notRestored }) => [kind, notRestored])).toEqual([
      ['version_missing', 'imported again, it would become the current version in place of version 4'],
    ])
  })

  it('takes a version for gone whose tag was changed into that of another', async () => {
    cloud.listPermitted = false
    const name = await deliver('restore')
    cloud.change(name, 2, { importId: cloud.keys.get(name)?.[0]?.importId ?? null })
    expect(await kinds()).toEqual(['tags'])
    await settled()
    await asItShouldBe(name)
    expect(await found()).toEqual([])
  })

  it.each([
    ['with a list', true],
    ['without a list', false],
  ])('goes on against a cloud that keeps versions disabled, %s', async (_, listPermitted) => {
    cloud.listPermitted = listPermitted
    const name = await deliver('restore')
    cloud.change(name, 0, { enabled: false })
    const act = cloud.act.bind(cloud)
    cloud.act = (call, effect, time) =>
      act(call, () => (call.call === 'set-enabled' ? (undefined as never) : effect()), time)
    expect(await kinds()).toEqual(['version_disabled'])
    await settled()
    expect(cloud.calls.filter(({ call }) => call === 'set-enabled')).toHaveLength(3)
    expect((await read()).drift[0]?.notRestored).toMatch(/does not show which versions were enabled or disabled/)
    const before = sent()
    await new Promise((go) => setTimeout(go, 50))
    expect([sent(), (await read()).state]).toEqual([before, 'settled'])
  })

  it.each<[string, (name: string, times: number) => void]>([
    ['loses the newest version each time', (name) => cloud.keys.get(name)?.pop()],
    ['has another end each time', (name, times) => cloud.change(name, 2, { expires: 1_900_000_000 + times })],
    [
      'has other operations each time',
      (name, times) => cloud.change(name, 2, { purposes: times % 2 ? [] : ['encrypt'] }),
    ],
  ])('is sent more than once a period to a key that %s', async (_, ruin) => {
    const name = await deliver('restore')
    ruin(name, 0)
    clock.late += 1.2 * hour
    const before = sent()
    await gateway.core.looks.tick()
    await until(async () => sent() > before && (await read()).state === 'settled')
    const once = sent()
    for (let times = 1; times <= 5; times++) {
      ruin(name, times)
      clock.late += 60_000
      const at = (await read()).lookedAt
      await gateway.core.looks.tick()
      await until(async () => times > 1 || (await read()).lookedAt !== at)
      await settled()
    }
    expect(sent()).toBe(once)
    expect((await read()).drift).toHaveLength(1)
  })

  it('makes an older version the current one where the newest was in the vault alone', async () => {
    cloud.listPermitted = false
    const name = await deliver('restore')
    const { store, scope } = gateway
    const key = await store.keys.find(scope.mountId, 'orders')
    const version = store.keys.version.bind(store.keys)
    store.keys.version = (id, number) => (id === key?.id && number === 3 ? undefined : version(id, number))
    cloud.keys.delete(name)
    const before = sent()
    expect(await kinds()).toEqual(['missing'])
    await settled()
    expect([sent(), cloud.keys.size]).toEqual([before, 0])
    expect((await read()).drift[0]?.notRestored).toMatch(/^version 3 of .* was in the KMS alone/)
  })

  it.each([
    ['with a list', true],
    ['without a list', false],
  ])('keeps a version that is gone from the others’ being disabled, %s', async (_, listPermitted) => {
    cloud.listPermitted = listPermitted
    const name = await deliver('restore')
    cloud.keys.get(name)?.splice(0, 1)
    const { core, scope, waiting } = gateway
    expect((await core.keys.write(scope, 'orders', { minEnabledVersion: 3 }, waiting)).warnings).toEqual([])
    expect(cloud.keys.get(name)?.map(({ enabled }) => enabled)).toEqual([false, true])
    // What is not there cannot be enabled, and that is told; the others are.
    const { warnings } = await core.keys.write(scope, 'orders', { minEnabledVersion: 1 }, waiting)
    expect(warnings.join()).toMatch(/no such version/)
    expect(cloud.keys.get(name)?.map(({ enabled }) => enabled)).toEqual([true, true])
  })

  it('keeps a rotation from being done, where the cloud does not take or keep what versions are given back', async () => {
    const name = await deliver('restore')
    const { core, scope, waiting } = gateway
    cloud.change(name, 0, { tags: {} })
    const act = cloud.act.bind(cloud)
    for (const refusal of [true, false]) {
      cloud.act = (call, effect, time) =>
        act(
          call,
          () => {
            if (call.call !== 'change') return effect()
            if (refusal) throw new CloudError('refused', 'no right to change')
            return undefined as never
          },
          time,
        )
      expect(await kinds()).toEqual(['tags'])
      await settled()
      expect((await core.keys.rotate(scope, 'orders', waiting)).warnings).toEqual([])
      expect(await read()).toMatchObject({
        state: 'settled',
        drift: [{ kind: 'tags', notRestored: expect.any(String) }],
      })
    }
    cloud.act = act
    expect(await kinds()).toEqual(['tags'])
    await settled()
    await asItShouldBe(name)
  })
})
