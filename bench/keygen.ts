/**
 * RSA key generation: what the generator reaches beside threads that do nothing but `generateKeyPairSync`, and how fast a burst is
 * served from a full pool. `node bench/keygen.ts [rounds]` runs it alone.
 */
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { createKeyGenerator, type KeyGenerator } from '../src/core/keys/pool.ts'

export interface Row {
  name: string
  value: number
  unit: string
  bar?: string
}

export const keys = 500
const threads = 2
const clients = 8
const burst = 16
const bursts = 12

/**
 * Measures; about half a minute a round on two cores. RSA generation is a search by chance: over 500 keys each rate has a standard
 * error of about 2.5 %, their ratio of 3.5 %, so more `rounds` (the two sides take turns) tell more.
 */
export async function benchKeygen(rounds = 2): Promise<Row[]> {
  const raw: Run[] = []
  const ours: Run[] = []
  const waits: number[] = []
  for (let round = 0; round < rounds; round++) {
    raw.push(await bareRun())
    ours.push(await sustainedRun(waits))
  }
  const rate = (runs: Run[]) => keys / (mean(runs.map((run) => run.wallMs)) / 1000)
  const cpu = (runs: Run[]) => mean(runs.map((run) => run.cpuMs)) / keys
  const bursting = await burstWaits()
  return [
    { name: `rsa-2048, ${threads} bare threads`, value: rate(raw), unit: 'keys/s' },
    { name: 'rsa-2048, pool drained', value: rate(ours), unit: 'keys/s' },
    { name: 'the same, beside bare threads', value: rate(ours) / rate(raw), unit: '', bar: '0.95 or more' },
    { name: 'CPU of a key, bare threads', value: cpu(raw), unit: 'ms' },
    { name: 'CPU of a key, pool drained', value: cpu(ours), unit: 'ms' },
    { name: `rsa-2048, pool drained, ${clients} clients, p99`, value: quantile(waits, 0.99), unit: 'ms' },
    {
      name: `rsa-2048, burst of ${burst} from a full pool, p99`,
      value: quantile(bursting, 0.99),
      unit: 'ms',
      bar: 'under 10',
    },
  ]
}

export interface Run {
  wallMs: number
  cpuMs: number
}

/** Starts a clock of time and of the whole process's CPU. */
function clock(): () => Run {
  const [wall, cpu] = [performance.now(), process.cpuUsage()]
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    return { wallMs: performance.now() - wall, cpuMs: (user + system) / 1000 }
  }
}

/** What threads need that only generate. */
export async function bareRun(): Promise<Run> {
  const left = new Int32Array(new SharedArrayBuffer(4))
  left[0] = keys
  const program = `
    const { generateKeyPairSync } = require('node:crypto')
    const { parentPort, workerData } = require('node:worker_threads')
    parentPort.once('message', () => {
      while (Atomics.sub(workerData, 0, 1) > 0) generateKeyPairSync('rsa', { modulusLength: 2048 })
      parentPort.postMessage('done')
    })
    parentPort.postMessage('ready')`
  const workers = Array.from({ length: threads }, () => new Worker(program, { eval: true, workerData: left }))
  const answered = () => Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))))
  await answered()
  const stop = clock()
  const done = answered()
  for (const worker of workers) worker.postMessage('go')
  await done
  const run = stop()
  await Promise.all(workers.map((worker) => worker.terminate()))
  return run
}

/** What clients see who ask again and again, once they have drained the pool; adds the wait of each request, in ms, to `waits`. */
async function sustainedRun(waits: number[]): Promise<Run> {
  const generator = createKeyGenerator({ fillDelayMs: 0, demandWorkers: threads })
  while (generator.stats().ready['rsa-2048'] < 4) await sleep(5)
  while (generator.stats().ready['rsa-2048'] > 0) await take(generator)
  let left = keys
  const stop = clock()
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (left-- > 0) waits.push(await take(generator))
    }),
  )
  const run = stop()
  await generator.close()
  return run
}

/** The waits of all requests of some bursts, each on a full pool of the usual size. */
async function burstWaits(): Promise<number[]> {
  const generator = createKeyGenerator({ pool: { 'rsa-3072': 0, 'rsa-4096': 0 } })
  const waits: number[] = []
  for (let i = 0; i < bursts; i++) {
    while (generator.stats().ready['rsa-2048'] < 32) await sleep(20)
    waits.push(...(await Promise.all(Array.from({ length: burst }, () => take(generator)))))
  }
  await generator.close()
  return waits
}

/** Takes a key; gives the wait in ms. */
async function take(generator: KeyGenerator): Promise<number> {
  const start = performance.now()
  const { material } = await generator.generate('rsa-2048')
  material.fill(0)
  return performance.now() - start
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function quantile(values: number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}

if (import.meta.main) {
  const rounds = Number(process.argv[2] ?? 2)
  console.log(`key generation: ${rounds} rounds of ${keys} keys, ${availableParallelism()} cores`)
  for (const { name, value, unit, bar } of await benchKeygen(rounds)) {
    console.log(
      `${name.padEnd(52)} ${value.toFixed(2).padStart(8)} ${unit.padEnd(6)} ${bar === undefined ? '' : `(bar: ${bar})`}`,
    )
  }
}
