import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { type HttpSocket, ListSocket } from './list-socket.ts'

/** What Node's parser says when it refuses bytes. */
export interface ParseError extends Error {
  code?: string
  reason?: string
  rawPacket?: Buffer
  /** How many bytes of `rawPacket` were good. */
  bytesParsed?: number
}

const verb = 'LIST '
/** How much of the verb Node's parser takes for the beginning of another (LINK, LOCK) before it refuses. */
const accepted = 2

/**
 * Node's HTTP parser refuses the verb LIST. When it has, `error` and `socket` being what `clientError` gave, the bytes from there on are
 * fed to the server again through a `ListSocket`; nothing is done for connections on which no LIST comes. True: the server goes on with
 * the connection. Answers to earlier requests of the same connection go out first.
 */
export function resumeAtList(server: Server, error: ParseError, socket: HttpSocket): boolean {
  const { code, rawPacket, bytesParsed } = error
  if (code !== 'HPE_INVALID_METHOD' || rawPacket === undefined || bytesParsed === undefined) return false
  // Bytes of the same request that came in earlier packets are not in this one; they can only have been the first of the verb.
  const missing = Math.max(0, accepted - bytesParsed)
  const here = rawPacket.subarray(Math.max(0, bytesParsed - accepted))
  const bytes = missing === 0 ? here : Buffer.concat([Buffer.from(verb.slice(0, missing)), here])
  const beginning = bytes.toString('latin1', 0, verb.length)
  if (beginning.length <= accepted || !verb.startsWith(beginning)) return false

  const raw = socket instanceof ListSocket ? socket.raw : (socket as unknown as Socket)
  if (socket instanceof ListSocket) socket.handOn()
  else for (const event of ['data', 'end']) raw.removeAllListeners(event)
  socket.parser?.remove?.()
  const earlier = socket._httpMessage ? answered(socket) : undefined
  const next = new ListSocket(raw, bytes, earlier)
  if (socket instanceof ListSocket) void (earlier ?? Promise.resolve()).then(() => socket.destroy())
  server.emit('encrypted' in raw ? 'secureConnection' : 'connection', next)
  return true
}

/** Resolves when every answer to a request that came on the socket was handed to it. */
export function answered(socket: HttpSocket): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      const answer = socket._httpMessage
      if (answer) answer.once('close', look)
      else resolve()
    }
    look()
  })
}
