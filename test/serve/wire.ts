import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** One answer as it came over the wire. */
export interface Answer {
  status: number
  headers: string
  body: string
}

/** A raw connection that counts answers, for requests that no HTTP client would send. */
export class Wire {
  readonly socket: Socket
  readonly closed: Promise<void>
  #received = Buffer.alloc(0)
  #changed: () => void = () => {}
  #ended = false

  constructor(port: number, ca?: string) {
    this.socket = ca
      ? connectTls({ port, host: '127.0.0.1', ca, servername: 'localhost' })
      : connect({ port, host: '127.0.0.1' })
    this.socket.setNoDelay(true)
    this.socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#changed()
    })
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        this.#ended = true
        this.#changed()
        resolve()
      })
    })
  }

  /** Sends the pieces, each in a packet of its own. */
  async send(...pieces: string[]): Promise<this> {
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await pause(4)
      this.socket.write(piece, 'latin1')
    }
    return this
  }

  /** The next answers, in order. Rejects when the connection ends before. */
  async answers(count: number): Promise<Answer[]> {
    const found: Answer[] = []
    while (found.length < count) {
      const answer = this.#next()
      if (answer) found.push(answer)
      else if (this.#ended) throw new Error(`the connection ended after ${found.length} answers: ${this.#received}`)
      else await new Promise<void>((resolve) => (this.#changed = resolve))
    }
    return found
  }

  /** What came and was not taken as an answer. */
  get rest(): string {
    return this.#received.toString()
  }

  close(): void {
    this.socket.destroy()
  }

  #next(): Answer | undefined {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end === -1) return undefined
    const headers = this.#received.toString('latin1', 0, end)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(headers)?.[1] ?? 0)
    if (this.#received.length < end + 4 + length) return undefined
    const body = this.#received.toString('utf8', end + 4, end + 4 + length)
    this.#received = this.#received.subarray(end + 4 + length)
    return { status: Number(headers.slice(9, 12)), headers, body }
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export function request(method: string, path: string, body?: string, ...headers: string[]): string {
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  return [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...length, ...headers, '', body ?? ''].join('\r\n')
}
