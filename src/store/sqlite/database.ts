import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import { KeyferryError } from '../../core/errors.ts'
import { currentRecording, type IdempotentRow, type Recording } from '../../core/idempotency.ts'
import { drizzle } from './drizzle.ts'
import { codeOf, explained, unwritable } from './errors.ts'
import { nativeBinding } from './native-binding.ts'

const require = createRequire(import.meta.url)
const Sqlite = require('better-sqlite3') as typeof BetterSqlite3

export type Drizzle = BetterSQLite3Database

interface Job {
  run(): unknown
  mountId: string | undefined
  /** The request that it is a change of, where that has an `Idempotency-Key`. */
  recording: Recording | undefined
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** How long another process may hold the database before a write is refused, in ms, and how often it is tried again. */
const defaultBusyForMs = 5_000
const busyRetryMs = 20
/** How long SQLite itself waits for a lock, in ms: it stops the event loop meanwhile, which is nothing at a start and much later on. */
const startBusyMs = 5_000
const busyMs = 10
const mostStamps = 10_000
/**
 * A commit waits until this many turns of the event loop have brought no further write, and for so many turns at most. A turn with nothing
 * to do takes microseconds, a sync of the disk tenths of a millisecond, and new connections come one a turn.
 */
const enoughQuietTurns = 3
const mostTurns = 32

/**
 * One SQLite file: WAL, synchronous=FULL, so that a write that was answered survives a loss of power. Writes of a few turns of the
 * event loop share one commit, and so one sync of the disk: each is still all or nothing on its own, by a savepoint.
 */
export class Database {
  readonly sqlite: BetterSqlite3.Database
  readonly drizzle: Drizzle
  readonly #statements: Record<
    'begin' | 'commit' | 'rollback' | 'savepoint' | 'release' | 'undo',
    BetterSqlite3.Statement
  >
  readonly #dataVersion: BetterSqlite3.Statement
  readonly #busyForMs: number
  #jobs: Job[] = []
  #busySince: number | undefined
  #lastDataVersion: number
  #base = 0
  readonly #stamps = new Map<string, number>()
  readonly #closing: (() => void)[] = []
  #record: (row: IdempotentRow) => void = () => {}
  /** Transactions of this connection that became durable. */
  commits = 0
  /** Requests whose rows are in the transaction under way. */
  #recordedNow: Recording[] = []

  /** Throws `unavailable` with a sentence when the file cannot be opened as a database. */
  constructor(file: string, busyForMs = defaultBusyForMs) {
    this.#busyForMs = busyForMs
    try {
      this.sqlite = openSqlite(file)
      this.sqlite.pragma('journal_mode = WAL')
      this.sqlite.pragma('synchronous = FULL')
      this.sqlite.pragma('foreign_keys = ON')
    } catch (error) {
      throw error instanceof KeyferryError ? error : explained(file, error)
    }
    this.drizzle = drizzle(this.sqlite)
    const statement = (sql: string) => this.sqlite.prepare(sql)
    this.#statements = {
      begin: statement('BEGIN IMMEDIATE'),
      commit: statement('COMMIT'),
      rollback: statement('ROLLBACK'),
      savepoint: statement('SAVEPOINT job'),
      release: statement('RELEASE job'),
      undo: statement('ROLLBACK TO job'),
    }
    this.#dataVersion = statement('PRAGMA data_version').pluck()
    this.#lastDataVersion = this.#dataVersion.get() as number
  }

  /** To be called once the schema is up to date: from now on nothing may hold up the event loop. */
  started(): void {
    this.sqlite.pragma(`busy_timeout = ${busyMs}`)
  }

