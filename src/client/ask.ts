import { request as plain } from 'node:http'
import { request as overTls } from 'node:https'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import type { Gateway } from './gateway.ts'
import { unreachable } from './unreachable.ts'

/** Vault's envelope, as far as a client looks into it. */
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
 * One request of Vault's API. `path` is below `/v1/`; `query` is behind it. Throws a `CommandError` (2) where nothing answers, or not in
 * JSON; a refusal is an answer like any other.
 */
export async function ask(
  gateway: Gateway,
  method: 'GET' | 'PUT' | 'DELETE',
  path: string,
  { query, body }: { query?: Record<string, string>; body?: unknown } = {},
): Promise<Answer> {
  const url = new URL(`/v1/${path.split('/').map(encodeURIComponent).join('/')}`, gateway.address)
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value)
  const { status, text, retryAfter } = await send(gateway, method, url, body).catch((error: unknown) => {
    throw unreachable(gateway.address, error)
  })
  return { status, body: text === '' ? undefined : parse(gateway.address, status, text), retryAfter }
}

function send(
  gateway: Gateway,
  method: string,
  url: URL,
  body: unknown,
): Promise<{ status: number; text: string; retryAfter: string | undefined }> {
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
    request.on('response', (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(parts).toString(),
          retryAfter: response.headers['retry-after'],
        }),
      )
    })
    request.on('error', reject)
    request.end(content)
  })
}

function parse(address: URL, status: number, text: string): Envelope {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Envelope
  } catch {
    // Said below, as for JSON of another shape.
  }
  throw new CommandError(
    exitCodes.refused,
    `what answers at ${address.origin} (with ${status}) does not speak Vault's API: look whether VAULT_ADDR or --address is right`,
  )
}
