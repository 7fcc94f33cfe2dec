import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Lockout, vaultLockout } from '../../../../src/core/access/doors/lockout.ts'

const minute = 60_000

function clocked(kept = vaultLockout.kept) {
  const clock = { now: 0 }
  return { clock, lockout: new Lockout(() => clock.now, { ...vaultLockout, kept }) }
}

test('the fifth wrong secret locks for fifteen minutes, and the count begins again after them', () => {
  const { clock, lockout } = clocked()
  expect([1, 2, 3, 4, 5].map(() => lockout.wrong('a'))).toEqual([false, false, false, false, true])
  expect(lockout.locked('a')).toBe(true)
  expect(lockout.locked('b')).toBe(false)
  clock.now = 15 * minute - 1
  expect(lockout.locked('a')).toBe(true)
  expect(lockout.wrong('a')).toBe(false)
  clock.now = 15 * minute
  expect(lockout.locked('a')).toBe(false)
  expect([1, 2, 3, 4].map(() => lockout.wrong('a'))).toEqual([false, false, false, false])
  expect(lockout.locked('a')).toBe(false)
})

test('a right secret, or fifteen minutes without a wrong one, begin the count again', () => {
  const { clock, lockout } = clocked()
  for (let i = 0; i < 4; i++) lockout.wrong('a')
  lockout.clear('a')
  for (let i = 0; i < 4; i++) lockout.wrong('a')
  expect(lockout.locked('a')).toBe(false)
  clock.now = 15 * minute
  for (let i = 0; i < 4; i++) lockout.wrong('a')
  expect(lockout.locked('a')).toBe(false)
  lockout.wrong('a')
  expect(lockout.locked('a')).toBe(true)
})

test('what is remembered is bounded, and who is locked is not pushed out by others', () => {
  const { lockout } = clocked(10)
  for (let i = 0; i < 5; i++) lockout.wrong('victim')
  for (let i = 0; i < 1000; i++) lockout.wrong(`other ${i}`)
  expect(lockout.size).toBe(10)
  expect(lockout.locked('victim')).toBe(true)
})

test('never more than five guesses in fifteen minutes, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(4 * minute), { minLength: 20, maxLength: 60 }), (pauses) => {
      const { clock, lockout } = clocked()
      const guesses: number[] = []
      for (const pause of pauses) {
        clock.now += pause
        if (lockout.locked('a')) continue
        guesses.push(clock.now)
        lockout.wrong('a')
      }
      for (let i = 5; i < guesses.length; i++) {
        expect((guesses[i] ?? 0) - (guesses[i - 5] ?? 0)).toBeGreaterThanOrEqual(15 * minute)
      }
    }),
  )
})
