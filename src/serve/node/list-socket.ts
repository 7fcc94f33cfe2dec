import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/** What Node's HTTP server adds to a socket, as far as it is needed here. */
export interface HttpSocket extends Duplex {
  /** The answer whose turn it is. */
  _httpMessage?: ServerResponse | null
  /** `remove` takes the parser off the list of those whose time-outs are watched. */
  parser?: { remove?(): void } | null
}

const list = Buffer.from('LIST ')
const endOfHead = '\r\n\r\n'
/** A body follows, or may: any length but a plain 0, or chunks. */
const bodyHeader = /\r\n(?:content-length:(?![ \t]*0[ \t]*\r)|transfer-encoding:)/i

/**
 * Stands between a socket and Node's HTTP parser, which knows no LIST, once that verb was seen on it: a LIST that begins a request is
 * shown to the parser as LINK, a verb of the same length that nothing uses. Whether bytes begin a request is known only as long as every
 * request so far came whole, alone and without a body, which is what clients do; after anything else the parser must refuse the next
 * LIST first, and a new one of these takes over there.
 */
export class ListSocket extends Duplex {
  readonly raw: Socket
  /** The next byte begins a request. */
  #atStart = true
  /** Too few bytes to tell whether they begin with LIST. */
  #undecided: Buffer | undefined
  /** Set while answers to earlier requests are still to be written. */
  #held: (() => void)[] | undefined
  #handedOn = false
  readonly #onData = (chunk: Buffer): void => this.#take(chunk)
  readonly #onEnd = (): void => void this.push(null)
  readonly #onGone = (error?: Error | boolean): void => void this.destroy(error instanceof Error ? error : undefined)

  /** `first`: the bytes from the beginning of the refused request on. `earlier`: resolves when older answers were written. */
  constructor(raw: Socket, first: Buffer, earlier: Promise<void> | undefined) {
    super({ decodeStrings: false, allowHalfOpen: true, emitClose: true })
    this.raw = raw
    // One listener for each LIST that was pipelined and is not answered yet.
    raw.setMaxListeners(0)
    raw.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onGone).on('close', this.#onGone)
    if (earlier) {
      this.#held = []
      void earlier.then(() => this.#release())
    }
    process.nextTick(() => this.#take(first))
  }

  // What HTTP servers and their users ask of a socket.
  get remoteAddress(): string | undefined {
    return this.raw.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.raw.remotePort
  }

  get encrypted(): boolean {
    return 'encrypted' in this.raw
  }

  setTimeout(ms: number): this {
    this.raw.setTimeout(ms)
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Stops reading; what was written still goes out. Another one reads on, from the request that the parser refused. */
  handOn(): void {
    this.#handedOn = true
    const { raw } = this
    raw.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onGone)
  }

  #take(chunk: Buffer): void {
    if (this.destroyed || this.#handedOn) return
    const bytes = this.#undecided ? Buffer.concat([this.#undecided, chunk]) : chunk
    this.#undecided = undefined
    if (this.#atStart) {
      if (bytes.length < list.length && list.subarray(0, bytes.length).equals(bytes)) {
        this.#undecided = bytes
        return
      }
      if (bytes.subarray(0, list.length).equals(list)) bytes.write('NK', 2)
      this.#atStart = isWholeRequestWithoutBody(bytes)
    }
    if (!this.push(bytes)) this.raw.pause()
  }

  #release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    // The HTTP server may have started to count idle time after the last of the earlier answers.
    this.raw.setTimeout(0)
    for (const write of held) write()
  }

  override _read(): void {
    if (!this.#handedOn) this.raw.resume()
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const write = () => void this.raw.write(chunk, encoding, done)
    if (this.#held) this.#held.push(write)
    else write()
  }

  override _writev(
    chunks: { chunk: Buffer | string; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    this.raw.cork()
    const last = chunks.length - 1
    for (const [index, { chunk, encoding }] of chunks.entries()) {
      this._write(chunk, encoding, index === last ? done : () => {})
    }
    this.raw.uncork()
  }

  override _final(done: (error?: Error | null) => void): void {
    const end = () => void this.raw.end(() => done())
    if (this.#held) this.#held.push(end)
    else end()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.raw.off('close', this.#onGone)
    if (!this.#handedOn) {
      this.handOn()
      this.raw.destroy(error ?? undefined)
    }
    done(error)
  }
}

function isWholeRequestWithoutBody(bytes: Buffer): boolean {
  return bytes.indexOf(endOfHead) === bytes.length - endOfHead.length && !bodyHeader.test(bytes.toString('latin1'))
}
