import { Worker, type WorkerOptions } from 'node:worker_threads'
import type { RsaType } from './generate.ts'
import { keyTypes } from './types.ts'
import { workerSource } from './worker-source.ts'

/** A key as a worker posts it: `box` is nonce (12 bytes), ciphertext and tag (16); `publicKey` SPKI PEM, which the box is bound to. */
export interface SealedKey {
  box: Uint8Array
  publicKey: string
}

/** Starts a thread that runs worker.ts; `options` must reach the `Worker` as they are. */
export type CreateWorker = (options: WorkerOptions) => Worker

/**
 * Starts worker.ts from its text rather than its URL, so that the thread needs no loader (worker.ts says what that saves).
 */
export const createWorkerFromText: CreateWorker = (options) => new Worker(workerSource(), { ...options, eval: true })

/** A group of worker threads of one priority, started one by one as work comes and stopped when idle. */
export interface RsaWorkers {
  /**
   * Hands a key's making to an idle thread, or to a new one while there are fewer than the limit, or, with `ahead`, to a busy one as
   * its next. Gives false when none can take it. Throws what starting a thread threw.
   */
  give(type: RsaType, ahead?: boolean): boolean
  /** How many keys of this type, or of all types, the threads have in hand. */
  making(type?: RsaType): number
  /** How many threads there are. */
  count(): number
  /** Whether these threads keep the process alive. */
  hold(on: boolean): void
  /** Ends all threads; one in the middle of a key ends after it (a native call cannot be cut short): up to a second or so. */
  close(): Promise<void>
}

export interface RsaWorkersOptions {
  limit: number
  /** The lowest priority, where the platform gives each thread its own (Linux). */
  background: boolean
  poolKey: Uint8Array
  createWorker: CreateWorker
  /** A thread without work for so long is stopped, in ms. */
  idleMs: number
  onKey(type: RsaType, key: SealedKey): void
  /** A thread ended by itself; the keys it had in hand are lost. */
  onCrash(error: unknown): void
}

interface Thread {
  worker: Worker
  /** The key in the making, and perhaps one more to make after it. */
  jobs: RsaType[]
  idleTimer?: NodeJS.Timeout
}

/** Makes an empty group; see `RsaWorkers`. */
export function createRsaWorkers(options: RsaWorkersOptions): RsaWorkers {
  const threads = new Set<Thread>()
  let held = false

  function start(): Thread {
    const worker = options.createWorker({
      workerData: { poolKey: options.poolKey, background: options.background },
      // Nothing of the process's environment or flags is of use there, and the heap stays almost empty.
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 },
    })
    const thread: Thread = { worker, jobs: [] }
    let lastError: unknown
    worker.on('message', (key: SealedKey) => {
      if (!threads.has(thread)) return
      const type = thread.jobs.shift()
      if (type === undefined) return
      options.onKey(type, key)
      if (thread.jobs.length === 0) rest(thread)
    })
    worker.on('error', (error) => {
      lastError = error
    })
    worker.on('exit', (code) => {
      if (threads.delete(thread)) {
        clearTimeout(thread.idleTimer)
        options.onCrash(lastError ?? new Error(`a key worker ended with exit code ${code}`))
      }
    })
    if (!held) worker.unref()
    threads.add(thread)
    return thread
  }

  function rest(thread: Thread): void {
    clearTimeout(thread.idleTimer)
    thread.idleTimer = setTimeout(() => void stop(thread), options.idleMs).unref()
  }

  async function stop(thread: Thread): Promise<void> {
    threads.delete(thread)
    clearTimeout(thread.idleTimer)
    await thread.worker.terminate()
  }

  return {
    give(type, ahead = false) {
      const withJobs = (jobs: number) => [...threads].find((each) => each.jobs.length === jobs)
      const room = threads.size < options.limit
      const thread = withJobs(0) ?? (room ? start() : ahead ? withJobs(1) : undefined)
      if (thread === undefined) return false
      clearTimeout(thread.idleTimer)
      thread.jobs.push(type)
      thread.worker.postMessage(keyTypes[type].modulusLength)
      return true
    },
    making(type) {
      const jobs = [...threads].flatMap((thread) => thread.jobs)
      return type === undefined ? jobs.length : jobs.filter((job) => job === type).length
    },
    count: () => threads.size,
    hold(on) {
      if (on === held) return
      held = on
      for (const { worker } of threads) on ? worker.ref() : worker.unref()
    },
    async close() {
      await Promise.all([...threads].map(stop))
    },
  }
}
