import { describe, expect, it } from 'vitest'
import { backOff, isFinal, reasonOf } from '../../../src/core/distribution/job.ts'
import { Pace } from '../../../src/core/distribution/pace.ts'
import { KeyferryError } from '../../../src/core/errors.ts'
import { CloudError } from '../../../src/core/kms/provider.ts'
import { VirtualTime } from '../../support/virtual-time.ts'

/** Each user takes so many from a collection; gives who got one when, in ms from the start. */
async function takes(wanted: Record<string, number>, collection = () => 'vault') {
  const time = new VirtualTime(0)
  const pace = new Pace(time)
  const got: { user: string; at: number }[] = []
  const all = Object.entries(wanted).flatMap(([user, count]) =>
    Array.from({ length: count }, async () => {
      await pace.take(collection(), user)
      got.push({ user, at: time.now() })
    }),
  )
  await time.run(Promise.all(all))
  pace.close()
  return got
}

describe('the pace of a collection', () => {
  it('lets 250 go at once, and 25 a second from then on', async () => {
    const got = await takes({ one: 500 })
    expect(got.filter((one) => one.at === 0)).toHaveLength(250)
    for (const [from, to] of [
      [0, 1_000],
      [4_000, 5_000],
      [8_000, 9_000],
    ] as const) {
      expect(Math.abs(got.filter((one) => one.at > from && one.at <= to).length - 25)).toBeLessThanOrEqual(1)
    }
    expect(got.at(-1)?.at).toBeGreaterThanOrEqual(9_900)
    expect(got.at(-1)?.at).toBeLessThan(11_000)
  })

  it('never lets more than 500 go in ten seconds, however they come', async () => {
    const times = (await takes({ a: 400, b: 400, c: 400 })).map((one) => one.at)
    for (const start of times) {
      expect(times.filter((at) => at >= start && at < start + 10_000).length).toBeLessThanOrEqual(501)
    }
  })

  it('is shared fairly: one with a single import does not wait for one with a thousand', async () => {
    const got = await takes({ thousand: 1_000, hundred: 100, single: 1 })
    const at = (user: string) => got.findLast((one) => one.user === user)?.at ?? Number.NaN
    expect(at('single')).toBeLessThanOrEqual(200)
    // Two take turns at 25 a second: the hundred is through in eight seconds.
    expect(at('hundred')).toBeLessThan(8_500)
    expect(at('thousand')).toBeGreaterThan(30_000)
  })

  it('is of one collection alone', async () => {
    let turn = 0
    const got = await takes({ one: 400 }, () => `vault ${turn++ % 2}`)
    expect(got.every((one) => one.at === 0)).toBe(true)
  })

  it('fills up again while nobody asks, and no further', async () => {
    const time = new VirtualTime(0)
    const pace = new Pace(time)
    const burst = async () => {
      const before = time.now()
      let atOnce = 0
      const all = Array.from({ length: 300 }, async () => {
        await pace.take('vault', 'one')
        if (time.now() === before) atOnce += 1
      })
      await time.run(Promise.all(all))
      return atOnce
    }
    expect(await burst()).toBe(250)
    await time.run(time.sleep(1_000_000))
    expect(await burst()).toBe(250)
    pace.close()
  })

  it('lets everybody go when it is closed', async () => {
    const time = new VirtualTime(0)
    const pace = new Pace(time)
    const all = Promise.all(Array.from({ length: 300 }, () => pace.take('vault', 'one')))
    pace.close()
    await expect(all).resolves.toHaveLength(300)
    expect(time.now()).toBe(0)
  })
})

describe('the back-off', () => {
  const timing = { scanMs: 1, firstBackOffMs: 1_000, lastBackOffMs: 300_000 }
  it.each([
    [0, 0, 500],
    [0, 1, 1_000],
    [1, 0, 1_000],
    [5, 1, 32_000],
    [8, 1, 256_000],
    [9, 1, 300_000],
    [9, 0, 150_000],
    [1_000_000, 1, 300_000],
  ])('after %i failures, with %d: %i ms', (attempts, random, ms) => {
    expect(backOff(timing, attempts, new Error(), random)).toBe(ms)
  })

  it('is never shorter than what the cloud asks for', () => {
    const asked = new CloudError('throttled', 'too many', { retryAfterMs: 77_000 })
    expect(backOff(timing, 0, asked, 1)).toBe(77_000)
    expect(backOff(timing, 9, asked, 0)).toBe(150_000)
  })
})

describe('a failure', () => {
  it.each<[unknown, boolean]>([
    [new CloudError('refused', 'no'), true],
    [new CloudError('name_taken', 'no'), true],
    [new CloudError('throttled', 'later'), false],
    [new CloudError('unavailable', 'down', { effect: 'unknown' }), false],
    [new KeyferryError('invalid', 'settings that are no longer accepted'), true],
    [new KeyferryError('corrupt', 'does not open'), true],
    [new KeyferryError('refused', 'a stranger'), true],
    [new KeyferryError('unavailable', 'the database is locked'), false],
    [new KeyferryError('conflict', 'the lease is lost'), false],
    [new TypeError('a mistake of the program'), false],
    ['a string', false],
  ])('%s is final: %s', (error, final) => {
    expect(isFinal(error)).toBe(final)
  })

  it('tells callers only what was meant for them', () => {
    expect(reasonOf(new CloudError('refused', 'the cloud said no'))).toBe('the cloud said no')
    expect(reasonOf(new KeyferryError('invalid', 'a rule'))).toBe('a rule')
    for (const other of [new TypeError('secret canary'), 'secret canary', { message: 'secret canary' }, undefined])
      expect(reasonOf(other)).toBe('something unexpected went wrong in the gateway: see its log')
  })
})
