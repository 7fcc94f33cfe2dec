import { CloudError } from '../../core/kms/provider.ts'
import { explain } from './explanations.ts'
import { redact } from './redact.ts'

/** One call to the service, as far as a message about its failure needs to know it. */
export interface Operation {
  action: 'import' | 'create' | 'get' | 'list' | 'update' | 'delete'
  /** Ends the sentence "Azure Key Vault refused to …". */
  what: string
  host: string
  kind: 'vault' | 'managedhsm'
  /** Whether the service is asked for a key in an HSM. */
  hsm?: boolean
}

/** A failed call, with the HTTP status where there was an answer. */
export class VaultError extends CloudError {
  readonly status: number | undefined

  constructor(
    kind: CloudError['kind'],
    message: string,
    more: ConstructorParameters<typeof CloudError>[2] & { status?: number | undefined } = {},
  ) {
    super(kind, message, more)
    this.name = 'VaultError'
    this.status = more.status
  }
}

/** What the service said: `{"error":{"code","message","innererror":{"code"}}}`, as far as it is there. */
export interface ServiceAnswer {
  status: number
  /** `code`, then the innermost `innererror.code`: `Forbidden/ForbiddenByRbac`; undefined when the body is not the service's. */
  serviceCode: string | undefined
  message: string | undefined
}

/** Reads an error body. Nothing is taken for granted: proxies and peers answer with pages or with nothing. */
export function readAnswer(status: number, body: string | null | undefined): ServiceAnswer {
  const error = record(record(parseJson(body ?? ''))?.error)
  const code = text(error?.code)
  let inner = record(error?.innererror)
  let innerCode: string | undefined
  for (let depth = 0; inner && depth < 5; depth++) {
    innerCode = text(inner.code) ?? innerCode
    inner = record(inner.innererror)
  }
  const codes = [code, innerCode].filter((part) => part !== undefined)
  return { status, serviceCode: codes.length > 0 ? codes.join('/') : undefined, message: text(error?.message) }
}

/**
 * An answer that is not a success, as an error: 4xx had no effect and is final (but 408, 409 and 429); 429 means later; 5xx and
 * redirects leave open what happened, when the call was to change something.
 */
export function answerError(
  operation: Operation,
  answer: ServiceAnswer,
  retryAfterMs: number | undefined,
  secrets: readonly string[],
): VaultError {
  const { status } = answer
  const kind = kindOf(operation, status)
  const lost = status < 400 || status === 408 || status >= 500
  const codes = answer.serviceCode && redact(answer.serviceCode, secrets)
  const reason = explain(operation, answer)
  const said = answer.message ? `: "${redact(answer.message, secrets)}"` : ''
  const verb = kind === 'refused' || kind === 'name_taken' ? 'refused to' : 'did not'
  const service = operation.kind === 'vault' ? 'Azure Key Vault' : 'Managed HSM'
  return new VaultError(
    kind,
    `${service} ${verb} ${operation.what}${because(reason)} ${operation.host} answered ${status}${codes ? ` ${codes}` : ''}${said}`,
    {
      effect: lost && writes(operation) ? 'unknown' : 'none',
      ...(codes && { serviceCode: codes }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      status,
    },
  )
}

function kindOf(operation: Operation, status: number): CloudError['kind'] {
  if (status === 429) return 'throttled'
  if (status === 409 && (operation.action === 'import' || operation.action === 'create')) return 'name_taken'
  if (status < 400 || status === 407 || status === 408 || status === 409 || status >= 500) return 'unavailable'
  return 'refused'
}

function writes(operation: Operation): boolean {
  return operation.action !== 'get' && operation.action !== 'list'
}

/** These end a call before anything of it is sent. */
const neverConnected = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
])
const certificateTrouble = /^(CERT_|ERR_TLS_CERT|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA)/
const tlsTrouble = /^(EPROTO$|ERR_SSL_|ERR_TLS_)/

