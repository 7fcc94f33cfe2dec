import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KeyferryError } from '../../core/errors.ts'

/** Binds the server; gives the port that it got. Throws `unavailable` with a sentence for the operator. */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen({ host, port }, resolve)
  })
  server.removeAllListeners('error')
  return (server.address() as AddressInfo).port
}

/** What to say when a server cannot listen, from the system's error. */
export function listenError(error: Error & { code?: string }, host: string, port: number): KeyferryError {
  const why = reasons[error.code ?? ''] ?? error.message
  return new KeyferryError('unavailable', `cannot listen on ${withPort(host, port)}: ${why}`, { cause: error })
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use by another program',
  EACCES: 'this user is not permitted to use the port (ports below 1024 are usually reserved)',
  EADDRNOTAVAIL: 'this machine does not have the address',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name cannot be looked up now',
}

/** `host:port`, with brackets around an IPv6 address. */
export function withPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
