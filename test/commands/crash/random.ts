import { Chance } from '../../support/virtual-time.ts'
import { faultsOf } from './checks.ts'
import { Client } from './load.ts'
import type { CrashWorld } from './world.ts'

/** Kills the gateway at any moment while eight clients change keys, so many times; gives what is wrong at the end, in sentences. */
export async function killAtRandom(world: CrashWorld, kills: number, seed: number): Promise<string[]> {
  const chance = new Chance(seed)
  const clients = Array.from({ length: 8 }, (_, index) => new Client(world, chance, `busy-${index}`))
  await world.start()
  let going = true
  const work = Promise.all(
    clients.map(async (client) => {
      await client.begin()
      while (going) await client.step()
    }),
  )
  // It is waited for below; until then, what fails is not lost.
  work.catch(() => {})
  for (let kill = 0; kill < kills; kill++) {
    await new Promise((go) => setTimeout(go, chance.between(20, 1_500)))
    await world.kill()
    await world.start()
  }
  going = false
  await work
  await world.atRest()
  const faults = (await Promise.all(clients.map((client) => client.faults()))).flat()
  const [asked, unanswered] = ['asked', 'unanswered'].map((what) =>
    clients.reduce((sum, client) => sum + (what === 'asked' ? client.asked : client.unanswered), 0),
  )
  console.log(`${kills} kills at random, ${asked} changes, ${unanswered} of them cut off; seed ${seed}`)
  if (unanswered === 0) faults.push('nobody was ever left without an answer: nothing was shown')
  return [...faults, ...(await faultsOf(world))]
}
