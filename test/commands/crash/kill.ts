import { existsSync, readFileSync } from 'node:fs'
import type { Answer } from '../keyferry.ts'
import { faultsOfKey } from './checks.ts'
import type { Operation } from './operations.ts'
import type { CrashWorld } from './world.ts'

/** What goes on by itself at any time, and is no step of anything that was asked for. */
const background = /^(tokens|secretIds|wrapped)\.expire|^seal\.|^operations\.prune|^audit\.|^figures\./

/** One kill: an operation, and the step of it. */
export interface Kill {
  operation: Operation
  /** `copies.sent:after:2`: the second time that it was passed. */
  point: string
}

let runs = 0

/** Every step of operations, as they are passed without a kill. What is wrong after one of them is wrong without any kill. */
export async function stepsOf(world: CrashWorld, operations: readonly Operation[]): Promise<Kill[]> {
  const number = ++runs
  const trace = `${world.armFile(number)}.trace`
  const read = () => (existsSync(trace) ? readFileSync(trace, 'utf8').split('\n').slice(0, -1) : [])
  await world.start(`trace:${trace}@${world.armFile(number)}`)
  world.arm(number)
  const kills: Kill[] = []
  for (const operation of operations) {
    const id = `n${++runs}`
    await operation.prepare?.(world, id)
    await world.atRest()
    const before = read().length
    const answer = await operation.ask(world, id)
    await world.atRest()
    const faults = [...(answer.status < 300 ? [] : [`was answered ${answer.status}`])]
    const passed = read().slice(before)
    faults.push(...(await faultsAfter(world, operation, id)))
    if (faults.length > 0) throw new Error(`without a kill, to ${operation.name}: ${faults.join('; ')}`)
    const counts = new Map<string, number>()
    for (const line of passed.filter((one) => !background.test(one))) {
      const count = (counts.get(line) ?? 0) + 1
      counts.set(line, count)
      kills.push({ operation, point: `${line}:${count}` })
    }
  }
  await world.kill()
  return kills
}

export interface Killed extends Kill {
  /** What is wrong, in sentences. */
  faults: string[]
  /** False: it was not passed this time, and the kill came from outside, after the answer. */
  reached: boolean
}

/**
 * Lets a gateway die at each of the points, one after the other: the one that comes up after a kill does what was left, is asked again where
 * no answer came, is looked at, and is the next to die.
 */
export async function killAtEach(world: CrashWorld, kills: readonly Kill[]): Promise<Killed[]> {
  const numbers = kills.map(() => ++runs)
  const start = (index: number) => {
    const [next, number] = [kills[index], numbers[index]]
    return world.start(next && number !== undefined ? `${next.point}@${world.armFile(number)}` : undefined)
  }
  const done: Killed[] = []
  await start(0)
  for (const [index, kill] of kills.entries()) {
    const number = numbers[index] ?? 0
    const id = `k${number}`
    const { operation } = kill
    try {
      await operation.prepare?.(world, id)
      await world.atRest()
      world.arm(number)
      const first = await firstAnswer(world, operation, id)
      const reached = await world.died(first === undefined ? 20_000 : 1_500)
      await world.kill()
      await start(index + 1)
      const faults = await afterwards(world, operation, id, first)
      done.push({ ...kill, faults, reached })
    } catch (error) {
      done.push({ ...kill, faults: [error instanceof Error ? error.message : String(error)], reached: false })
      await world.kill()
      await start(index + 1)
    }
  }
  await world.kill()
  return done
}

async function firstAnswer(world: CrashWorld, operation: Operation, id: string): Promise<Answer | undefined> {
  const asked = operation.ask(world, id).catch(() => undefined)
  // One that nobody asks for has no connection that breaks.
  return await (operation.byItself ? Promise.race([asked, world.died(30_000).then(() => undefined)]) : asked)
}

async function afterwards(world: CrashWorld, operation: Operation, id: string, first: Answer | undefined) {
  const faults: string[] = []
  const answer = first ?? (await operation.ask(world, id))
  const fine = answer.status < 300 || (first === undefined && operation.doneBefore?.includes(answer.status))
  if (!fine) faults.push(`the ${first ? 'first' : 'second'} answer was ${answer.status} ${JSON.stringify(answer.body)}`)
  await world.atRest()
  return [...faults, ...(await faultsAfter(world, operation, id))]
}

async function faultsAfter(world: CrashWorld, operation: Operation, id: string): Promise<string[]> {
  const faults = await operation.faults(world, id)
  await world.atRest()
  return [...faults, ...(await faultsOfKey(world, `key-${id}`))]
}
