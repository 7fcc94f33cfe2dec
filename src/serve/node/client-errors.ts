import type { Server } from 'node:http'
import type { HttpSocket } from './list-socket.ts'
import { answered, type ParseError, resumeAtList } from './list-verb.ts'

/** How long a client that is being refused may go on sending before the connection is cut, in ms. */
const lingerMs = 500

/** Answers what Node's HTTP server cannot make a request of, in Vault's shape, and lets LIST through. */
export function answerClientErrors(server: Server): void {
  server.on('clientError', (error: ParseError, socket) => {
    const connection = socket as HttpSocket
    if (resumeAtList(server, error, connection)) return
    void refuse(error, connection)
  })
  server.on('checkExpectation', (_request, response) => {
    response.statusCode = 417
    response.setHeader('Content-Type', 'application/json')
    response.end(body('the only expectation that is met is 100-continue'))
  })
  server.on('connect', (_request, socket) => {
    socket.end(whole(405, 'Method Not Allowed', 'this is no proxy'))
  })
}

async function refuse(error: ParseError, socket: HttpSocket): Promise<void> {
  const answer = socket._httpMessage
  if (!socket.writable || error.code === 'ECONNRESET' || answer?.headersSent) {
    socket.destroy()
    return
  }
  // An answer that is still to come belongs to an earlier request, unless it is this one's, whose body never came whole.
  if (answer?.req.complete) await answered(socket)
  socket.removeAllListeners('data')
  socket.on('data', () => {})
  socket.once('end', () => socket.destroy())
  socket.end(refusal(error))
  setTimeout(() => socket.destroy(), lingerMs).unref()
}

function refusal({ code, reason }: ParseError): string {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return whole(431, 'Request Header Fields Too Large', 'the header of the request is too large')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return whole(413, 'Content Too Large', 'the chunk extensions of the body are too large')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return whole(408, 'Request Timeout', 'the request did not come in time')
    default:
      return whole(400, 'Bad Request', `malformed HTTP request${reason ? `: ${reason}` : ''}`)
  }
}

function body(message: string): string {
  return JSON.stringify({ errors: [message] })
}

function whole(status: number, text: string, message: string): string {
  const content = body(message)
  return [
    `HTTP/1.1 ${status} ${text}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(content)}`,
    'Connection: close',
    '',
    content,
  ].join('\r\n')
}
