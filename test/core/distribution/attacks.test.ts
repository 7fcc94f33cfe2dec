import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeyferryError } from '../../../src/core/errors.ts'
import { CloudError } from '../../../src/core/kms/provider.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'
import {
  attackedGateway,
  clock,
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
  rotate,
  there,
  turn,
  view,
} from './attacked-gateway.ts'

/** What would lose, double, expose or delete a key if it went wrong: each was once seen to go wrong, or nearly. */

attackedGateway()

describe('trouble of our own database', () => {
  it('is no refusal of the cloud: nothing is taken back or stopped for it', async () => {
    const { seen } = gateway.store.copies
    let times = 2
    gateway.store.copies.seen = async (...args) => {
      if (times-- > 0) throw new KeyferryError('unavailable', 'the database is locked by another process')
      return await seen(...args)
    }
    expect(await distribute()).toEqual([])
    expect(await there()).toHaveLength(1)
    expect([count('import'), count('remove')]).toEqual([1, 0])
  })

  it('that cannot tell what came of an operation is not called success', async () => {
    next('describe', { takesMs: 60, error: down() })
    gateway.store.operations.byId = () => {
      throw new KeyferryError('unavailable', 'the database is locked by another process')
    }
    expect(await distribute({}, { deadline: Date.now() + 30 })).toEqual([
      expect.stringMatching(/^operation [0-9a-f-]{36}: what came of it is not known/),
    ])
  })

  it('that held a write up for long does not make the time of sending a lie', async () => {
    const { sent } = gateway.store.copies
    let slow = true
    let recordedAt = 0
    gateway.store.copies.sent = async (lease, version, at) => {
      recordedAt = at ?? recordedAt
      await sent(lease, version, at)
      if (slow) clock.late += 20_000
      slow = false
    }
    const ages: number[] = []
    cloud.disturb = ({ call }) => {
      if (call === 'import') ages.push(Date.now() + clock.late - recordedAt)
      return undefined
    }
    expect(await distribute()).toEqual([])
    expect(ages).toHaveLength(1)
    expect(ages[0]).toBeLessThan(5_000)
  })
})

describe('material that is not ours', () => {
  it('is never enabled again, whatever sets the copy going', async () => {
    await distribute()
    const act = cloud.act.bind(cloud)
    const foreign = new Set<string>()
    cloud.act = async (call, effect, time) => {
      const result = await act(call, effect, time)
      if (call.call === 'import') foreign.add((result as { remoteVersion: string }).remoteVersion)
      const of = (one: { remoteVersion?: string } | undefined) =>
        one?.remoteVersion !== undefined && foreign.has(one.remoteVersion)
          ? { ...one, publicKey: Buffer.from('somebody else') }
          : one
      const seen = result as { latest?: { remoteVersion: string }; remoteVersion?: string } | undefined
      return (seen?.latest ? { ...seen, latest: of(seen.latest) } : of(seen)) as typeof result
    }
    expect((await rotate()).warnings[0]).toMatch(/another public key/)
    expect((await there()).map((one) => one.enabled)).toEqual([true, false])
    const { core, scope, waiting } = gateway
    await core.kms.write(scope, 'first', { credentials: {} })
    await expect.poll(async () => (await view()).state, eventually).toBe('stopped')
    await expect(distribute()).rejects.toThrow(/another public key/)
    await core.keys.write(scope, 'orders', { minEnabledVersion: 0 }, waiting)
    expect((await there()).map((one) => one.enabled)).toEqual([true, false])
    expect(await view()).toMatchObject({ state: 'stopped', reason: expect.stringMatching(/another public key/) })
    expect(count('remove')).toBe(0)
  })
})

it('foreign material in a name of our own making goes, also when nobody waits any more', async () => {
  const act = cloud.act.bind(cloud)
  cloud.act = async (call, effect, time) => {
    const result = await act(call, effect, time)
    return call.call === 'import' ? { ...result, publicKey: Buffer.from('somebody else') } : result
  }
  next('import', { takesMs: 60 })
  expect((await distribute({}, now))[0]).toMatch(/still going on/)
  await expect.poll(() => count('remove'), eventually).toBe(1)
  expect(cloud.keys.size).toBe(0)
  await expect(view()).rejects.toMatchObject({ code: 'not_found' })
})

it('an import that takes effect long after its answer was lost is found, and not made twice', async () => {
  const lost = new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' })
  next('import', { error: lost, effectAfterMs: 200 })
  expect(await distribute()).toEqual([])
  expect(await there()).toHaveLength(1)
  expect(count('import')).toBe(1)
})

