import { expect, it } from 'vitest'
import { Sweeper } from '../../../src/core/access/sweeper.ts'
import { systemContext } from '../../../src/core/context.ts'
import { testCore } from '../../support/gateway.ts'

it('forgets what is over, in batches, and nothing else', async () => {
  let time = 1_800_000_000_000
  const timers: { ms: number; work: () => void }[] = []
  const { core, store, rootToken, close } = await testCore({
    context: {
      now: () => time,
      after: (ms, work) => {
        timers.push({ ms, work })
        return () => {}
      },
    },
  })
  const root = await core.authenticator.authenticate(rootToken)
  const how = { sudo: true, path: 'x' }
  for (let index = 0; index < 450; index++) {
    await core.tokens.create(root, { id: 'root' }, { policies: ['default'], ttl: index < 430 ? 60 : 3600 }, how)
  }
  const door = await core.doors.mounts.enable('root', 'approle', { type: 'approle' })
  await core.doors.approle.write(door, 'r', {})
  await core.doors.secretIds.create(door, 'r', { ttl: 60 })
  await core.doors.secretIds.create(door, 'r', { ttl: 3600 })
  await core.wrapping.wrap('root', 'x', '{}', 60)
  const kept = await core.wrapping.wrap('root', 'x', '{}', 3600)
  expect(await store.tokens.count('root')).toBe(451)
  // The core has one of these at work by itself.
  expect(timers.some(({ ms }) => ms === 5_000)).toBe(true)
  const planned: { ms: number; work: () => void }[] = []
  const after = (ms: number, work: () => void) => {
    planned.push({ ms, work })
    return () => {}
  }
  const sweeper = new Sweeper({ ...core.context, after }, [
    store.tokens.expire,
    store.secretIds.expire,
    store.wrapped.expire,
  ])
  sweeper.start()
  const next = async () => {
    const before = planned.length
    planned.at(-1)?.work()
    await expect.poll(() => planned.length).toBe(before + 1)
    return planned.at(-1)?.ms
  }
  // Nothing is over yet, and nothing is written.
  expect(await next()).toBe(5_000)
  expect(await store.tokens.count('root')).toBe(451)
  time += 61_000
  expect([await next(), await store.tokens.count('root')]).toEqual([50, 251])
  expect([await next(), await store.tokens.count('root')]).toEqual([50, 51])
  expect([await next(), await store.tokens.count('root')]).toEqual([5_000, 21])
  expect(await core.doors.secretIds.accessors(door, 'r')).toHaveLength(1)
  expect((await core.wrapping.lookup(kept.token)).ttl).toBe(3600)
  expect(await store.usage.of('root')).toMatchObject({ tokens: 22 })
  await close()
})

it('goes on after what fails, says so, and stops', async () => {
  const logged: string[] = []
  const planned: (() => void)[] = []
  const context = {
    ...systemContext,
    log: (_: string, message: string) => void logged.push(message),
    after: (_: number, work: () => void) => {
      planned.push(work)
      return () => {}
    },
  }
  let swept = 0
  const sweeper = new Sweeper(context, [
    async () => {
      throw new Error('the disk is full')
    },
    async () => {
      swept += 1
      return 0
    },
  ])
  sweeper.start()
  planned.shift()?.()
  await expect.poll(() => planned.length).toBe(1)
  expect([logged, swept]).toEqual([['what is over was not swept away'], 1])
  await sweeper.close()
  planned.shift()?.()
  await new Promise((go) => setImmediate(go))
  expect([planned.length, swept]).toEqual([0, 1])
})
