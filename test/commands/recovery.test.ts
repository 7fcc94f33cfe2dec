import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { recordDistributions, recover } from './crash/pending.ts'
import { CrashWorld } from './crash/world.ts'

/** Less than the 180 s of a lease, which nobody waits for. */
const patienceMs = 150_000
const vaults = ['recovery-a', 'recovery-b', 'recovery-c', 'recovery-d']
let world: CrashWorld
beforeAll(async () => {
  world = await CrashWorld.make(vaults)
})
afterAll(() => world.close())

test('killed with 1,000 operations pending, a gateway goes on with all of them, and waits for no lease', {
  timeout: 400_000,
}, async () => {
  await recordDistributions(world.file, join(world.data, 'root.key'), 1_050)
  const { pending, underWay, firstDoneMs, takenUpMs, allDoneMs } = await recover(world.file, world, patienceMs)
  console.log(
    `${pending} pending, ${underWay} under way when it was killed; the first done after ${firstDoneMs.toFixed(0)} ms, those taken up again after ${takenUpMs.toFixed(0)} ms, all done after ${allDoneMs.toFixed(0)} ms`,
  )
  expect(pending).toBeGreaterThan(500)
  expect(underWay).toBeGreaterThan(0)
  const states = world.rows("SELECT state, count(*) AS count FROM operations WHERE kind = 'distribute' GROUP BY state")
  expect(states).toEqual([{ state: 'succeeded', count: 1_050 + vaults.length }])
  for (const vault of vaults) {
    const names = (await world.cloud.names(vault)).filter((name) => !name.startsWith('keyferry-kek-'))
    const here = world.rows<{ name: string }>(
      'SELECT remote_name AS name FROM copies WHERE collection = ? ORDER BY remote_name',
      `https://${vault}.vault.azure.net`,
    )
    expect(names.sort()).toEqual(here.map(({ name }) => name))
    // Every one of them once.
    for (const name of names.filter((_, index) => index % 10 === 0))
      expect(await world.cloud.versions(vault, name)).toHaveLength(1)
  }
  await world.kill()
  expect(world.complaints).toEqual([])
})
