import type { Caller } from '../access/authenticator.ts'
import type { Context } from '../context.ts'
import { AuditBroker } from './broker.ts'
import type { Head } from './chain.ts'
import { type AuditedCall, type AuditedOutcome, requestPart, responsePart } from './cloud.ts'
import type { AuditFigures, LineKind } from './figures.ts'
import { AuditHasher } from './hash.ts'
import type { Sink } from './sink.ts'

/** What is known of a request when it is recorded: as much as it got along. */
export interface AuditedRequest {
  id: string
  /** Vault's words: read, list, update, delete, patch. */
  operation: string
  /** In its namespace. */
  path: string
  namespace: { id: string; path: string }
  mountPoint: string
  mountType: string
  /** The fields as they were sent: hashed here. */
  data: Readonly<Record<string, unknown>>
  remoteAddress: string | undefined
  /** The token as it was sent, and whose it is where it was good: hashed here. */
  token: string | undefined
  caller: Caller | undefined
  wrapTtl: number | undefined
}

/** What an answer is recorded with. */
export interface AuditedAnswer {
  status: number
  /** The members of the envelope that hold something; hashed here. */
  data?: unknown
  auth?: unknown
  wrapInfo?: unknown
  warnings?: readonly string[]
}

export interface AuditOptions {
  sinks: Sink[]
  /** Leaves the names out of recorded list answers: hashing each makes a list eight times as dear. */
  elideListResponses?: boolean
}

export interface AuditParts extends AuditOptions {
  context: Context
  /** 32 secret bytes of the instance. */
  auditKey: Buffer
  keepHeads(heads: Head[]): Promise<void>
}

/** Fields whose values are no secrets and are worth reading: everything else that is text is hashed. */
const plain: ReadonlySet<string> = new Set(['provider', 'type', 'protection', 'purpose', 'token_type'])

/** The audit log: who asked for what, and what came of it, in Vault's shape. */
export class AuditService {
  readonly #parts: AuditParts
  readonly #broker: AuditBroker
  readonly #hasher: AuditHasher
  /** The `auth` part by caller, so that a known caller costs no hashing. */
  readonly #auth = new WeakMap<Caller, Auth>()
  readonly #recorded: Record<LineKind, number> = { request: 0, response: 0, cloud: 0 }
  readonly #lost: Record<LineKind, number> = { request: 0, response: 0, cloud: 0 }

  constructor(parts: AuditParts) {
    this.#parts = parts
    this.#broker = new AuditBroker(parts)
    this.#hasher = new AuditHasher(parts.auditKey)
  }

  /** False: there is no sink, and callers need not gather anything. */
  get on(): boolean {
    return this.#broker.on
  }

  get healthy(): boolean {
    return this.#broker.healthy
  }

  /** The text that a value has in the log of a namespace (`sys/audit-hash`). */
  hash(namespaceId: string, value: string): string {
    return this.#hasher.hash(namespaceId, value)
  }

  /** Records a request, before it has an effect. Throws `unavailable` when that is not possible. `error`: why it was refused. */
  async request(request: AuditedRequest, error?: string): Promise<void> {
    await this.#record('request', `{${this.#start('request', request)}${errorPart(error)}}`)
  }

