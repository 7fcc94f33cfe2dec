import { expect, it } from 'vitest'
import { faultsAtTheEnd } from './simulation/checks.ts'
import { Life } from './simulation/life.ts'
import { World } from './simulation/world.ts'

/** `LIVES=10000 SEED=7 npx vitest run test/core/distribution/simulation.test.ts` runs more, or the same again. */
const lives = Number(process.env.LIVES ?? 200)
const seed = Number(process.env.SEED ?? 20_260_101)
/** Lives that are lived side by side in one world. */
const side = 50
const hour = 3_600_000

it(`${lives} random lives of keys end as they should, whatever goes wrong on the way`, {
  timeout: 60_000 + lives * 500,
}, async () => {
  const started = performance.now()
  const totals: Record<string, number> = {}
  let hours = 0
  for (let batch = 0; batch * side < lives; batch++) {
    const world = new World(seed + batch)
    await world.open()
    const begun = world.time.now()
    const count = Math.min(side, lives - batch * side)
    const all = Array.from({ length: count }, (_, index) => new Life(world, `life${batch * side + index}`))
    try {
      await world.time.run(Promise.all(all.map((life) => life.live())))
      world.storm = false
      await world.time.run(Promise.all(all.map((life) => life.heal())))
      await world.time.run(untilQuiet(world))
      const faults = faultsAtTheEnd(
        world,
        all.map((life) => life.expected),
      )
      expect(faults, `SEED=${seed + batch} LIVES=${count}`).toEqual([])
    } finally {
      hours += (world.time.now() - begun) / hour
      for (const [fault, times] of Object.entries(world.faults)) totals[fault] = (totals[fault] ?? 0) + times
      await world.close()
    }
  }
  const sum = Object.values(totals).reduce((a, b) => a + b, 0)
  console.log(
    `${lives} lives, ${sum} faults in ${hours.toFixed(0)} hours, which took ${((performance.now() - started) / 1000).toFixed(1)} s; seed ${seed}`,
    totals,
  )
  // Without trouble, nothing was shown.
  expect(sum).toBeGreaterThan(lives)
})

/** Waits until nothing is under way any more, for two hours at most. */
async function untilQuiet(world: World): Promise<void> {
  const until = world.time.now() + 2 * hour
  while (world.time.now() < until) {
    await world.time.sleep(60_000)
    if (world.rows("SELECT id FROM copies WHERE state = 'pending'").length === 0) return
  }
}