  /**
   * Runs `job` in a transaction and resolves when it is durable. What the job throws undoes the job alone. `mountId`: what is
   * remembered of that mount is stale afterwards.
   */
  write<T>(job: () => T, mountId?: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const recording = currentRecording()
      this.#jobs.push({ run: job, mountId, recording, resolve: resolve as (value: unknown) => void, reject })
      if (this.#jobs.length === 1) this.#gather()
    })
  }

  /** Commits once the event loop has brought no further job for a few turns: those who come at about the same time share one sync. */
  #gather(turns = 0, quietTurns = 0): void {
    const seen = this.#jobs.length
    setImmediate(() => {
      const quiet = this.#jobs.length > seen ? 0 : quietTurns + 1
      if (quiet < enoughQuietTurns && turns < mostTurns) this.#gather(turns + 1, quiet)
      else this.#flush()
    })
  }

  /** How the row of a request with an `Idempotency-Key` is written, with the first of its changes. */
  recordWith(record: (row: IdempotentRow) => void): void {
    this.#record = record
  }

  onClose(work: () => void): void {
    this.#closing.push(work)
  }

  /** True when another connection has committed since the last call. */
  changedElsewhere(): boolean {
    const version = this.#dataVersion.get() as number
    if (version === this.#lastDataVersion) return false
    this.#lastDataVersion = version
    this.#base += 1
    return true
  }

  stamp(mountId: string): number {
    return this.#base + (this.#stamps.get(mountId) ?? 0)
  }

  /** To be called by a write that learns its mount on the way. */
  touch(mountId: string): void {
    // Numbers only ever grow: forgetting the single ones moves the base beyond all of them.
    if (this.#stamps.size >= mostStamps) {
      this.#base += Math.max(...this.#stamps.values()) + 1
      this.#stamps.clear()
    }
    this.#stamps.set(mountId, (this.#stamps.get(mountId) ?? 0) + 1)
  }

  /** To be called by a write of something that mounts of several namespaces show. */
  touchAll(): void {
    this.#base += 1
  }

  close(): void {
    for (const work of this.#closing.splice(0)) work()
    if (!this.sqlite.open) return
    for (const job of this.#jobs.splice(0)) job.reject(new KeyferryError('unavailable', 'the gateway is stopping'))
    this.sqlite.close()
  }

  #flush(): void {
    if (this.#jobs.length === 0) return
    try {
      this.#statements.begin.run()
    } catch (error) {
      this.#notBegun(error)
      return
    }
    this.#busySince = undefined
    const jobs = this.#jobs.splice(0)
    this.#recordedNow = []
    let settled: (() => void)[]
    try {
      settled = jobs.map((job) => this.#runOne(job))
      this.#statements.commit.run()
      this.commits += 1
    } catch (error) {
      for (const job of jobs) job.reject(unwritable(error))
      for (const recording of this.#recordedNow) recording.recorded = false
      if (this.sqlite.inTransaction) this.#statements.rollback.run()
      return
    }
    for (const job of jobs) if (job.mountId !== undefined) this.touch(job.mountId)
    for (const settle of settled) settle()
  }

  /** Gives what tells the job's caller once all is durable. Throws when the whole transaction is lost, with what came before. */
  #runOne(job: Job): () => void {
    this.#statements.savepoint.run()
    try {
      const value = job.run()
      const { recording } = job
      const first = recording && !recording.recorded && !recording.over
      if (first) this.#record(recording.row())
      this.#statements.release.run()
      if (first) {
        recording.recorded = true
        this.#recordedNow.push(recording)
      }
      return () => job.resolve(value)
    } catch (error) {
      // A full or failing disk undoes the whole transaction: what followed would be a transaction of its own.
      if (!this.sqlite.inTransaction) throw error
      this.#statements.undo.run()
      this.#statements.release.run()
      return () => job.reject(error instanceof KeyferryError ? error : unwritable(error))
    }
  }

  /** Another process is writing: the jobs wait without blocking the event loop, but not for ever. */
  #notBegun(error: unknown): void {
    const now = Date.now()
    this.#busySince ??= now
    if (codeOf(error).startsWith('SQLITE_BUSY') && now - this.#busySince < this.#busyForMs) {
      setTimeout(() => this.#flush(), busyRetryMs)
      return
    }
    this.#busySince = undefined
    for (const job of this.#jobs.splice(0)) job.reject(unwritable(error))
  }
}

/** Opens a file with SQLite's own library, and nothing set. Throws what that throws. */
export function openSqlite(file: string, options: BetterSqlite3.Options = {}): BetterSqlite3.Database {
  const native = nativeBinding(dirname(file))
  // The types know only a path here; the library takes the loaded addon as well.
  return new Sqlite(file, {
    timeout: startBusyMs,
    ...options,
    ...(native && { nativeBinding: native as unknown as string }),
  })
}
