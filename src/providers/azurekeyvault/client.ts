import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TokenCredential } from '@azure/identity'
import type { KeyClient, KeyClientOptions } from '@azure/keyvault-keys'
import { CloudError } from '../../core/kms/provider.ts'
import type { Cloud } from './clouds.ts'
import {
  answerError,
  challengeError,
  type Operation,
  readAnswer,
  readRetryAfter,
  transportError,
  unknownHostError,
  unreadableError,
  VaultError,
} from './errors.ts'
import type { Route } from './network.ts'
import { loadKeys } from './sdk.ts'
import type { Target } from './target.ts'

type Policy = NonNullable<KeyClientOptions['additionalPolicies']>[number]['policy']
type Agent = NonNullable<KeyClientOptions['agent']>

/** What is known about a call while it runs. */
interface Trace {
  operation: Operation
  session: Session
  time: Deadline
  /** Whether it went out with a token; before that the SDK only asks for the challenge, without a body. */
  sent: boolean
  /** Whether a deletion or recovery was answered with success. */
  accepted: boolean
}

/** The time that is left to one method of a connection, over all its calls. */
export interface Deadline {
  signal: AbortSignal
  timeoutMs: number
  /** When it ends, by the clock on the wall: timers stand still while a machine sleeps. */
  until: number
}

/** A client with its credential; `proven` once the vault accepted its token. */
interface Session {
  client: KeyClient
  proven: boolean
}

export interface VaultClientOptions {
  target: Target
  cloud: Cloud
  /** Makes a credential that holds no token yet. */
  credential: () => TokenCredential
  agent: Agent
  route: Route
  secrets: readonly string[]
  now: () => number
  /** How long to wait before DNS is asked again for a name that it did not know, in ms. */
  lookUpAgainMs: number
  /** Whether this vault is known to exist, though this client has had no answer of it. */
  isKnown: () => boolean | Promise<boolean>
  /** Called for every import that goes out. */
  noteImport: () => void
}

/** How often a name that DNS does not know is asked for: a new vault's name takes a moment to spread. */
const mostLookups = 3

/** What one call is, and the work of it. `what` completes "refused to …" and "could not …". */
type Call<T> = [
  operation: Pick<Operation, 'action' | 'what' | 'hsm'>,
  time: Deadline,
  work: (client: KeyClient, options: { abortSignal: AbortSignal }) => Promise<T>,
]

/**
 * The SDK's `KeyClient` for one vault as one identity. The SDK never sends again by itself, since a repeated import makes a second
 * version; never follows a redirect; and checks that the challenge is for the vault's own domain. Each failure becomes a
 * `CloudError` that says whether anything may have happened.
 */
export class VaultClient {
  readonly target: Target
  readonly #options: VaultClientOptions
  readonly #calls = new AsyncLocalStorage<Trace>()
  #session: Session
  /** The vault has answered something. */
  #answered = false

  constructor(options: VaultClientOptions) {
    this.target = options.target
    this.#options = options
    this.#session = this.#connect()
  }

