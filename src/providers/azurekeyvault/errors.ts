import { CloudError } from '../../core/kms/provider.ts'
import { explain } from './explanations.ts'
import type { Route } from './network.ts'
import { redact } from './redact.ts'
import { transportTrouble } from './transport.ts'

/** One call to the service, as far as a message about its failure needs to know it. */
export interface Operation {
  action: 'import' | 'create' | 'get' | 'list' | 'update' | 'delete' | 'recover'
  /** Ends the sentence "Azure Key Vault refused to …". */
  what: string
  host: string
  kind: 'vault' | 'managedhsm'
  /** Whether the service is asked for a key in an HSM. */
  hsm?: boolean
  route?: Route
}

/** A failed call to a vault. */
export class VaultError extends CloudError {
  /** DNS does not know the vault's own name. */
  readonly unknownHost: boolean

  constructor(
    kind: CloudError['kind'],
    message: string,
    more: ConstructorParameters<typeof CloudError>[2] & { unknownHost?: boolean } = {},
  ) {
    super(kind, message, more)
    this.name = 'VaultError'
    this.unknownHost = more.unknownHost ?? false
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

/** A call without an answer: no connection, a lost one, or none in time. `sent`: whether it went out with its token. */
export function transportError(
  operation: Operation,
  error: unknown,
  sent: boolean,
  timeoutMs: number | undefined,
): VaultError {
  const trouble =
    timeoutMs === undefined
      ? transportTrouble(operation.host, error, operation.route)
      : {
          sentence: `${operation.host} did not answer within ${timeoutMs / 1000} s`,
          code: 'ETIMEDOUT',
          reached: true,
          unknownHost: false,
        }
  return new VaultError('unavailable', `could not ${operation.what}: ${trouble.sentence}`, {
    effect: writes(operation) && sent && trouble.reached ? 'unknown' : 'none',
    unknownHost: trouble.unknownHost,
    ...(trouble.code && { serviceCode: trouble.code }),
  })
}

/**
 * A vault that DNS does not know, asked several times: without effect, and final for whoever waits for a first key in it. `tries`: how
 * often it was asked.
 */
export function unknownHostError(operation: Operation, tries: number): VaultError {
  const what = operation.kind === 'vault' ? 'vault' : 'Managed HSM'
  return new VaultError(
    'refused',
    `could not ${operation.what}: there is no ${what} ${operation.host}, DNS does not know the name (asked ${tries} times): is ` +
      'key_collection spelled right, and environment the right cloud?',
    { serviceCode: 'ENOTFOUND' },
  )
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

/**
 * Whether the service shows a disabled version to a plain read is not documented, and peers differ. A listing shows it in any case:
 * gives the refusal for the caller to look there, and throws every other error.
 */
export function hiddenByDisabling(error: unknown): VaultError {
  if (error instanceof VaultError && error.serviceCode?.includes('KeyDisabled')) return error
  throw error
}
