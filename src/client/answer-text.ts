import type { IncomingMessage } from 'node:http'
import { CommandError, exitCodes } from '../config/exit-codes.ts'

const mebibyte = 1024 * 1024

/** Bytes. A list of a million names of 60 characters has as much; whoever sends more is likely no gateway. */
export const longestAnswer = 64 * mebibyte

/**
 * Reads the body of an answer of `origin` as UTF-8. What it has no more room for is not kept, whatever Content-Length says: throws a
 * `CommandError` (2), and closes the connection. Throws what Node throws where the connection ends before the body does.
 */
export async function readAnswer(response: IncomingMessage, origin: string): Promise<string> {
  if (Number(response.headers['content-length'] ?? 0) > longestAnswer) {
    response.destroy()
    throw tooLong(origin)
  }
  // One buffer that grows, since a part of a single byte costs a hundred of them where parts are kept as they come.
  let bytes = Buffer.alloc(0)
  let length = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    const end = length + part.length
    if (end > longestAnswer) throw tooLong(origin)
    if (end > bytes.length) {
      const larger = Buffer.alloc(Math.min(longestAnswer, Math.max(end, 2 * bytes.length)))
      bytes.copy(larger)
      bytes = larger
    }
    part.copy(bytes, length)
    length = end
  }
  return bytes.toString('utf8', 0, length)
}

function tooLong(origin: string): CommandError {
  return new CommandError(
    exitCodes.refused,
    `${origin} answered with more than ${longestAnswer / mebibyte} MiB, and the rest is not read: look whether VAULT_ADDR or --address is right`,
  )
}
