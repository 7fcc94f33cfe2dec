import { clientAddressBehind } from './client-address.ts'
import { listenError, withPort } from './node/listen.ts'
import type { Fetches, NodeOptions, Served } from './node.ts'
import { checkedTls } from './tls.ts'

/** What is used here of Deno's own API. */
interface DenoApi {
  serve(
    options: {
      hostname: string
      port: number
      cert?: string
      key?: string
      signal: AbortSignal
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

/**
 * Serves an app by `Deno.serve`, over TLS where a certificate is given. Deno knows the verb LIST, and answers by itself, without a body,
 * what never becomes a request; the limits of header and time are its own, and a certificate stays until the process ends: `Deno.serve`
 * takes none later. Throws as `serveNode` does.
 */
export async function serveDeno(app: Fetches, options: NodeOptions): Promise<Served> {
  const deno = denoApi()
  if (!deno) throw new Error('serveDeno was called outside Deno')
  const { host, port, tls } = options
  const pair = tls && checkedTls(tls)
  const clientAddress = clientAddressBehind(options.trustedProxies ?? [])
  const cut = new AbortController()
  let server: ReturnType<DenoApi['serve']>
  try {
    server = deno.serve(
      {
        hostname: host,
        port,
        ...(pair && { cert: pair.cert, key: pair.key }),
        signal: cut.signal,
        onListen: () => {},
        onError: () => new Response(errors('internal error'), { status: 500, headers: jsonHeaders }),
      },
      (request, { remoteAddr }) => {
        const remoteAddress = clientAddress(remoteAddr.hostname, request.headers.get('x-forwarded-for'))
        return app.fetch(request, { remoteAddress })
      },
    )
  } catch (error) {
    throw error instanceof Error ? listenError(error, host, port) : error
  }
  return {
    url: `${tls ? 'https' : 'http'}://${withPort(host, server.addr.port)}`,
    port: server.addr.port,
    async close(graceMs) {
      const end = setTimeout(() => cut.abort(), graceMs)
      await server.shutdown()
      clearTimeout(end)
    },
  }
}

function errors(message: string): string {
  return JSON.stringify({ errors: [message] })
}