  /**
   * Records the answer, before it leaves. Gives what was said of it, for `responseAgain`. Throws `unavailable` when it is not possible.
   */
  async response(request: AuditedRequest, answer: AuditedAnswer, error?: string): Promise<string> {
    const { id } = request.namespace
    const elided = request.operation === 'list' && this.#parts.elideListResponses ? elide(answer.data) : answer.data
    const response = {
      status: answer.status,
      mount_type: request.mountType,
      ...(elided == null ? {} : { data: this.#hasher.hashAll(id, elided, plain) }),
      ...(answer.auth == null ? {} : { auth: this.#hasher.hashAll(id, answer.auth, plain) }),
      ...(answer.wrapInfo == null ? {} : { wrap_info: this.#hasher.hashAll(id, answer.wrapInfo) }),
      ...(answer.warnings?.length ? { warnings: this.#hasher.hashAll(id, answer.warnings) } : {}),
    }
    const recorded = JSON.stringify(response)
    await this.#record('response', `{${this.#start('response', request)},"response":${recorded}${errorPart(error)}}`)
    return recorded
  }

  /** Records an answer without error that was given before, in the same namespace: `recorded` is what was said of it then. */
  async responseAgain(request: AuditedRequest, recorded: string): Promise<void> {
    await this.#record('response', `{${this.#start('response', request)},"response":${recorded}}`)
  }

  /** Records a call that is to change something in a cloud, before it is sent. Throws `unavailable` when that is not possible. */
  async cloudRequest(call: AuditedCall): Promise<void> {
    await this.#record(
      'cloud',
      `{"time":${this.#time()},"type":"cloud-request","request":${requestPart(this.#hasher, call)}}`,
    )
  }

  /** Records what came of a call to a cloud. Throws `unavailable` when that is not possible. */
  async cloudResponse(call: AuditedCall, outcome: AuditedOutcome): Promise<void> {
    const { response, error } = responsePart(this.#hasher, call, outcome)
    const start = `"time":${this.#time()},"type":"cloud-response","request":${requestPart(this.#hasher, call)}`
    await this.#record('cloud', `{${start},"response":${response}${errorPart(error)}}`)
  }

  figures(): AuditFigures {
    const { sinks, failing, healthy } = this.#broker
    return { healthy, sinks, failing, recorded: { ...this.#recorded }, lost: { ...this.#lost } }
  }

  async reopen(): Promise<void> {
    await this.#broker.reopen()
  }

  async close(): Promise<void> {
    await this.#broker.close()
  }

  async #record(kind: LineKind, body: string): Promise<void> {
    try {
      await this.#broker.record(body)
      this.#recorded[kind] += 1
    } catch (error) {
      this.#lost[kind] += 1
      throw error
    }
  }

  #time(): string {
    return JSON.stringify(new Date(this.#parts.context.now()).toISOString())
  }

  #start(type: 'request' | 'response', request: AuditedRequest): string {
    const { namespace, token } = request
    const auth = this.#authOf(request)
    const named = {
      id: request.id,
      operation: request.operation,
      mount_point: request.mountPoint,
      mount_type: request.mountType,
      ...(token === undefined ? {} : { client_token: auth.clientToken ?? this.hash(namespace.id, token) }),
      namespace: { id: namespace.id, ...(namespace.path === '' ? {} : { path: `${namespace.path}/` }) },
      path: request.path,
      ...(Object.keys(request.data).length === 0
        ? {}
        : { data: this.#hasher.hashAll(namespace.id, request.data, plain) }),
      ...(request.remoteAddress === undefined ? {} : { remote_address: request.remoteAddress }),
      ...(request.wrapTtl === undefined ? {} : { wrap_ttl: request.wrapTtl }),
    }
    return `"time":${this.#time()},"type":"${type}","auth":${auth.json},"request":${JSON.stringify(named)}`
  }

  /** The `auth` part: hashed once for each caller, whose token string is always the same. */
  #authOf({ caller, token }: AuditedRequest): Auth {
    if (!caller) return { json: '{}', clientToken: undefined }
    const known = this.#auth.get(caller)
    if (known) return known
    const { namespaceId, accessor, displayName, policies, type } = caller.token
    const clientToken = this.hash(namespaceId, token ?? '')
    const json = JSON.stringify({
      client_token: clientToken,
      ...(accessor === '' ? {} : { accessor: this.hash(namespaceId, accessor) }),
      display_name: displayName,
      policies,
      token_policies: policies,
      token_type: type,
      token_namespace: namespaceId,
    })
    const auth = { json, clientToken }
    this.#auth.set(caller, auth)
    return auth
  }
}

interface Auth {
  json: string
  clientToken: string | undefined
}

function errorPart(error: string | undefined): string {
  return error === undefined ? '' : `,"error":${JSON.stringify(error)}`
}

/** How many instead of which. */
function elide(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || !('keys' in data) || !Array.isArray(data.keys)) return data
  const { key_info: _, ...rest } = data as Record<string, unknown>
  return { ...rest, keys: data.keys.length }
}
