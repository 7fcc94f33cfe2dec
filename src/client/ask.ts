import { request as plain } from 'node:http'
import { request as overTls } from 'node:https'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import { readAnswer } from './answer-text.ts'
import { warnInTheClear } from './clear-text.ts'
import type { Gateway } from './gateway.ts'
import { unreachable } from './unreachable.ts'

/** Vault's envelope, as far as a client looks into it: what has another shape is no answer of a gateway. */
export interface Envelope {
  data?: Record<string, unknown> | null
  auth?: Record<string, unknown> | null
  wrap_info?: Record<string, unknown> | null
  warnings?: string[] | null
  errors?: string[]
  [other: string]: unknown
}

export interface Answer {
  status: number
  /** Undefined for an answer without a body. */
  body: Envelope | undefined
  /** Seconds to wait before the next attempt, where the gateway says so. */
  retryAfter: string | undefined
}

/** Longer than the 50 s after which a gateway answers that something goes on. */
const timeoutMs = 120_000

/**
 * One request of Vault's API. `path` is below `/v1/`; `query` is behind it. Throws a `CommandError` (2) where nothing answers, or not as a
 * gateway does, or more than `longestAnswer`, or from elsewhere: a redirection is not followed, since that would carry the token to another
 * host. A refusal is an answer like any other. Warns on standard error where a secret went in the clear.
 */
export async function ask(
  gateway: Gateway,
  method: 'GET' | 'PUT' | 'DELETE',
  path: string,
  { query, body }: { query?: Record<string, string>; body?: unknown } = {},
): Promise<Answer> {
  const url = new URL(`/v1/${path.split('/').map(encodeURIComponent).join('/')}`, gateway.address)
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value)
  const { status, text, retryAfter, location } = await send(gateway, method, url, body).catch((error: unknown) => {
    throw error instanceof CommandError ? error : unreachable(gateway.address, error)
  })
  if (status >= 300 && status < 400) throw elsewhere(gateway.address, status, location)
  return { status, body: text === '' ? undefined : parse(gateway.address, status, text), retryAfter }
}

function send(
  gateway: Gateway,
  method: string,
  url: URL,
  body: unknown,
): Promise<Omit<Answer, 'body'> & { text: string; location: string | undefined }> {
  const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
  const headers = {
    'X-Vault-Request': 'true',
    ...(gateway.token !== undefined && { 'X-Vault-Token': gateway.token }),
    ...(gateway.namespace !== undefined && { 'X-Vault-Namespace': gateway.namespace }),
    ...(content && { 'Content-Type': 'application/json', 'Content-Length': content.length }),
  }
  const options = { method, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) } as const
  const tls = { ...(gateway.ca !== undefined && { ca: gateway.ca }), rejectUnauthorized: gateway.verify }
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? overTls(url, { ...options, ...tls }) : plain(url, options)
    // Once all is sent, and not before: a host that is not there has got no token.
    request.on('finish', () => warnInTheClear(gateway, content !== undefined))
    request.on('response', (response) => {
      const { statusCode: status = 0, headers } = response
      const { 'retry-after': retryAfter, location } = headers
      readAnswer(response, url.origin).then((text) => resolve({ status, text, retryAfter, location }), reject)
    })
    request.on('error', reject)
    request.end(content)
  })
}

function parse(address: URL, status: number, text: string): Envelope {
  try {
    const body: unknown = JSON.parse(text)
    if (isRecord(body) && isEnvelope(body)) return body
  } catch {
    // Said below, as for JSON of another shape.
  }
  throw new CommandError(
    exitCodes.refused,
    `what answers at ${address.origin} (with ${status}) does not speak Vault's API: look whether VAULT_ADDR or --address is right`,
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEnvelope(body: Record<string, unknown>): body is Envelope {
  const { data, auth, wrap_info, errors, warnings } = body
  const records = [data, auth, wrap_info].every((one) => one === undefined || one === null || isRecord(one))
  const texts = [errors, warnings].every(
    (one) =>
      one === undefined ||
      one === null ||
      (Array.isArray(one) && one.every((text: unknown) => typeof text === 'string')),
  )
  return records && texts
}

function elsewhere({ origin }: URL, status: number, location: string | undefined): CommandError {
  const there = location === undefined ? undefined : URL.parse(location, origin)?.origin
  const where = there === undefined || there === 'null' || there === origin ? 'another address' : there
  return new CommandError(
    exitCodes.refused,
    `${origin} sends on to ${where} (${status}), where your token is not sent unasked: VAULT_ADDR or --address must be where the gateway is`,
  )
}
