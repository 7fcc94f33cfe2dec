import { describe, expect, it } from 'vitest'
import { CloudError } from '../../../src/core/kms/provider.ts'
import { type Disturbance, memoryProvider } from '../../support/memory-provider.ts'
import {
  attackedGateway,
  cloud,
  clouds,
  count,
  distribute,
  down,
  eventually,
  gateway,
  next,
  now,
  refused,
  remove,
  rotate,
  startAnew,
  there,
  turn,
  view,
} from './attacked-gateway.ts'

/** What would lose, double, expose or delete a key if it went wrong while something else is asked for. */

attackedGateway()

describe('what should be changes while a job is at work', () => {
  it('a refusal of the old does not end the new: a removal goes on', async () => {
    await distribute()
    const name = (await view()).remoteName
    next('import', { takesMs: 60, error: refused() })
    await rotate(now)
    await expect.poll(() => count('import'), eventually).toBe(2)
    expect(await remove()).toEqual([])
    expect(cloud.keys.has(name)).toBe(false)
  })

  it('a removal asked for again, while the first one ends, is done as well', async () => {
    await distribute()
    const { requestRemoval } = gateway.store.copies
    gateway.store.copies.requestRemoval = async (...parts) => {
      gateway.store.copies.requestRemoval = requestRemoval
      await remove()
      return await requestRemoval(...parts)
    }
    expect(await remove()).toEqual([])
    expect(cloud.keys.size).toBe(0)
  })

  it('a removal that was let go while it was refused is not forgotten', async () => {
    await distribute()
    const name = (await view()).remoteName
    next('describe', { takesMs: 60, error: refused() }, { error: refused() }, { error: refused() })
    expect((await remove(now))[0]).toMatch(/still going on/)
    await expect(view()).rejects.toMatchObject({ code: 'not_found' })
    await expect.poll(() => cloud.keys.has(name), eventually).toBe(false)
    await expect.poll(() => gateway.store.copies.due(Number.MAX_SAFE_INTEGER, 10), eventually).toEqual([])
  })

  it('credentials replaced while the old ones are being refused are tried', async () => {
    await distribute()
    next('import', { takesMs: 60, error: refused() })
    await rotate(now)
    await expect.poll(() => count('import'), eventually).toBe(2)
    await gateway.core.kms.write(gateway.scope, 'first', { credentials: { secret: 'new' } })
    await expect.poll(async () => (await there()).length, eventually).toBe(2)
  })

  it('a refused removal gives back a copy that is still behind, and it catches up', async () => {
    await distribute()
    next('import', { error: down() })
    await rotate(now)
    await expect.poll(() => count('import'), eventually).toBe(2)
    next('remove', { error: refused() })
    await expect(remove()).rejects.toMatchObject({ code: 'refused', message: 'the cloud said no' })
    await expect.poll(async () => (await there()).length, eventually).toBe(2)
    await expect.poll(async () => (await view()).state, eventually).toBe('settled')
  })

  it('a rotation during a removal that is then refused reaches the copy all the same', async () => {
    await distribute()
    next('remove', { takesMs: 60, error: refused() })
    const removal = remove()
    await expect.poll(() => count('remove'), eventually).toBe(1)
    expect(await rotate()).toEqual({ version: 2, warnings: [] })
    await expect(removal).rejects.toMatchObject({ code: 'refused' })
    await expect.poll(async () => (await there()).length, eventually).toBe(2)
    await expect.poll(async () => Object.keys((await view()).versions), eventually).toEqual(['1', '2'])
  })

  it('a removal whose delete may have had its effect is not answered as refused', async () => {
    await distribute()
    const name = (await view()).remoteName
    const lost = new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' })
    const disturbances: Disturbance[] = [{ error: lost, after: true }]
    cloud.disturb = ({ call }) => {
      if (call === 'remove') return disturbances.shift()
      // Credentials that lost their rights in between.
      return disturbances.length === 0 && count('describe') < 6 ? { error: refused() } : undefined
    }
    expect(await remove()).toEqual([])
    expect(cloud.keys.has(name)).toBe(false)
    await expect(view()).rejects.toMatchObject({ code: 'not_found' })
  })

  it('a removal ends a long delivery instead of waiting for it', async () => {
    for (let version = 2; version <= 60; version++) await rotate()
    cloud.disturb = ({ call }) => (call === 'import' ? { takesMs: 30 } : undefined)
    await distribute({}, now)
    await expect.poll(() => count('import'), eventually).toBeGreaterThan(0)
    expect(await remove()).toEqual([])
    expect(count('import')).toBeLessThan(40)
    expect(cloud.keys.size).toBe(0)
  })

  it('a mount removed meanwhile is not called success', async () => {
    next('describe', { takesMs: 60 })
    const answer = distribute()
    await expect.poll(() => count('describe'), eventually).toBe(1)
    await gateway.core.mounts.remove('root', 'keymgmt')
    expect(await answer).toEqual([expect.stringMatching(/what came of it is not known/)])
  })
})

describe('a first delivery', () => {
  it('that was answered "still going" is not taken back because a rotation waits when it is refused', async () => {
    let rotated = false
    const refusals = [{ error: refused() }]
    cloud.disturb = ({ call }) => {
      if (call === 'import') return refusals.shift()
      return rotated ? undefined : { error: new CloudError('throttled', 'too many', { retryAfterMs: 30 }) }
    }
    expect((await distribute({}, now))[0]).toMatch(/still going on/)
    const rotation = rotate()
    await expect
      .poll(async () => (await gateway.core.keys.read(gateway.scope, 'orders')).latestVersion, eventually)
      .toBe(2)
    rotated = true
    const { warnings } = await rotation
    expect(warnings).toEqual([expect.stringMatching(/\(rotate\) was refused by the KMS: the cloud said no$/)])
    expect(await view()).toMatchObject({ state: 'stopped', reason: 'the cloud said no' })
  })

  it('that never sent anything can be removed while the cloud is down', async () => {
    cloud.disturb = () => ({ error: down() })
    expect((await distribute({}, now))[0]).toMatch(/still going on/)
    expect(await remove()).toEqual([])
    await expect(view()).rejects.toMatchObject({ code: 'not_found' })
  })

  it('asked for again with other parameters changes nothing, also where it was stopped', async () => {
    await distribute()
    next('import', { error: refused() })
    await rotate()
    const calls = cloud.calls.length
    await expect(distribute({ purpose: ['verify'] })).rejects.toMatchObject({ code: 'invalid' })
    await turn(120)
    expect(cloud.calls).toHaveLength(calls)
    expect((await view()).state).toBe('stopped')
  })
})

it('the connection of a removal that outlived its request is closed when it is done', async () => {
  let open = 0
  const provider = memoryProvider(clouds())
  const counted: typeof provider = {
    ...provider,
    open: async (...args) => {
      open += 1
      const close = () => {
        open -= 1
      }
      return { ...(await provider.open(...args)), close }
    },
  }
  await startAnew(counted)
  const { core, scope, waiting } = gateway
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  await core.kms.write(scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: {} })
  await distribute()
  const name = (await view()).remoteName
  next('describe', { error: down() })
  await remove(now)
  await core.kms.delete(scope, 'first')
  await expect.poll(() => cloud.keys.has(name), eventually).toBe(false)
  await expect.poll(() => open, eventually).toBe(0)
})
