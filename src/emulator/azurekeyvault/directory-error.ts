import type { ServiceResponse } from './errors.ts'

/** A refusal of the token authority, in Entra's shape: an OAuth error with an AADSTS code. */
export class DirectoryError extends Error {
  readonly status: number
  readonly error: string
  readonly code: string

  constructor(status: number, error: string, code: string, message: string) {
    super(message)
    this.name = 'DirectoryError'
    this.status = status
    this.error = error
    this.code = code
  }

  response(now: number, traceId: string): ServiceResponse {
    const timestamp = `${new Date(now).toISOString().slice(0, 19).replace('T', ' ')}Z`
    const number = this.code.replace('AADSTS', '')
    return {
      status: this.status,
      body: {
        error: this.error,
        error_description:
          `${this.code}: ${this.message} Trace ID: ${traceId} Correlation ID: ${traceId} ` + `Timestamp: ${timestamp}`,
        error_codes: [Number(number)],
        timestamp,
        trace_id: traceId,
        correlation_id: traceId,
        error_uri: `https://login.microsoftonline.com/error?code=${number}`,
      },
    }
  }
}
