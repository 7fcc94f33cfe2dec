import { expect, it } from 'vitest'
import { faultsAtTheEnd } from './simulation/checks.ts'
import { Life } from './simulation/life.ts'
import { World } from './simulation/world.ts'

/** `SEED=7 npm run soak` runs 10,000 lives, or the same again; `MINUTES=60 npm run soak` as many as there is time for. */
const leastLives = Number(process.env.LIVES ?? 200)
const minutes = Number(process.env.MINUTES ?? 0)
const seed = Number(process.env.SEED ?? 20_260_101)
/** Lives that are lived side by side in one world. */
const side = 50
const hour = 3_600_000

it(`${leastLives} random lives of keys end as they should, whatever goes wrong on the way`, {
  timeout: 60_000 + leastLives * 500 + minutes * 120_000,
}, async () => {
  const started = performance.now()
  const totals: Record<string, number> = {}
  let hours = 0
  let lives = 0
  for (let batch = 0; lives < leastLives || performance.now() - started < minutes * 60_000; batch++) {
    const world = new World(seed + batch)
    await world.open()
    const begun = world.time.now()
    const count = lives < leastLives ? Math.min(side, leastLives - lives) : side
    const all = Array.from({ length: count }, (_, index) => new Life(world, `life${batch * side + index}`))
    try {
      await world.time.run(Promise.all(all.map((life) => life.live())))
      world.storm = false
      await world.time.run(Promise.all(all.map((life) => life.heal())))
      await world.time.run(untilQuiet(world))
      const drift = await world.time.run(Promise.all(all.map((life) => life.mend(() => untilQuiet(world)))))
      const faults = faultsAtTheEnd(
        world,
        all.map((life) => life.expected),
      )
      expect([...faults, ...drift.flat()], `SEED=${seed + batch} LIVES=${count}`).toEqual([])
    } finally {
      lives += count
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
