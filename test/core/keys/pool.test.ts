import { execFile } from 'node:child_process'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import { createKeyGenerator, type KeyGenerator, type KeyGeneratorOptions } from '../../../src/core/keys/pool.ts'
import { type CreateWorker, createWorkerFromText } from '../../../src/core/keys/rsa-workers.ts'
import { keyTypeNames, keyTypes } from '../../../src/core/keys/types.ts'

const noPool = { 'rsa-2048': 0, 'rsa-3072': 0, 'rsa-4096': 0 }
const smallPool = { ...noPool, 'rsa-2048': 3 }

const generators: KeyGenerator[] = []
afterEach(async () => {
  await Promise.all(generators.splice(0).map((generator) => generator.close()))
})

function generatorWith(options: KeyGeneratorOptions): KeyGenerator {
  const generator = createKeyGenerator(options)
  generators.push(generator)
  return generator
}

/** Waits for something that worker threads bring about. A test that waits in vain ends by its time-out. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}

const deadWorker: CreateWorker = (options) =>
  new Worker(new URL('data:text/javascript,throw new Error("cannot start")'), options)

test('every type gives a key of its kind and size, with the public key that belongs to it', async () => {
  const generator = generatorWith({ pool: noPool })
  for (const type of keyTypeNames) {
    const { material, publicKey } = await generator.generate(type)
    const spec = keyTypes[type]
    if (spec.family === 'aes') {
      expect(material).toHaveLength(spec.bytes)
      expect(publicKey).toBeNull()
      continue
    }
    const privateKey = createPrivateKey({ key: material, format: 'der', type: 'pkcs8' })
    expect(privateKey.asymmetricKeyType).toBe(spec.family)
    if (spec.family === 'rsa') expect(privateKey.asymmetricKeyDetails?.modulusLength).toBe(spec.modulusLength)
    expect(publicKey).toBe(createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }))
  }
  expect(generator.stats().generated).toBe(keyTypeNames.length)
})

test('without a pool, as many keys as asked for are made on demand, all different, by no more threads than allowed', async () => {
  const generator = generatorWith({ pool: noPool, fillDelayMs: 0, demandWorkers: 2 })
  const asked = Array.from({ length: 16 }, () => generator.generate('rsa-2048'))
  await until(() => generator.stats().generated > 2)
  expect(generator.stats().workers).toEqual({ fill: 0, demand: 2 })
  const keys = await Promise.all(asked)
  expect(new Set(keys.map((key) => key.publicKey)).size).toBe(16)
  expect(generator.stats()).toMatchObject({ waiting: 0, generated: 16, ready: noPool })
})

test('the pool fills to its bound, serves a burst at once without demand workers, and fills again', async () => {
  const generator = generatorWith({ pool: smallPool, fillDelayMs: 0 })
  await until(() => generator.stats().ready['rsa-2048'] === 3)
  expect(generator.stats()).toMatchObject({ ready: smallPool, generated: 3, workers: { fill: 1, demand: 0 } })

  const keys = await Promise.all([1, 2, 3].map(() => generator.generate('rsa-2048')))
  expect(new Set(keys.map((key) => key.publicKey)).size).toBe(3)
  for (const { material } of keys) createPrivateKey({ key: material, format: 'der', type: 'pkcs8' })
  expect(generator.stats().workers.demand).toBe(0)

  await until(() => generator.stats().ready['rsa-2048'] === 3)
  expect(generator.stats().generated).toBe(6)
})

test('no thread is started before it is needed, and idle ones are stopped', async () => {
  const generator = generatorWith({ pool: smallPool, fillDelayMs: 600_000, idleMs: 0 })
  await generator.generate('ecdsa-p256')
  expect(generator.stats().workers).toEqual({ fill: 0, demand: 0 })
  await generator.generate('rsa-2048')
  await until(() => generator.stats().workers.demand === 0)
  await generator.generate('rsa-2048')
})

test('a key of a fill worker goes to whoever waits', async () => {
  // Demand workers that never answer: only the fill worker's keys can arrive.
  const generator = generatorWith({
    pool: smallPool,
    fillDelayMs: 0,
    createWorker: (options) =>
      options.workerData.background
        ? createWorkerFromText(options)
        : new Worker(new URL('data:text/javascript,setInterval(() => {}, 1e6)'), options),
  })
  const keys = await Promise.all([1, 2].map(() => generator.generate('rsa-2048')))
  expect(new Set(keys.map((key) => key.publicKey)).size).toBe(2)
})

test('waiting requests are served in the order in which they asked', async () => {
  const generator = generatorWith({ pool: noPool, demandWorkers: 1 })
  const types = ['rsa-2048', 'rsa-3072', 'rsa-2048', 'rsa-2048', 'rsa-3072'] as const
  const served: string[] = []
  await Promise.all(
    types.map(async (type, i) => {
      await generator.generate(type)
      served.push(`${i} ${type}`)
    }),
  )
  expect(served).toEqual(types.map((type, i) => `${i} ${type}`))
})

test('the event loop goes on while an rsa-4096 key is made', async () => {
  const generator = generatorWith({ pool: noPool })
  let done = false
  const key = generator.generate('rsa-4096').finally(() => {
    done = true
  })
  let ticks = 0
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve))
    ticks++
  }
  await key
  expect(ticks).toBeGreaterThan(100)
})

test('a worker that dies is replaced, and the request that it worked for is served', async () => {
  let started = 0
  const generator = generatorWith({
    pool: noPool,
    demandWorkers: 1,
    createWorker(options) {
      const worker = createWorkerFromText(options)
      if (++started <= 2) queueMicrotask(() => void worker.terminate())
      return worker
    },
  })
  const [first, second] = await Promise.all([generator.generate('rsa-2048'), generator.generate('rsa-2048')])
  expect(first.publicKey).not.toBe(second.publicKey)
  expect(started).toBe(3)
})

test('a fill worker that dies is replaced', async () => {
  let started = 0
  const generator = generatorWith({
    pool: smallPool,
    fillDelayMs: 1,
    createWorker: (options) => (++started <= 2 ? deadWorker(options) : createWorkerFromText(options)),
  })
  await until(() => generator.stats().ready['rsa-2048'] === 3)
  expect(started).toBe(3)
})

test.each([
  ['ends at once', deadWorker],
  [
    'cannot be started',
    () => {
      throw new Error('cannot start')
    },
  ],
] as [string, CreateWorker][])('a request is refused, not kept waiting, when every worker %s', async (_how, dead) => {
  let started = 0
  let broken = true
  const generator = generatorWith({
    pool: noPool,
    demandWorkers: 1,
    createWorker(options) {
      started++
      return broken ? dead(options) : createWorkerFromText(options)
    },
  })
  await expect(generator.generate('rsa-2048')).rejects.toMatchObject({
    name: 'KeyferryError',
    code: 'unavailable',
    message: 'RSA keys cannot be made now: worker threads failed 3 times in a row',
    cause: { message: 'cannot start' },
  })
  expect(started).toBe(3)
  broken = false
  expect((await generator.generate('rsa-2048')).publicKey).toContain('BEGIN PUBLIC KEY')
})

test('closing rejects who waits and who comes later, ends the threads and empties the pool', async () => {
  const workers: Worker[] = []
  const generator = generatorWith({
    pool: smallPool,
    fillDelayMs: 0,
    createWorker(options) {
      const worker = createWorkerFromText(options)
      workers.push(worker)
      return worker
    },
  })
  await until(() => generator.stats().ready['rsa-2048'] === 3)
  const waiting = generator.generate('rsa-4096')
  const stopped = {
    name: 'KeyferryError',
    code: 'unavailable',
    message: 'key generation has stopped: the server is shutting down',
  }
  const exits = workers.map((worker) => once(worker, 'exit'))
  expect(exits).toHaveLength(2)

  const closing = generator.close()
  await expect(waiting).rejects.toMatchObject(stopped)
  for (const type of keyTypeNames) await expect(generator.generate(type)).rejects.toMatchObject(stopped)
  await closing
  await Promise.all(exits)
  expect(generator.stats()).toMatchObject({ ready: noPool, waiting: 0, workers: { fill: 0, demand: 0 } })
  await generator.close()
  expect(workers).toHaveLength(2)
})

test('a key taken in the moment of closing is still opened', async () => {
  const generator = generatorWith({ pool: smallPool, fillDelayMs: 0, idleMs: 0 })
  await until(() => generator.stats().ready['rsa-2048'] === 3 && generator.stats().workers.fill === 0)
  const taken = generator.generate('rsa-2048')
  await generator.close()
  createPrivateKey({ key: (await taken).material, format: 'der', type: 'pkcs8' })
})

test.each([
  [{ fillWorkers: -1 }, 'the number of fill workers is -1: allowed is a whole number from 0 to 64'],
  [{ demandWorkers: 0 }, 'the number of demand workers is 0: allowed is a whole number from 1 to 64'],
  [{ demandWorkers: 1.5 }, 'the number of demand workers is 1.5: allowed is a whole number from 1 to 64'],
])('refuses %j', (options, message) => {
  expect(() => createKeyGenerator(options)).toThrow(message)
})

test('threads keep the process alive while somebody waits for a key, and only then', async () => {
  const pool = new URL('../../../src/core/keys/pool.ts', import.meta.url).href
  const run = async (code: string) => {
    const program = `import { createKeyGenerator } from ${JSON.stringify(pool)}\n${code}`
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
    expect(stderr).toBe('')
    return stdout
  }
  expect(await run(`console.log((await createKeyGenerator().generate('rsa-2048')).publicKey !== null)`)).toBe('true\n')
  const filling = `const generator = createKeyGenerator({ fillDelayMs: 0 })
    setTimeout(() => console.log(generator.stats().workers.fill), 20)`
  expect(await run(filling)).toBe('1\n')
})
