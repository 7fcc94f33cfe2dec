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

/** How often a port that this process has just let go is tried for, first and last, and after how long that is said, in ms. */
const reopenEveryMs = 5
const reopenMostMs = 1_000
const reopenMs = 10_000

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
      const isTls = pair && codeOf(error) === undefined && /certificate|private key/i.test(error.message)
      throw isTls ? unusableTls(error, `, of a kind that Deno takes: ${error.message}`) : listenError(error, host, port)
    }
  }
  /** What is to be listened with, and what was last. */
  let wanted = tls && checkedTls(tls)
  let present = wanted
  let server: DenoServer | undefined = listen(options.port, wanted)
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
  /** Listens again as soon as it can, however long that takes. Throws `invalid` where it came to that with the pair of before. */
  const reopen = async () => {
    let unusable: unknown
    for (let wait = reopenEveryMs; !closing && !server; ) {
      try {
        server = listen(port, wanted)
        present = wanted
      } catch (error) {
        if (isUnusable(error) && wanted !== present) {
          unusable = error
          wanted = present
          continue
        }
        await sleep(wait)
        wait = Math.min(2 * wait, reopenMostMs)
      }
    }
    if (unusable) throw unusable
  }
  let opening: Promise<void> | undefined
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
        wanted = checkedTls(next)
        retire()
        opening ??= reopen().finally(() => {
          opening = undefined
        })
        const opened = await Promise.race([opening.then(() => true), sleep(reopenMs, false)])
        if (!opened || !server)
          throw new KeyferryError('unavailable', `cannot listen on ${withPort(host, port)} any more: it is tried on`)
      },
    }),
  }
}

function isUnusable(error: unknown): boolean {
  return error instanceof KeyferryError && error.code === 'invalid'
}

/** The system's code of an error; undefined where it is not the system's. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function errors(message: string): string {
  return JSON.stringify({ errors: [message] })
}
