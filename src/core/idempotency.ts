import { AsyncLocalStorage } from 'node:async_hooks'
import type { Context } from './context.ts'
import { sha256 } from './digest.ts'
import { KeyferryError } from './errors.ts'
import type { Keyring, Sealer } from './seal/keyring.ts'
import type { Awaitable } from './store.ts'

/** What is kept of a request with an `Idempotency-Key`: sealed, whether its body was the same, and its answer once there is one. */
export interface IdempotentRow {
  /** SHA-256, hex, of who asked for what under which key. */
  id: string
  namespaceId: string
  box: Buffer
  createdAt: number
  expiresAt: number
}

export interface IdempotencyStore {
  /** A row that has not run out. `running`: the process that wrote it may still be at work on its answer. */
  find(id: string, now: number): Awaitable<(IdempotentRow & { running: boolean }) | undefined>
  /** A request that changed nothing, with its answer. Throws `still_running` where there is a row. */
  keep(row: IdempotentRow): Promise<void>
  /** The answer has come. */
  answer(id: string, box: Buffer): Promise<void>
}

/**
 * A request under way. The store writes its row, as that of a request without an answer yet, together with the first change that the
 * request makes, and throws `still_running` (undoing that change) where another process was first.
 */
export interface Recording {
  row(): IdempotentRow
  recorded: boolean
  /** The request has its answer: what goes on by itself is none of its changes. */
  over: boolean
}

const current = new AsyncLocalStorage<Recording>()

/** The request that this code runs for, where it has an `Idempotency-Key`: for the store. */
export function currentRecording(): Recording | undefined {
  return current.getStore()
}

export interface IdempotentRequest {
  namespaceId: string
  /** The id of the token. */
  caller: string
  method: string
  /** With what is mounted there: a new mount at an old path is another one. */
  path: string
  key: string
  /** As it was sent. */
  body: string
}

/** An answer as it is kept. */
export interface KeptAnswer {
  status: number
  body: string | null
  /** Where an operation that goes on can be looked at. */
  location?: string
}

interface Kept extends Partial<KeptAnswer> {
  digest: string
}

const keptForMs = 24 * 3600 * 1000

export interface IdempotencyParts {
  context: Context
  store: { idempotency: IdempotencyStore }
  keyring: Keyring
}

/** Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a request that is sent again does its work once. */
export class IdempotencyService {
  readonly #parts: IdempotencyParts
  /** id -> digest of the body, of requests that run in this process. */
  readonly #running = new Map<string, string>()

  constructor(parts: IdempotencyParts) {
    this.#parts = parts
  }

  /**
   * Does `work`, which never rejects, unless it was done before under the same key: then gives the answer of that time; undefined where
   * the work was done and its answer is not known, since its process ended before. A refusal (4xx) that changed nothing is not kept.
   * Throws `key_reused` for another body, `still_running`.
   */
  async once(request: IdempotentRequest, work: () => Promise<KeptAnswer>): Promise<KeptAnswer | undefined> {
    const { namespaceId, caller, method, path, key, body } = request
    const id = sha256(JSON.stringify([namespaceId, caller, method, path, key]))
    const digest = sha256(body)
    const running = this.#running.get(id)
    if (running !== undefined) throw running === digest ? stillRunning() : keyReused()
    this.#running.set(id, digest)
    try {
      const sealer = await this.#parts.keyring.forNamespace(namespaceId)
      const found = await this.#parts.store.idempotency.find(id, this.#parts.context.now())
      if (!found) return await this.#first({ id, namespaceId, digest }, sealer, work)
      const kept = open(sealer, id, found.box)
      if (kept.digest !== digest) throw keyReused()
      const { digest: _, status, body: answer, location } = kept
      if (status !== undefined) return { status, body: answer ?? null, ...(location === undefined ? {} : { location }) }
      if (found.running) throw stillRunning()
      return undefined
    } finally {
      this.#running.delete(id)
    }
  }

  async #first(
    { id, namespaceId, digest }: { id: string; namespaceId: string; digest: string },
    sealer: Sealer,
    work: () => Promise<KeptAnswer>,
  ): Promise<KeptAnswer> {
    const { context, store } = this.#parts
    const rowOf = (kept: Kept): IdempotentRow => {
      const now = context.now()
      return { id, namespaceId, box: seal(sealer, id, kept), createdAt: now, expiresAt: now + keptForMs }
    }
    const recording: Recording = { row: () => rowOf({ digest }), recorded: false, over: false }
    const answer = await current.run(recording, work)
    recording.over = true
    // What went wrong in here is no answer to be given again: whoever asks once more is told of the change, if there was one.
    const isKept = answer.status < 400 || (recording.recorded && answer.status < 500)
    if (!isKept) return answer
    try {
      const row = rowOf({ digest, ...answer })
      if (recording.recorded) await store.idempotency.answer(id, row.box)
      else await store.idempotency.keep(row)
    } catch (error) {
      // The work is done, and its answer is right.
      context.log('warn', 'an answer could not be kept for its Idempotency-Key', { error: String(error) })
    }
    return answer
  }
}

function seal(sealer: Sealer, id: string, kept: Kept): Buffer {
  const plaintext = Buffer.from(JSON.stringify(kept))
  try {
    return sealer.seal({ objectId: id, version: 0, kind: 'idempotent-answer' }, plaintext)
  } finally {
    plaintext.fill(0)
  }
}

function open(sealer: Sealer, id: string, box: Buffer): Kept {
  const plaintext = sealer.open({ objectId: id, version: 0, kind: 'idempotent-answer' }, box)
  try {
    return JSON.parse(plaintext.toString()) as Kept
  } finally {
    plaintext.fill(0)
  }
}

export function stillRunning(): KeyferryError {
  return new KeyferryError('still_running', 'the first request with this Idempotency-Key still runs: ask again later')
}

function keyReused(): KeyferryError {
  return new KeyferryError(
    'key_reused',
    'this Idempotency-Key was used for a request with another body: choose another',
  )
}
