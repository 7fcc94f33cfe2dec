import { availableParallelism } from 'node:os'
import { KeyferryError } from '../errors.ts'
import { type GeneratedKey, generateCheapKey, isRsa, type RsaType } from './generate.ts'
import { checkWholeNumber, createReadyKeys, type PoolSizes, type ReadyKeysStats, rsaTypes } from './ready-keys.ts'
import { type CreateWorker, createRsaWorkers, createWorkerFromText, type SealedKey } from './rsa-workers.ts'
import type { KeyType } from './types.ts'

export type { GeneratedKey } from './generate.ts'

/** Makes keys of every type without blocking the event loop. */
export interface KeyGenerator {
  /**
   * Gives a fresh key that nobody else was given. An RSA key comes from the pool, or from a worker thread where the pool is empty;
   * those who wait for one type are served in the order in which they asked.
   * Rejects with `unavailable` after `close`, or when worker threads keep failing.
   */
  generate(type: KeyType): Promise<GeneratedKey>
  stats(): KeyGeneratorStats
  /** Ends the threads and zeroes the pool; whoever waits for an RSA key is rejected with `unavailable` at once. */
  close(): Promise<void>
}

export interface KeyGeneratorStats extends ReadyKeysStats {
  /** Requests that wait for a worker thread. */
  waiting: number
  /** Keys made since the start, of all types, taken or not. */
  generated: number
  /** Live threads that fill the pool, and that serve waiting requests. */
  workers: { fill: number; demand: number }
}

export interface KeyGeneratorOptions {
  /** Ready keys of each RSA type: 32, 16 and 8 unless told. 0 keeps none. */
  pool?: Partial<PoolSizes>
  /** Threads of lowest priority that fill the pool: 1 unless told. */
  fillWorkers?: number
  /** Most threads of normal priority that serve requests which find the pool empty: one a core, up to 4, unless told. */
  demandWorkers?: number
  /** How long after the start, or after a full pool was first drawn on, the filling begins, in ms: 1,000 unless told. */
  fillDelayMs?: number
  /** A thread without work for so long is stopped, in ms: 10,000 unless told. */
  idleMs?: number
  createWorker?: CreateWorker
}

interface Waiter {
  /** Position in the order of all that ever waited. */
  turn: number
  resolve(key: SealedKey): void
  reject(error: KeyferryError): void
}

/** How long a fill worker that runs lets those who take keys at the same time go first, in ms. */
const burstMs = 100
/** So many crashes of demand workers without a key in between, and whoever waits is told instead of kept waiting. */
const crashesBeforeGivingUp = 3

/**
 * Makes a key generator. No thread is started before it is needed: filling begins `fillDelayMs` later, so that it does not slow down
 * the start of a process, and unref'ed threads do not keep a process alive unless somebody waits for a key.
 * Throws `invalid` when a number in `options` is out of its range.
 */
