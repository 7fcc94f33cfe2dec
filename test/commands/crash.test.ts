import { expect, test } from 'vitest'
import { killAtSteps, killUnderLoad } from './crash/suite.ts'

/** A part of the steps, spread over all operations: `npm run test:crash` takes every one. */
const everySo = 6
const seed = Number(process.env.SEED ?? 20_260_725)

test('a gateway that is killed on the way loses, forgets and repeats nothing', { timeout: 600_000 }, async () => {
  const { steps, kills } = await killAtSteps(2, (index) => index % everySo === 2)
  expect(steps).toBeGreaterThan(150)
  expect(kills).toBeGreaterThan(25)
})

test(`nor does one that is killed at random moments under load (SEED=${seed})`, { timeout: 300_000 }, () =>
  killUnderLoad(6, seed),
)
