import { setTimeout as sleep } from 'node:timers/promises'
import { KeyferryError } from '../core/errors.ts'
import { clientAddressBehind } from './client-address.ts'
import { listenError, withPort } from './node/listen.ts'
import type { Fetches, NodeOptions, Served } from './node.ts'
import { checkedTls, type Tls, unusableTls } from './tls.ts'

/** What is used here of Deno's own API. */
interface DenoApi {
  serve(
    options: {
      hostname: string
      port: number
      cert?: string
      key?: string
      onListen(): void
      onError(error: unknown): Response
    },
    handler: (request: Request, info: { remoteAddr: { hostname?: string } }) => Response | Promise<Response>,
  ): { addr: { port: number }; finished: Promise<void>; shutdown(): Promise<void> }
}

/** Deno's API, or undefined on another runtime. */
export function denoApi(): DenoApi | undefined {
  return (globalThis as { Deno?: DenoApi }).Deno
}

const jsonHeaders = { 'Content-Type': 'application/json' }

type DenoServer = ReturnType<DenoApi['serve']>

/** How long a port that this process has just let go is tried for, and how often, in ms. */
const reopenMs = 10_000
const reopenEveryMs = 5

/**
 * Serves an app by `Deno.serve`, over TLS where a certificate is given. Deno knows the verb LIST, and answers by itself, without a body,
 * what never becomes a request; the limits of header and time are its own. It takes another certificate only with another listener, for
 * which the port is free some milliseconds after the one before has closed. Throws as `serveNode` does.
 */
export async function serveDeno(app: Fetches, options: NodeOptions): Promise<Served> {
  const deno = denoApi()
  if (!deno) throw new Error('serveDeno was called outside Deno')
  const { host, tls } = options
  const clientAddress = clientAddressBehind(options.trustedProxies ?? [])
  const listen = (port: number, pair: Tls | undefined): DenoServer => {
    try {
      return deno.serve(
        {
          hostname: host,
          port,
          ...(pair && { cert: pair.cert, key: pair.key }),
          onListen: () => {},
          onError: () => new Response(errors('internal error'), { status: 500, headers: jsonHeaders }),
        },
        (request, { remoteAddr }) => {
          const remoteAddress = clientAddress(remoteAddr.hostname, request.headers.get('x-forwarded-for'))
          return app.fetch(request, { remoteAddress })
        },
      )
    } catch (error) {
      if (!(error instanceof Error)) throw error
      // Deno takes fewer kinds of certificates and keys than Node, and says so when it is to listen.
      const isTls = pair && codeOf(error) === undefined && error.name !== 'NotCapable'
      throw isTls ? unusableTls(error, `, of a kind that Deno takes: ${error.message}`) : listenError(error, host, port)
    }
  }
  let present = tls && checkedTls(tls)
  let server: DenoServer | undefined = listen(options.port, present)
  const { port } = server.addr
  let closing = false
  /** Those that take no more, until what they are answering is answered. */
  const retiring = new Set<Promise<void>>()
  const retire = () => {
    if (!server) return
    const retired: Promise<void> = server.shutdown().finally(() => retiring.delete(retired))
    retiring.add(retired)
    server = undefined
  }
  const reopen = async (pair: Tls | undefined) => {
    for (const end = Date.now() + reopenMs; !closing; ) {
      try {
        server = listen(port, pair)
        return
      } catch (error) {
        if (codeOf((error as Error).cause) !== 'EADDRINUSE' || Date.now() > end) throw error
        await sleep(reopenEveryMs)
      }
    }
  }
  return {
    url: `${tls ? 'https' : 'http'}://${withPort(host, port)}`,
    port,
    async close(graceMs) {
      closing = true
      retire()
      // What is not answered by then ends with the process.
      await Promise.race([Promise.all(retiring), sleep(graceMs)])
    },
    ...(tls && {
      async replaceTls(next: Tls) {
        const pair = checkedTls(next)
        retire()
        try {
          await reopen(pair)
          present = pair
        } catch (error) {
          if (error instanceof KeyferryError && error.code === 'invalid') await reopen(present)
          throw error
        }
      },
    }),
  }
}

/** The system's code of an error; undefined where it is not the system's. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function errors(message: string): string {
  return JSON.stringify({ errors: [message] })
}
