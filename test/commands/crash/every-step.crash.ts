import { expect, test } from 'vitest'
import { killAtSteps, killUnderLoad } from './suite.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

test('a gateway that is killed at any step of anything loses, forgets and repeats nothing', async () => {
  const { steps, kills } = await killAtSteps(3, () => true)
  expect(kills).toBe(steps)
  expect(steps).toBeGreaterThan(150)
})

test(`nor does one that is killed at any moment under load (SEED=${seed})`, () => killUnderLoad(60, seed))
