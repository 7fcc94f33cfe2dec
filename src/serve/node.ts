import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { getRequestListener, type Http2Bindings, type HttpBindings } from '@hono/node-server'
import { type ClientAddress, clientAddressBehind } from './client-address.ts'
import { answerClientErrors } from './node/client-errors.ts'
import { ListSocket } from './node/list-socket.ts'
import { listen, withPort } from './node/listen.ts'
import { checkedTls, type Tls } from './tls.ts'

export interface NodeOptions {
  host: string
  /** 0 takes any free one. */
  port: number
  /** Without it the server speaks plain HTTP. */
  tls?: Tls
  /** How long the header of a request, and then its body, may take to come in, in ms. */
  headerTimeoutMs?: number
  bodyTimeoutMs?: number
  /** How long a connection may be idle between requests, in ms. */
  keepAliveMs?: number
  maxHeaderBytes?: number
  /** A client that asks before it sends (`Expect: 100-continue`) is told at once when its body is longer. */
  maxBodyBytes?: number
  /** Addresses and CIDR blocks of proxies whose `X-Forwarded-For` is believed. */
  trustedProxies?: readonly string[]
}

/** A server that listens. */
export interface Served {
  url: string
  port: number
  /** Takes no new connections, lets requests under way finish for up to `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>
  /**
   * Uses another certificate for connections from now on; requests under way keep theirs. Not there without TLS. Throws `invalid` as
   * `serveNode` does, and keeps the one before; on Deno `unavailable` where it cannot listen any more: then nobody is served.
   */
  replaceTls?(tls: Tls): Promise<void>
}

/** Anything that answers requests: a Hono app is one. */
export interface Fetches {
  fetch(request: Request, connected: { remoteAddress: string | undefined }): Response | Promise<Response>
}

const jsonHeaders = { 'Content-Type': 'application/json' }
/** How often time-outs are looked for, and idle connections while closing, in ms. */
const checkMs = 1000
const closingMs = 20

/**
 * Serves an app on Node's HTTP server, over TLS where a certificate is given. Takes the verb LIST, and answers in Vault's shape also what
 * never becomes a request. Throws `unavailable` when it cannot listen, `invalid` for a certificate or key that cannot be used.
 */
export async function serveNode(app: Fetches, options: NodeOptions): Promise<Served> {
  const { host, tls, headerTimeoutMs = 10_000, bodyTimeoutMs = 30_000, maxBodyBytes = 1024 * 1024 } = options
  const settings = {
    // Answers in our own shape where it is missing.
    requireHostHeader: false,
    headersTimeout: headerTimeoutMs,
    requestTimeout: headerTimeoutMs + bodyTimeoutMs,
    connectionsCheckingInterval: Math.min(checkMs, headerTimeoutMs),
    keepAliveTimeout: options.keepAliveMs ?? 75_000,
    maxHeaderSize: options.maxHeaderBytes ?? 16 * 1024,
    noDelay: true,
  }
  const handle = listenerOf(app, clientAddressBehind(options.trustedProxies ?? []))
  const secure = tls && createTlsServer({ ...settings, ...checkedTls(tls) }, handle)
  const server = secure ?? createServer(settings, handle)
  answerClientErrors(server)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (!(Number(request.headers['content-length']) > maxBodyBytes)) response.writeContinue()
    server.emit('request', request, response)
  })
  const port = await listen(server, host, options.port)
  return {
    url: `${tls ? 'https' : 'http'}://${withPort(host, port)}`,
    port,
    close: (graceMs) => close(server, graceMs),
    ...(secure && { replaceTls: async (next) => secure.setSecureContext(checkedTls(next)) }),
  }
}

type Listener = (incoming: IncomingMessage, outgoing: ServerResponse) => void

/** What is checked here is what a `Request` no longer shows. */
function listenerOf(app: Fetches, clientAddress: ClientAddress): Listener {
  const fetch = (request: Request, { incoming }: HttpBindings | Http2Bindings) => {
    const remoteAddress = clientAddress(incoming.socket.remoteAddress, incoming.headers['x-forwarded-for']?.toString())
    return app.fetch(request, { remoteAddress })
  }
  const settings = {
    hostname: 'localhost',
    errorHandler: () => new Response(errors('invalid request target or host'), { status: 400, headers: jsonHeaders }),
  }
  const listener = getRequestListener(fetch, settings)
  // The body of a LIST is not read; Node itself throws it away, without the timers with which bodies read in part are cleaned up.
  const listListener = getRequestListener(fetch, { ...settings, autoCleanupIncoming: false })
  return (incoming, outgoing) => {
    if (incoming.headers.host === undefined && incoming.httpVersion === '1.1') {
      refuse(outgoing, 'the request has no Host header')
    } else if (hasDotSegment(incoming.url ?? '')) {
      refuse(outgoing, 'invalid path: a path must not have "." or ".." as a part')
    } else if (incoming.method === 'LINK' && incoming.socket instanceof ListSocket) {
      incoming.method = 'LIST'
      void listListener(incoming, outgoing)
    } else void listener(incoming, outgoing)
  }
}

const dotSegment = /\/(?:\.|%2e){1,2}(?:[/#]|$)/i

/** URLs resolve `.` and `..`, encoded ones too, so that another resource than the one written would be meant. */
function hasDotSegment(target: string): boolean {
  if (!target.includes('/.') && !target.includes('/%2')) return false
  return dotSegment.test(target.split('?', 1)[0] ?? '')
}

function refuse(outgoing: ServerResponse, message: string): void {
  outgoing.statusCode = 400
  outgoing.setHeader('Content-Type', 'application/json')
  outgoing.end(errors(message))
}

function errors(message: string): string {
  return JSON.stringify({ errors: [message] })
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  // A connection becomes idle only when its request is answered: so this is repeated.
  const idle = setInterval(() => server.closeIdleConnections(), closingMs)
  const end = setTimeout(() => server.closeAllConnections(), graceMs)
  try {
    await closed
  } finally {
    clearInterval(idle)
    clearTimeout(end)
  }
}
