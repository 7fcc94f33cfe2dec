import type { Caller } from '../../core/access/authenticator.ts'
import type { AuditedRequest, AuditService } from '../../core/audit/service.ts'
import type { NamespaceRow } from '../../core/store.ts'
import type { Respond } from '../vault/envelope.ts'
import type { OperationName } from '../vault/route.ts'

/** Vault's words for what a request wants. */
const words: Record<OperationName, string> = {
  read: 'read',
  list: 'list',
  write: 'update',
  delete: 'delete',
  patch: 'patch',
}

/** By so many characters what the audit log says of an answer may be longer than the answer, and is still kept with it. */
const mostRecordedMore = 512

/**
 * What the audit log will say of one request: filled in as the request gets along, recorded once before anything has an effect, and
 * once more with its answer.
 */
export class Trail {
  readonly #audit: AuditService
  readonly #request: AuditedRequest
  #recorded = false

  constructor(
    audit: AuditService,
    start: { id: string; path: string; remoteAddress: string | undefined; token: string | undefined },
  ) {
    this.#audit = audit
    this.#request = {
      ...start,
      operation: '',
      namespace: { id: 'root', path: '' },
      mountPoint: '',
      mountType: '',
      data: {},
      caller: undefined,
      wrapTtl: undefined,
    }
  }

  operation(name: OperationName): void {
    this.#request.operation = words[name]
  }

  caller(caller: Caller): void {
    this.#request.caller = caller
  }

  place(namespace: NamespaceRow, path: string, mountPoint: string, mountType: string): void {
    Object.assign(this.#request, { namespace, path, mountPoint, mountType })
  }

  sent(data: Readonly<Record<string, unknown>>, wrapTtl: number | undefined): void {
    this.#request.data = data
    this.#request.wrapTtl = wrapTtl
  }

  /** Records the request; a second time it does nothing. Throws `unavailable`: then nothing may be done. */
  async begin(error?: string): Promise<void> {
    if (this.#recorded || !this.#audit.on) return
    this.#recorded = true
    await this.#audit.request(this.#request, error)
  }

  /** Records the answer. Throws `unavailable`: then it may not leave. */
  async end({ status, body, type, kept }: Respond): Promise<void> {
    if (!this.#audit.on) return
    if (kept?.recorded !== undefined) {
      await this.#audit.responseAgain(this.#request, kept.recorded)
      return
    }
    const answer = body === null || type !== undefined ? {} : (JSON.parse(body) as Record<string, unknown>)
    const oauth = 'error' in answer ? `${answer.error}: ${answer.error_description}` : undefined
    const errors = Array.isArray(answer.errors) ? answer.errors.map(String).join('; ') : oauth
    const error = status >= 400 ? errors || `status ${status}` : undefined
    await this.begin(error)
    const recorded = await this.#audit.response(
      this.#request,
      {
        status,
        ...('data' in answer ? { data: answer.data } : 'errors' in answer || oauth ? {} : { data: answer }),
        auth: answer.auth,
        wrapInfo: answer.wrap_info,
        ...(Array.isArray(answer.warnings) ? { warnings: answer.warnings.map(String) } : {}),
      },
      error,
    )
    // What is much longer than the answer itself (a list whose names are hashed one by one) is not worth its memory.
    if (kept && recorded.length <= kept.tail.length + mostRecordedMore) kept.recorded = recorded
  }
}