it('a version whose state was set without an answer is set again, also where it cannot be listed', async () => {
  cloud.listPermitted = false
  await distribute()
  await rotate()
  const lost = new CloudError('unavailable', 'the answer was lost', { effect: 'unknown', retryAfterMs: 500 })
  next('set-enabled', { error: lost, after: true })
  const { core, scope, waiting } = gateway
  await core.keys.write(scope, 'orders', { minEnabledVersion: 2 }, now)
  await expect.poll(async () => (await there()).map((one) => one.enabled), eventually).toEqual([false, true])
  expect(await core.keys.write(scope, 'orders', { minEnabledVersion: 0 }, waiting)).toEqual({
    created: false,
    warnings: [],
  })
  expect((await there()).map((one) => one.enabled)).toEqual([true, true])
})

it('a KMS that does not do what it says it did is not asked without end', async () => {
  await distribute()
  await rotate()
  const act = cloud.act.bind(cloud)
  cloud.act = async (call, effect, time) =>
    await act(call, call.call === 'set-enabled' ? () => undefined as never : effect, time)
  const { core, scope } = gateway
  await core.keys.write(scope, 'orders', { minEnabledVersion: 2 }, now)
  await turn(150)
  expect(count('set-enabled')).toBeGreaterThan(0)
  expect(count('set-enabled')).toBeLessThan(30)
  cloud.act = act
  await expect.poll(async () => (await there()).map((one) => one.enabled), eventually).toEqual([false, true])
})

it('requests that wait are answered when the gateway stops', async () => {
  next('describe', { takesMs: 60, error: new CloudError('throttled', 'too many', { retryAfterMs: 60_000 }) })
  const answer = distribute()
  await expect.poll(() => count('describe'), eventually).toBe(1)
  await gateway.core.close()
  expect((await answer)[0]).toMatch(/still going on/)
})

describe('on a file', () => {
  const Sqlite = createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3
  let folder: string
  let file: string
  let first: TestCore
  let second: TestCore

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keyferry-'))
    file = join(folder, 'keyferry.db')
    first = await testCore({ file, providers: [memoryProvider(clouds())] })
    second = await testCore({ file, rootKey: first.rootKey, providers: [memoryProvider(clouds())] })
    await first.core.keys.write(first.scope, 'orders', { type: 'ecdsa-p256' }, first.waiting)
    await first.core.kms.write(first.scope, 'first', { provider: 'memory', keyCollection: 'one', credentials: {} })
  })
  afterEach(async () => {
    await first.close()
    await second.close()
    rmSync(folder, { recursive: true })
  })

  it('a first delivery that another process was refused leaves nothing behind either', async () => {
    first.store.copies.lease = async () => undefined
    next('import', { error: refused() })
    const { core, scope, waiting } = first
    await expect(
      core.distribution.distribute(scope, 'first', 'orders', { purpose: ['sign'] }, waiting),
    ).rejects.toMatchObject({ code: 'refused', message: 'the cloud said no' })
    expect(await core.distribution.kmsOfKey(scope, 'orders')).toEqual([])
    expect(cloud.keys.size).toBe(0)
  })

  it('a row that was pointed elsewhere does not serve', async () => {
    const other = new MemoryCloud()
    const providers = [memoryProvider(new Map([...clouds(), ['two', other]]))]
    await first.close()
    await second.close()
    const sqlite = new Sqlite(file)
    sqlite.prepare("UPDATE kms SET key_collection = 'two'").run()
    sqlite.close()
    first = await testCore({ file, rootKey: first.rootKey, providers })
    const { core, scope, waiting } = first
    const corrupt = expect.objectContaining({ code: 'corrupt' })
    await expect(core.kms.write(scope, 'first', { credentials: { secret: 'fresh' } })).rejects.toEqual(corrupt)
    await expect(
      core.distribution.distribute(scope, 'first', 'orders', { purpose: ['sign'] }, waiting),
    ).rejects.toEqual(corrupt)
    expect([cloud.calls, other.calls]).toEqual([[], []])
  })

  it('a copy that was pointed to the KMS of another namespace is not delivered there', async () => {
    const { core, scope, waiting } = first
    await core.distribution.distribute(scope, 'first', 'orders', { purpose: ['sign'] }, waiting)
    await first.close()
    await second.close()
    const sqlite = new Sqlite(file)
    sqlite.prepare("UPDATE copies SET namespace_id = 'somebody', state = 'pending', next_attempt_at = 0").run()
    sqlite.close()
    const calls = cloud.calls.length
    first = await testCore({ file, rootKey: first.rootKey, providers: [memoryProvider(clouds())] })
    const state = async () => (await first.core.distribution.read(first.scope, 'first', 'orders')).reason
    await expect.poll(state, eventually).toMatch(/another namespace/)
    expect(cloud.calls).toHaveLength(calls)
  })
})
