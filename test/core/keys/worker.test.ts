import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import { createReadyKeys } from '../../../src/core/keys/ready-keys.ts'
import { type CreateWorker, createWorkerFromText, type SealedKey } from '../../../src/core/keys/rsa-workers.ts'

const fromUrl: CreateWorker = (options) =>
  new Worker(new URL('../../../src/core/keys/worker.ts', import.meta.url), options)

const workers: Worker[] = []
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()))
})

function start(createWorker: CreateWorker, workerData: { poolKey: Uint8Array; background: boolean }): Worker {
  const worker = createWorker({ workerData, execArgv: [], env: {} })
  workers.push(worker)
  return worker
}

function makeKey(worker: Worker, modulusLength: number): Promise<SealedKey> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.postMessage(modulusLength)
  })
}

/** The nice value of each thread of this process (proc_pid_stat(5), field 19). */
function niceValues(): number[] {
  return readdirSync('/proc/self/task').map((task) => {
    const stat = readFileSync(`/proc/self/task/${task}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
  })
}

test.each([
  ['its text', createWorkerFromText],
  ['its URL', fromUrl],
])('a worker started from %s posts an RSA key that only the pool key opens', async (_how, createWorker) => {
  const ready = createReadyKeys()
  const worker = start(createWorker, { poolKey: ready.poolKey, background: false })
  const sealed = await makeKey(worker, 2048)

  expect(Object.keys(sealed).sort()).toEqual(['box', 'publicKey'])
  const { material, publicKey } = ready.open(sealed)
  const privateKey = createPrivateKey({ key: material, format: 'der', type: 'pkcs8' })
  expect(privateKey.asymmetricKeyDetails?.modulusLength).toBe(2048)
  expect(publicKey).toBe(createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }))

  // Neither the whole nor a part of the PKCS#8 is in the box.
  const box = Buffer.from(sealed.box)
  expect(box).toHaveLength(12 + material.length + 16)
  for (let at = 0; at + 16 <= material.length; at += 16)
    expect(box.includes(material.subarray(at, at + 16))).toBe(false)

  // A box opens beside no other public key, not when changed, and not under another pool's key.
  const other = await makeKey(worker, 2048)
  expect(() => ready.open({ box: other.box, publicKey: sealed.publicKey })).toThrow('a ready key does not open')
  for (const at of [0, 12, box.length - 1]) {
    const changed = Uint8Array.from(box)
    changed[at] = (changed[at] ?? 0) ^ 1
    expect(() => ready.open({ box: changed, publicKey: sealed.publicKey })).toThrow('a ready key does not open')
  }
  expect(() => createReadyKeys().open(sealed)).toThrow('a ready key does not open')
  expect(ready.open(sealed).material.equals(material)).toBe(true)
})

test('a request that cannot be served ends the worker with an error', async () => {
  const worker = start(createWorkerFromText, { poolKey: randomBytes(32), background: false })
  await expect(makeKey(worker, -1)).rejects.toThrow(/modulusLength/)
})

test.runIf(process.platform === 'linux')('a background worker lowers the priority of its own thread only', async () => {
  const before = niceValues()
  expect(before).not.toContain(19)
  const poolKey = randomBytes(32)
  await makeKey(start(createWorkerFromText, { poolKey, background: false }), 1024)
  expect(niceValues()).not.toContain(19)
  await makeKey(start(createWorkerFromText, { poolKey, background: true }), 1024)
  expect(niceValues().filter((nice) => nice === 19)).toHaveLength(1)
})
