import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { longestAnswer } from '../../src/client/answer-text.ts'
import { ask } from '../../src/client/ask.ts'
import { keyferry, temporaryFolders } from '../commands/keyferry.ts'

const servers: Server[] = []
const folders = temporaryFolders()
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  folders.removeAll()
})

async function listening(server: Server): Promise<URL> {
  servers.push(server)
  await new Promise<void>((go) => server.listen(0, '127.0.0.1', go))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

const gateway = (listener: RequestListener) => listening(createServer(listener))
/** A server that writes exactly this, since that of Node would not send a length that lies. */
const raw = (text: string) =>
  listening(createTcpServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(text))))

const asked = (address: URL) =>
  ask({ address, token: undefined, namespace: undefined, ca: undefined, verify: true }, 'GET', 'sys/health')
const tooLong = (address: URL) => ({
  name: 'CommandError',
  exitCode: 2,
  message: `${address.origin} answered with more than 64 MiB, and the rest is not read: look whether VAULT_ADDR or --address is right`,
})

/** JSON of as many bytes, in parts of 1 MiB. */
function* json(bytes: number): Generator<string> {
  const [start, end] = ['{"data": {"a": "', '"}}']
  yield start
  for (let left = bytes - start.length - end.length; left > 0; left -= 1024 * 1024) {
    yield 'x'.repeat(Math.min(left, 1024 * 1024))
  }
  yield end
}

/** Sends it without its length, until the client has gone. */
function send(response: ServerResponse, bytes: number): void {
  pipeline(Readable.from(json(bytes)), response, () => {})
}

test('an answer of 64 MiB is read, one of a byte more is not', async () => {
  const whole = await gateway((_, response) => send(response, longestAnswer))
  const { body } = await asked(whole)
  expect(String(body?.data?.a).length).toBe(longestAnswer - 19)
  const longer = await gateway((_, response) => send(response, longestAnswer + 1))
  await expect(asked(longer)).rejects.toMatchObject(tooLong(longer))
})

test('an answer without an end is left, whatever its status, and the connection closed', async () => {
  for (const status of [200, 302, 403, 500]) {
    let closed: (() => void) | undefined
    const left = new Promise<void>((go) => {
      closed = go
    })
    const address = await gateway((_, response) => {
      response.writeHead(status).once('close', () => closed?.())
      send(response, Number.POSITIVE_INFINITY)
    })
    await expect(asked(address)).rejects.toMatchObject(tooLong(address))
    await left
  }
})

test('a length of more than 64 MiB is believed at once', async () => {
  for (const length of [longestAnswer + 1, Number.MAX_SAFE_INTEGER]) {
    const address = await gateway((_, response) => response.writeHead(200, { 'Content-Length': length }).write('{}'))
    await expect(asked(address)).rejects.toMatchObject(tooLong(address))
  }
})

test('what comes in single bytes, across a character, is put together', async () => {
  const text = JSON.stringify({ data: { a: 'ä€😀' } })
  const address = await gateway((_, response) => {
    response.writeHead(200)
    for (const byte of Buffer.from(text)) response.write(Buffer.of(byte))
    response.end()
  })
  expect(await asked(address)).toMatchObject({ status: 200, body: { data: { a: 'ä€😀' } } })
  const empty = await gateway((_, response) => response.writeHead(204).end())
  expect(await asked(empty)).toMatchObject({ status: 204, body: undefined })
})

test('a length that lies makes it no answer, be it too short or too long', async () => {
  const short = await raw(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}${'x'.repeat(100_000)}`)
  await expect(asked(short)).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining(`${short.origin} cannot be reached: Parse Error`),
  })
  const long = await raw('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}')
  await expect(asked(long)).rejects.toMatchObject({
    exitCode: 2,
    message: `${long.origin} closed the connection: if it speaks TLS, VAULT_ADDR or --address must begin with https://`,
  })
})

test('every command says it in one line, and exits 2', async () => {
  const address = await gateway((_, response) => send(response, Number.POSITIVE_INFINITY))
  const env = { VAULT_ADDR: address.origin, VAULT_TOKEN: 'hvs.mine', HOME: folders.make() }
  const commands = [
    ['read', 'x'],
    ['write', 'x', 'a=b'],
    ['list', 'x'],
    ['delete', 'x'],
    ['login', 'hvs.x'],
    ['status'],
  ]
  for (const args of commands) {
    expect(await keyferry(args, { env }), args.join(' ')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `keyferry: ${tooLong(address).message}\n`,
    })
  }
})