  /** From now on. */
  deadline(timeoutMs: number): Deadline {
    return { signal: AbortSignal.timeout(timeoutMs), timeoutMs, until: this.#options.now() + timeoutMs }
  }

  /**
   * Runs one call of the SDK. A vault that nothing was ever had of, and whose name DNS does not know, is refused after some tries: it
   * was mistyped. Any other is only unavailable then: an outage of DNS must not be the end of what is in it.
   */
  async call<T>(...call: Call<T>): Promise<T> {
    const [operation, { signal }] = call
    for (let tries = 1; ; tries++) {
      try {
        return await this.#authorized(...call)
      } catch (error) {
        if (!(error instanceof VaultError) || !error.unknownHost || this.#answered) throw error
        if (signal.aborted || (await this.#options.isKnown())) throw error
        if (tries === mostLookups) throw unknownHostError(this.#complete(operation), tries)
        await sleep(this.#options.lookUpAgainMs, undefined, { signal }).catch(() => {
          throw error
        })
      }
    }
  }

  /**
   * A token that was good and is refused now (revoked, or expired by the vault's clock, while the SDK
   * keeps it until its own) is dropped, and the call is made once more with a fresh one: a 401 has no effect.
   */
  async #authorized<T>(...call: Call<T>): Promise<T> {
    const session = this.#session
    try {
      return await this.#attempt(session, ...call)
    } catch (error) {
      if (!(error instanceof VaultError) || error.status !== 401 || !session.proven) throw error
      if (this.#session === session) this.#session = this.#connect()
      return await this.#attempt(this.#session, ...call)
    }
  }

  /** A read, tried once more when no answer came and there is time. */
  async read<T>(...call: Call<T>): Promise<T> {
    const [, { signal }] = call
    try {
      return await this.call(...call)
    } catch (error) {
      if (!(error instanceof VaultError) || error.kind !== 'unavailable' || signal.aborted) throw error
      return await this.call(...call)
    }
  }

  async #attempt<T>(session: Session, ...[operation, time, work]: Call<T>): Promise<T> {
    const { signal, timeoutMs } = time
    const trace: Trace = {
      operation: this.#complete(operation),
      session,
      time,
      sent: false,
      accepted: false,
    }
    try {
      return await this.#calls.run(trace, () => work(session.client, { abortSignal: signal }))
    } catch (error) {
      // The SDK's pollers read once after what they asked for was accepted: what comes of that read says nothing about it.
      if (trace.accepted) return undefined as T
      if (error instanceof CloudError) throw error
      if (signal.aborted) throw transportError(trace.operation, error, trace.sent, timeoutMs)
      if (isTransport(error)) throw transportError(trace.operation, error, trace.sent, undefined)
      if (isChallengeMismatch(error)) throw challengeError(trace.operation)
      throw unreadableError(trace.operation, trace.sent, error, this.#options.secrets)
    }
  }

  #complete(operation: Call<unknown>[0]): Operation {
    return { ...operation, host: this.target.host, kind: this.target.kind, route: this.#options.route }
  }

  #connect(): Session {
    const { target, cloud, credential, agent } = this.#options
    const { KeyClient } = loadKeys()
    const client = new KeyClient(target.collection, credential(), {
      ...(cloud.serviceVersion !== undefined && { serviceVersion: cloud.serviceVersion }),
      // Where the operator pins the resource, the credential insists on exactly that one instead (identity.ts).
      disableChallengeResourceVerification: cloud.tokenResource !== undefined,
      agent,
      retryOptions: { maxRetries: 0 },
      redirectOptions: { maxRetries: 0 },
      additionalPolicies: [
        { position: 'perCall', policy: this.#refusals() },
        { position: 'perRetry', policy: this.#sending() },
      ],
    })
    return { client, proven: false }
  }

  /**
   * Outermost: turns what is no success into our error, with the whole answer in hand. The SDK's own reading of errors throws a
   * TypeError at a body that it does not expect.
   */
  #refusals(): Policy {
    return {
      name: 'keyferryRefusals',
      sendRequest: async (request, next) => {
        const response = await next(request)
        this.#answered = true
        const trace = this.#calls.getStore()
        if (!trace) return response
        if (response.status !== 401 && trace.sent) trace.session.proven = true
        if (response.status >= 200 && response.status < 300) {
          if (request.method === 'DELETE' || isRecovery(request)) trace.accepted = true
          return response
        }
        const answer = readAnswer(response.status, response.bodyAsText)
        const retryAfterMs = readRetryAfter((name) => response.headers.get(name), this.#options.now())
        throw answerError(trace.operation, answer, retryAfterMs, this.#options.secrets)
      },
    }
  }

  /** Innermost: notes that a request goes out with a token. After its time nothing does: another process may have taken the work over. */
  #sending(): Policy {
    return {
      name: 'keyferrySending',
      sendRequest: async (request, next) => {
        const trace = this.#calls.getStore()
        if (trace && request.headers.has('authorization')) {
          const { operation, time, sent } = trace
          if (this.#options.now() > time.until) throw transportError(operation, undefined, sent, time.timeoutMs)
          trace.sent = true
          if (request.method === 'PUT') this.#options.noteImport()
        }
        return next(request)
      },
    }
  }
}

function isRecovery({ method, url }: { method: string; url: string }): boolean {
  return method === 'POST' && /\/deletedkeys\/[^/?]+\/recover(\?|$)/i.test(url)
}

function isTransport(error: unknown): boolean {
  return error instanceof Error && (error.name === 'RestError' || error.name === 'AbortError' || 'syscall' in error)
}

/** The SDK's words when a challenge names a resource that is no parent of the vault's own domain, or comes from elsewhere. */
function isChallengeMismatch(error: unknown): boolean {
  return error instanceof Error && /challenge (resource|origin|contains)/i.test(error.message)
}