export function createKeyGenerator(options: KeyGeneratorOptions = {}): KeyGenerator {
  const { fillWorkers = 1, fillDelayMs = 1_000, idleMs = 10_000, createWorker = createWorkerFromText } = options
  const { demandWorkers = Math.min(4, Math.max(1, availableParallelism())) } = options
  checkWholeNumber('the number of fill workers', fillWorkers, 0, 64)
  checkWholeNumber('the number of demand workers', demandWorkers, 1, 64)

  const ready = createReadyKeys(options.pool)
  const waiting: Record<RsaType, Waiter[]> = { 'rsa-2048': [], 'rsa-3072': [], 'rsa-4096': [] }
  let turns = 0
  let generated = 0
  let fillTimer: NodeJS.Timeout | undefined
  let fillCrashes = 0
  let demandCrashes = 0
  let closing: Promise<void> | undefined

  const shared = { poolKey: ready.poolKey, createWorker, idleMs }
  const fillers = createRsaWorkers({
    ...shared,
    limit: fillWorkers,
    background: true,
    onKey(type, key) {
      fillCrashes = 0
      handOut(type, key)
      fill()
    },
    onCrash: fillCrashed,
  })
  const servers = createRsaWorkers({
    ...shared,
    limit: demandWorkers,
    background: false,
    onKey(type, key) {
      demandCrashes = 0
      handOut(type, key)
      serve()
    },
    onCrash(error) {
      demandCrashed(error)
      serve()
    },
  })

  /** A key goes to the first who waits for its type, whichever thread made it; else into the pool. */
  function handOut(type: RsaType, key: SealedKey): void {
    generated++
    const waiter = waiting[type].shift()
    if (waiter === undefined) ready.put(type, key)
    else waiter.resolve(key)
  }

  /**
   * Gives work to demand workers: one key for each waiter that no demand worker is at work for yet, the longest waiting first.
   * Where many wait, each worker gets its next key ahead of time: otherwise it idles until a busy event loop gets round to it. Few
   * are not spread so, since one might then wait behind a slow key while another worker is idle.
   */
  function serve(): void {
    for (let type = nextInTurn(); type !== undefined; type = nextInTurn()) {
      try {
        const many = waitingCount() - servers.making() > demandWorkers
        if (!servers.give(type, many)) break
      } catch (error) {
        // No more threads to be had: those that there are go on.
        if (servers.count() > 0) break
        demandCrashed(error)
      }
    }
    servers.hold(waitingCount() > 0)
  }

  function nextInTurn(): RsaType | undefined {
    let first: Waiter | undefined
    let next: RsaType | undefined
    for (const type of rsaTypes) {
      const waiter = waiting[type][servers.making(type)]
      if (waiter !== undefined && (first === undefined || waiter.turn < first.turn)) {
        first = waiter
        next = type
      }
    }
    return next
  }

  function demandCrashed(error: unknown): void {
    demandCrashes++
    if (demandCrashes < crashesBeforeGivingUp) return
    demandCrashes = 0
    rejectAll(`RSA keys cannot be made now: worker threads failed ${crashesBeforeGivingUp} times in a row`, error)
  }

  function rejectAll(message: string, cause?: unknown): void {
    for (const type of rsaTypes) {
      for (const waiter of waiting[type].splice(0)) waiter.reject(new KeyferryError('unavailable', message, { cause }))
    }
  }

  function waitingCount(): number {
    return rsaTypes.reduce((sum, type) => sum + waiting[type].length, 0)
  }

  /** Keeps fill workers busy until the pool is full. */
  function fill(): void {
    for (let type = ready.wanted(fillers.making); type !== undefined; type = ready.wanted(fillers.making)) {
      try {
        if (!fillers.give(type)) return
      } catch {
        fillCrashed()
        return
      }
    }
  }

  /** Filling waits until a burst is over: soon where a fill worker runs, later where a thread must be started. */
  function refill(): void {
    fillLater(fillers.count() > 0 ? Math.min(burstMs, fillDelayMs) : fillDelayMs)
  }

  function fillLater(delayMs: number): void {
    if (closing !== undefined || fillTimer !== undefined) return
    fillTimer = setTimeout(() => {
      fillTimer = undefined
      fill()
    }, delayMs).unref()
  }

  /** Filling is never urgent: each crash in a row doubles the wait, up to 64 times the usual. */
  function fillCrashed(): void {
    fillCrashes = Math.min(fillCrashes + 1, 6)
    fillLater(fillDelayMs * 2 ** fillCrashes)
  }

  function closed(): KeyferryError {
    return new KeyferryError('unavailable', 'key generation has stopped: the server is shutting down')
  }

  refill()

  return {
    async generate(type) {
      if (closing !== undefined) throw closed()
      if (!isRsa(type)) {
        const key = await generateCheapKey(type)
        generated++
        return key
      }
      const key = ready.take(type)
      if (key !== undefined) {
        refill()
        return ready.open(key)
      }
      return new Promise((resolve, reject) => {
        waiting[type].push({
          turn: turns++,
          reject,
          resolve(sealed) {
            try {
              resolve(ready.open(sealed))
            } catch (error) {
              reject(error)
            }
          },
        })
        serve()
      })
    },
    stats: () => ({
      ...ready.stats(),
      waiting: waitingCount(),
      generated,
      workers: { fill: fillers.count(), demand: servers.count() },
    }),
    close() {
      closing ??= (async () => {
        clearTimeout(fillTimer)
        rejectAll(closed().message)
        ready.empty()
        await Promise.all([fillers.close(), servers.close()])
        ready.poolKey.fill(0)
      })()
      return closing
    },
  }
}
