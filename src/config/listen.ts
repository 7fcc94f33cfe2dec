/** Where a server listens. Port 0 lets the system choose. */
export interface ListenAddress {
  host: string
  port: number
}

export const defaultListen = '127.0.0.1:8200'

/** What `--listen` takes, for messages. */
export const listenForm = 'HOST:PORT, with an IPv6 host in brackets and a port from 0 (any free one) to 65535'

/** Reads `HOST:PORT`, or gives undefined when it is not one. */
export function parseListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9a-zA-Z.-]+)):([0-9]{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host !== undefined && port <= 65535 ? { host, port } : undefined
}

/** Whether only this machine can reach the address. Takes a host as in a URL, too: IPv6 in brackets. */
export function isLoopback(host: string): boolean {
  return ['localhost', '::1', '[::1]'].includes(host) || /^127(\.[0-9]{1,3}){3}$/.test(host)
}
