import { randomBytes, randomUUID } from 'node:crypto'

/** Time and randomness come in from outside, so that tests own them. */
export interface Context {
  /** ms since 1970 */
  now(): number
  /** A random UUID (v4): ids of rows. */
  uuid(): string
  randomHex(bytes: number): string
  /** Calls `work` once, `ms` from now, and gives what calls it off. Does not keep the process alive. */
  after(ms: number, work: () => void): () => void
  /** Something that the operator should know, and that no caller sees. Never holds a secret. */
  log(level: 'info' | 'warn' | 'error', message: string, details?: Record<string, unknown>): void
}

/** The real clock and generator, and no log. */
export const systemContext: Context = {
  now: Date.now,
  uuid: randomUUID,
  randomHex: (bytes) => randomBytes(bytes).toString('hex'),
  after: (ms, work) => {
    const timer = setTimeout(work, ms).unref()
    return () => clearTimeout(timer)
  },
  log: () => {},
}

/** A mount of one namespace: what every engine call is about. */
export interface Scope {
  namespaceId: string
  /** Without slashes at its ends; '' is the root. */
  namespacePath: string
  mountId: string
  /** With its final slash. */
  mountPath: string
}

/** How long a request waits for the cloud, and what may come of it: see distribution/. */
export interface Waiting {
  /** ms since 1970 until which the caller waits for an operation; in the past: not at all. */
  deadline: number
  /** Told of each operation that is still going on when the caller is answered. */
  unfinished?: (operationId: string) => void
}
