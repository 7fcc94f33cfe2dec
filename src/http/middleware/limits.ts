import { invalid, KeyferryError } from '../../core/errors.ts'
import type { AppOptions } from '../options.ts'

type BodyLimits = Pick<AppOptions, 'maxBodyBytes' | 'maxJsonDepth' | 'maxJsonEntries'>

/**
 * Reads the body of a request as text, never more of it than allowed, before anybody has asked who sent it. Throws `too_large` for too
 * many bytes, `invalid` for what is not UTF-8 or nests too deep or too wide.
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<string> {
  const announced = request.headers.get('content-length')
  if (announced !== null && Number(announced) > limits.maxBodyBytes) throw tooLarge(limits)
  if (announced === '0') return ''
  const bytes = await received<ArrayBuffer | Uint8Array>(
    announced === null ? readUpTo(request, limits) : request.arrayBuffer(),
  )
  if (bytes.byteLength > limits.maxBodyBytes) throw tooLarge(limits)
  if (bytes.byteLength === 0) return ''
  const text = decodeUtf8(bytes)
  checkShape(text, limits)
  return text
}

async function received<T>(body: Promise<T>): Promise<T> {
  try {
    return await body
  } catch (error) {
    if (error instanceof KeyferryError) throw error
    throw new KeyferryError('invalid', 'the body did not come in whole', { cause: error })
  }
}

/** A body of unknown length: counted while it comes in. */
async function readUpTo(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request.body) {
    length += chunk.byteLength
    if (length > limits.maxBodyBytes) throw tooLarge(limits)
    chunks.push(chunk)
  }
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

function decodeUtf8(bytes: ArrayBuffer | Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalid('the body is not valid UTF-8')
  }
}

/** Counts nesting and members without building anything. Text that is not JSON is left to the parser. */
function checkShape(text: string, { maxJsonDepth, maxJsonEntries }: BodyLimits): void {
  const commas: number[] = []
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at)
        break
      case 0x5b: // [
      case 0x7b: // {
        if (commas.push(0) > maxJsonDepth) {
          throw invalid(`the body nests deeper than ${maxJsonDepth} levels`)
        }
        break
      case 0x5d: // ]
      case 0x7d: // }
        commas.pop()
        break
      case 0x2c: {
        const last = commas.length - 1
        const count = (commas[last] ?? 0) + 1
        if (last >= 0) commas[last] = count
        if (count >= maxJsonEntries) {
          throw invalid(`the body has an object or array of more than ${maxJsonEntries} members`)
        }
      }
    }
  }
}

/** The position of the quote that ends the string beginning at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const quote = text.indexOf('"', at)
    if (quote === -1) return text.length
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return quote
    at = quote
  }
}

function tooLarge({ maxBodyBytes }: BodyLimits): KeyferryError {
  return new KeyferryError('too_large', `the body is larger than ${maxBodyBytes} bytes`)
}