/** How a failed exchange with a host reads: what happened, and whether the request can have reached it. */
export function transportTrouble(
  host: string,
  error: unknown,
): { sentence: string; code: string | undefined; reached: boolean } {
  const code = text(record(error)?.code)
  const message = error instanceof Error ? error.message : ''
  const trouble = (sentence: string, reached: boolean) => ({ sentence, code, reached })
  if (code === 'ENOTFOUND')
    return trouble(`the name ${host} is not known to DNS: is it spelled right, and does it exist?`, false)
  if (code === 'EAI_AGAIN') return trouble(`the name ${host} cannot be looked up now: DNS does not answer`, false)
  if (code !== undefined && neverConnected.has(code)) return trouble(`no connection to ${host} (${code})`, false)
  if (code === 'ERR_PROXY_TUNNEL')
    return trouble(`the proxy opened no way to ${host}: does it ask for credentials?`, false)
  if (code !== undefined && certificateTrouble.test(code)) {
    return trouble(
      `the TLS certificate of ${host} is not trusted (${code}): is another service answering, or a CA missing?`,
      false,
    )
  }
  if (code !== undefined && tlsTrouble.test(code)) return trouble(`TLS with ${host} failed (${code})`, false)
  if (/before secure TLS connection/.test(message))
    return trouble(`${host} closed the connection before TLS was set up`, false)
  return trouble(`the connection to ${host} was lost${code ? ` (${code})` : ''}`, true)
}

/** A call without an answer: no connection, a lost one, or none in time. `sent`: whether it went out with its token. */
export function transportError(
  operation: Operation,
  error: unknown,
  sent: boolean,
  timeoutMs: number | undefined,
): VaultError {
  const trouble =
    timeoutMs === undefined
      ? transportTrouble(operation.host, error)
      : { sentence: `${operation.host} did not answer within ${timeoutMs / 1000} s`, code: 'ETIMEDOUT', reached: true }
  return new VaultError('unavailable', `could not ${operation.what}: ${trouble.sentence}`, {
    effect: writes(operation) && sent && trouble.reached ? 'unknown' : 'none',
    ...(trouble.code && { serviceCode: trouble.code }),
  })
}

/** An answer of success that cannot be read: for a write, it may well have happened. */
export function unreadableError(
  operation: Operation,
  sent: boolean,
  error: unknown,
  secrets: readonly string[],
): VaultError {
  const detail = error instanceof Error ? redact(error.message, secrets) : ''
  return new VaultError(
    'unavailable',
    `could not ${operation.what}: the answer of ${operation.host} could not be used (${detail})`,
    {
      effect: writes(operation) && sent ? 'unknown' : 'none',
    },
  )
}

/** A challenge for a resource that is not the vault's: something else answers there, and is given no token. */
export function challengeError(operation: Operation): VaultError {
  return new VaultError(
    'refused',
    `could not ${operation.what}: ${operation.host} asked for a token that is not for its own domain, and was given none. For a cloud ` +
      'of your own, set its tokenResource',
  )
}

/** `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3), or Azure's own headers in ms; undefined when there is none. */
export function readRetryAfter(header: (name: string) => string | undefined, now: number): number | undefined {
  for (const name of ['retry-after-ms', 'x-ms-retry-after-ms']) {
    const ms = Number(header(name) ?? Number.NaN)
    if (ms >= 0) return ms
  }
  const value = header('retry-after')
  if (value === undefined) return undefined
  const seconds = Number(value)
  if (seconds >= 0) return seconds * 1000
  if (!/[a-z]/i.test(value)) return undefined
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** The end of a sentence with its reason, if there is one, and its mark. */
export function because(reason: string | undefined): string {
  if (reason === undefined) return '.'
  return `: ${reason}${reason.endsWith('?') ? '' : '.'}`
}

/** The value as a record, when it is one. */
export function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
