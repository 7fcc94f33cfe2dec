import { randomUUID } from 'node:crypto'

/** What the emulator answers: a status, headers, and a body that is sent as JSON (or as it is, when a string). */
export interface ServiceResponse {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A refusal in Azure's shape: `{"error":{"code","message","innererror":{"code"}}}`. */
export class ServiceError extends Error {
  readonly status: number
  readonly code: string
  readonly innerCode: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: string,
    message: string,
    extra: { innerCode?: string; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.name = 'ServiceError'
    this.status = status
    this.code = code
    this.innerCode = extra.innerCode
    this.headers = extra.headers ?? {}
  }
}

/** 400, the service's answer to nearly every kind of bad input. */
export function badParameter(message: string, innerCode?: string): ServiceError {
  return new ServiceError(400, 'BadParameter', message, innerCode === undefined ? {} : { innerCode })
}

/** 403 for a caller or a key that may not do this. */
export function forbidden(message: string, innerCode: string): ServiceError {
  return new ServiceError(403, 'Forbidden', message, { innerCode })
}

/** 409 while a name is deleted, being deleted or being recovered. */
export function conflict(message: string, innerCode: string): ServiceError {
  return new ServiceError(409, 'Conflict', message, { innerCode })
}

/** 404 for a key or version that is not there; the text is the service's own. */
export function keyNotFound(nameOrId: string): ServiceError {
  return new ServiceError(
    404,
    'KeyNotFound',
    `A key with (name/id) ${nameOrId} was not found in this key vault. If you recently deleted this key you may be able to ` +
      'recover it using the correct recovery command. For help resolving this issue, please see ' +
      'https://go.microsoft.com/fwlink/?linkid=2125182',
  )
}

/** 405 for a path that exists with another method, or that the emulator leaves out on purpose. */
export function notAllowed(message: string): ServiceError {
  return new ServiceError(405, 'MethodNotAllowed', message)
}

/** An error as a response. A Managed HSM ends its messages with the id of the request, which vaults do not. */
export function errorResponse(error: ServiceError, managedHsm = false): ServiceResponse {
  const message = managedHsm ? `${error.message} (Activity ID: ${randomUUID()})` : error.message
  const inner = error.innerCode === undefined ? {} : { innererror: { code: error.innerCode } }
  return { status: error.status, body: { error: { code: error.code, message, ...inner } }, headers: error.headers }
}
