import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import type { ProcessStore } from '../../core/store/processes.ts'
import { openSqlite } from './database.ts'
import { codeOf } from './errors.ts'

const folderName = 'processes'
const suffix = '.lock'
/** Of a file that is not locked yet. */
const unfinished = '.new'
/** Begins the names of processes that hold a lock: of any other, nothing can be told. */
const locked = 'lock:'
/** How long it is believed that a process lives, in ms: as often as leases are looked through, whatever there is of them. */
const believedMs = 500
const mostRemembered = 1_000
/** A folder may be swept away by a process that ends, right before a lock is made in it. */
const attempts = 5

/** What this process holds: a lock that nobody refers to any more would be closed, and be lost. */
const held = new Set<BetterSqlite3.Database>()

/**
 * Each process that works on a database keeps a file beside it locked (`processes/<id>.lock`): the operating system lets go of the lock when
 * the process ends, also by a kill, and so others can tell. Node has no locks of files, so SQLite makes it: each is an empty database in an
 * exclusive transaction that never ends. Processes that share a SQLite file with a WAL are on one machine, so their locks meet, whatever
 * containers they are in.
 *
 * A file that is not there, or whose lock can be had, is of a process that has ended. Such files are taken away. A process that cannot make
 * a lock goes on without: what it holds is then free once its time is over.
 */
export class ProcessLocks implements ProcessStore {
  readonly #folder: string
  readonly #warn: (message: string) => void
  #held: { self: string; lock?: BetterSqlite3.Database } | undefined
  readonly #seen = new Map<string, { dead: boolean; until: number }>()

  /** `database`: its path. Nothing is made before a process needs a name. */
  constructor(database: string, warn: (message: string) => void = () => {}) {
    // Where SQLite has the log of the database, also when the path is a link.
    this.#folder = join(dirname(existsSync(database) ? realpathSync(database) : database), folderName)
    this.#warn = warn
  }

  /** Takes the lock when it is first asked for. */
  get self(): string {
    this.#held ??= this.#take()
    return this.#held.self
  }

  isDead(owner: string): boolean {
    if (!owner.startsWith(locked)) return false
    const id = owner.slice(locked.length).split('/', 1)[0] ?? ''
    if (this.#held?.self === locked + id) return false
    const now = performance.now()
    const seen = this.#seen.get(id)
    // Ids are used once: who is dead stays so.
    if (seen && (seen.dead || now < seen.until)) return seen.dead
    const dead = /^[\da-f-]{36}$/.test(id) && this.#isFree(id + suffix)
    if (this.#seen.size >= mostRemembered) this.#seen.clear()
    this.#seen.set(id, { dead, until: now + believedMs })
    return dead
  }

  /** Lets go of the lock, and leaves no trace where no other process is at work. */
  close(): void {
    const { self, lock } = this.#held ?? {}
    if (!self || !lock) return
    rmSync(join(this.#folder, self.slice(locked.length) + suffix), { force: true })
    held.delete(lock)
    lock.close()
    try {
      rmdirSync(this.#folder)
    } catch {
      // Others are in there.
    }
  }

  #take(): { self: string; lock?: BetterSqlite3.Database } {
    for (let attempt = 1; ; attempt++) {
      const id = randomUUID()
      try {
        mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
        const lock = this.#lock(id)
        this.#sweep()
        return { self: locked + id, lock }
      } catch (error) {
        if (attempt < attempts) continue
        const reason = error instanceof Error ? error.message : String(error)
        this.#warn(
          `no lock can be held in ${this.#folder} (${reason}): should this process be killed, what it was at work on waits for some minutes`,
        )
        return { self: `time:${id}` }
      }
    }
  }

  /** The file gets its name only when it is locked: nobody ever finds a living process's file without. */
  #lock(id: string): BetterSqlite3.Database {
    const path = join(this.#folder, id)
    const lock = openSqlite(path + unfinished, { timeout: 0 })
    try {
      chmodSync(path + unfinished, 0o600)
      exclude(lock)
      renameSync(path + unfinished, path + suffix)
      held.add(lock)
      return lock
    } catch (error) {
      lock.close()
      rmSync(path + unfinished, { force: true })
      throw error
    }
  }

  #sweep(): void {
    for (const name of readdirSync(this.#folder)) {
      const own = this.#held?.self === locked + name.slice(0, -suffix.length)
      if (!own && (name.endsWith(suffix) || name.endsWith(unfinished))) this.#isFree(name)
    }
  }

  /** Whether nobody holds a file; one that nobody holds is gone afterwards. */
  #isFree(name: string): boolean {
    const path = join(this.#folder, name)
    let probe: BetterSqlite3.Database | undefined
    try {
      if (isGone(path)) return true
      probe = openSqlite(path, { timeout: 0, fileMustExist: true })
      exclude(probe)
      rmSync(path, { force: true })
      return true
    } catch (error) {
      return codeOf(error) === 'SQLITE_CANTOPEN' && isGone(path)
    } finally {
      probe?.close()
    }
  }
}

/** Takes the lock, or throws. The journal, which would be another file, is of nothing. */
function exclude(database: BetterSqlite3.Database): void {
  database.pragma('journal_mode = MEMORY')
  database.exec('BEGIN EXCLUSIVE')
}

/** Not where it merely cannot be looked at. */
function isGone(path: string): boolean {
  try {
    lstatSync(path)
    return false
  } catch (error) {
    return codeOf(error) === 'ENOENT'
  }
}
