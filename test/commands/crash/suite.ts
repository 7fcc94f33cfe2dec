import { expect } from 'vitest'
import { faultsOf } from './checks.ts'
import { type Kill, type Killed, killAtEach, stepsOf } from './kill.ts'
import { operations } from './operations.ts'
import { killAtRandom } from './random.ts'
import { CrashWorld } from './world.ts'

/** Makes worlds, as many as `work` has parts, and takes them away again; what a gateway had to say to its operator is a fault. */
async function inWorlds<T>(parts: number, work: (world: CrashWorld, part: number) => Promise<T>): Promise<T[]> {
  const worlds = await Promise.all(Array.from({ length: parts }, () => CrashWorld.make()))
  try {
    return await Promise.all(worlds.map(work))
  } finally {
    await Promise.all(worlds.map((world) => world.close()))
  }
}

/**
 * Kills at the steps of all operations that `chosen` takes, in so many data folders side by side, and expects that nothing is wrong after any
 * of them. Gives how many steps there were, and how many kills.
 */
export async function killAtSteps(
  side: number,
  chosen: (index: number) => boolean,
): Promise<{ steps: number; kills: number }> {
  const shares = Array.from({ length: side }, (_, part) =>
    operations.filter((_operation, index) => index % side === part),
  )
  const steps = (await inWorlds(side, (world, part) => stepsOf(world, shares[part] ?? []))).flat()
  const kills = steps.filter((_, index) => chosen(index))
  const done = await inWorlds(side, async (world, part) => {
    const results = await killAtEach(
      world,
      kills.filter((_kill, index) => index % side === part),
    )
    await world.start()
    await world.atRest()
    const left = await faultsOf(world)
    await world.kill()
    return { results, left: [...left, ...world.complaints] }
  })
  const results = done.flatMap((one) => one.results)
  expect(wrong(results)).toEqual([])
  expect(done.flatMap(({ left }) => left)).toEqual([])
  const missed = results.filter(({ reached }) => !reached).map(nameOf)
  console.log(
    `${steps.length} steps of ${operations.length} operations, ${kills.length} kills; not passed again: ${missed.length}`,
    missed,
  )
  // A step may not be needed again: whether a moment is waited for depends on the clock.
  expect(missed.length).toBeLessThanOrEqual(kills.length / 4)
  return { steps: steps.length, kills: kills.length }
}

/** Kills at random moments under load. */
export async function killUnderLoad(kills: number, seed: number): Promise<void> {
  const [faults] = await inWorlds(1, (world) => killAtRandom(world, kills, seed))
  expect(faults).toEqual([])
}

const nameOf = ({ operation, point }: Kill) => `${operation.name}, ${point}`

function wrong(results: readonly Killed[]): string[] {
  return results.flatMap((killed) => killed.faults.map((fault) => `${nameOf(killed)}: ${fault}`))
}
