import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { badParameter, ServiceError } from './errors.ts'

/** A request, read to its end. */
export interface EmulatorRequest {
  readonly method: string
  /** The Host header in lower case, and without its port. */
  readonly host: string
  readonly hostname: string
  readonly path: string
  /** The decoded parts of the path between slashes, without a last empty one: the SDK ends some paths with a slash. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

const maximumBody = 1024 * 1024

/**
 * Reads a request.
 *
 * @throws {ServiceError} 400 for a target or host that is none, 413 for a body over 1 MiB
 */
export async function readRequest(incoming: IncomingMessage): Promise<EmulatorRequest> {
  const target = incoming.url ?? '/'
  const host = (incoming.headers.host ?? '').toLowerCase()
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  if (!path.startsWith('/') || !/^[\w.:[\]-]*$/.test(host)) throw badParameter('The request URI is not valid.')
  const parts = path.slice(1).split('/')
  if (parts.at(-1) === '') parts.pop()
  let segments: string[]
  try {
    segments = parts.map((part) => decodeURIComponent(part))
  } catch {
    throw badParameter('The request URI is not valid.')
  }
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length
    if (length > maximumBody) {
      throw new ServiceError(413, 'RequestEntityTooLarge', `The request body is over ${maximumBody} bytes.`, {
        headers: { connection: 'close' },
      })
    }
    chunks.push(chunk as Buffer)
  }
  return {
    method: incoming.method ?? 'GET',
    host,
    hostname: host.replace(/:\d+$/, ''),
    path,
    segments,
    query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
    headers: incoming.headers,
    body: Buffer.concat(chunks),
  }
}

/**
 * The body as a JSON object.
 *
 * @throws {ServiceError} 400
 */
export function jsonBody(request: EmulatorRequest): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(request.body))
  } catch {
    throw badParameter('The request body must be a JSON object, and is not valid JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badParameter('The request body must be a JSON object.')
  }
  return value as Record<string, unknown>
}
