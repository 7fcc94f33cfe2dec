import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Fetches, type NodeOptions, type Served, serveNode } from '../../src/serve/node.ts'
import { type Gateway, gateway } from '../http/gateway.ts'
import { request, Wire } from './wire.ts'

const ok = { fetch: () => new Response('ok') }
const local = { host: '127.0.0.1', port: 0 }
let served: Served | undefined
const serve = async (app: Fetches = ok, options: Partial<NodeOptions> = {}) => {
  served = await serveNode(app, { ...local, ...options })
  return served
}
afterEach(async () => {
  await served?.close(0)
  served = undefined
})

const refusal = async (wire: Wire) => {
  const [answer] = await wire.answers(1)
  expect(answer?.headers).toMatch(/\r\ncontent-type: application\/json(\r\n|$)/i)
  return [answer?.status, ...JSON.parse(answer?.body ?? '{}').errors]
}

describe('the gateway behind it', () => {
  let vault: Gateway
  beforeAll(async () => {
    vault = await gateway({ maxBodyBytes: 100_000 })
    await vault.send('PUT', 'keymgmt/key/k', { type: 'ecdsa-p256' })
  })
  afterAll(() => vault.close())
  const open = async (options: Partial<NodeOptions> = {}) =>
    new Wire((await serve(vault.app, { maxBodyBytes: 100_000, ...options })).port)
  const authorized = (method: string, path: string, body?: string, ...headers: string[]) =>
    request(method, path, body, `X-Vault-Token: ${vault.rootToken}`, ...headers)

  it('answers reads, lists and writes in one packet each', async () => {
    const wire = await open()
    const packets: number[] = []
    wire.socket.on('data', (chunk: Buffer) => packets.push(chunk.length))
    for (const [method, path, status] of [
      ['GET', '/v1/keymgmt/key/k', 200],
      ['LIST', '/v1/keymgmt/key', 200],
      ['GET', '/v1/keymgmt/key?list=true', 200],
      ['PUT', '/v1/keymgmt/key/k', 204],
      ['GET', '/v1/keymgmt/key/none', 404],
      ['HEAD', '/v1/sys/health', 200],
    ] as const) {
      packets.length = 0
      await wire.send(authorized(method, path))
      if (method === 'HEAD') await new Promise((resolve) => wire.socket.once('data', resolve))
      else expect((await wire.answers(1))[0]?.status).toBe(status)
      expect(packets).toHaveLength(1)
    }
  })

  it.each([
    '/v1/keymgmt/key/../kms',
    '/v1/keymgmt/key/..',
    '/v1/keymgmt/key/%2e%2e',
    '/v1/keymgmt/key/.%2E/kms/p',
    '/v1/keymgmt/./key/k',
    '/v1/keymgmt/key/%2e',
    '/../v1/sys/health',
    'http://localhost/v1/keymgmt/../sys/health',
    '/v1/keymgmt/key/..?x=1',
    '/v1/keymgmt/key/..#x',
  ])('%s is a 400, and no other path', async (path) => {
    const wire = await open()
    for (const method of ['GET', 'LIST', 'PUT', 'DELETE']) {
      await wire.send(authorized(method, path))
      expect(await refusal(wire)).toEqual([400, 'invalid path: a path must not have "." or ".." as a part'])
    }
  })

  it('takes dots that are not parts of a path', async () => {
    const wire = await open()
    for (const path of ['/v1/sys/health?x=/../y', '/v1/sys/health?standbycode=200&a=/.']) {
      await wire.send(authorized('GET', path))
      expect((await wire.answers(1))[0]?.status).toBe(200)
    }
    await wire.send(authorized('GET', '/v1/keymgmt/key/...'))
    expect((await refusal(wire))[1]).toMatch(/^invalid key name "\.\.\."/)
    await wire.send(authorized('GET', '/v1/keymgmt/key/a\\..\\b'))
    expect(await refusal(wire)).toEqual([400, 'invalid request target or host'])
  })

  it('goes on with the connection after a body that was too large', async () => {
    const wire = await open()
    const error = [413, 'the body is larger than 100000 bytes']
    await wire.send(authorized('PUT', '/v1/keymgmt/key/k', 'x'.repeat(300_000)))
    expect(await refusal(wire)).toEqual(error)
    const chunk = `${(50_000).toString(16)}\r\n${'x'.repeat(50_000)}\r\n`
    await wire.send(
      authorized('PUT', '/v1/keymgmt/key/k', undefined, 'Transfer-Encoding: chunked'),
      chunk,
      chunk,
      chunk,
      chunk,
      '0\r\n\r\n',
    )
    expect(await refusal(wire)).toEqual(error)
    await wire.send(authorized('GET', '/v1/keymgmt/key/k'))
    expect((await wire.answers(1))[0]?.status).toBe(200)
  })

  it('says so before the body is sent, to a client that asks', async () => {
    const wire = await open()
    await wire.send(
      `PUT /v1/keymgmt/key/k HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n`,
    )
    expect(await refusal(wire)).toEqual([413, 'the body is larger than 100000 bytes'])
    const small = await open()
    await small.send(authorized('PUT', '/v1/keymgmt/key/k', undefined, 'Content-Length: 2', 'Expect: 100-continue'))
    expect((await small.answers(1))[0]?.status).toBe(100)
    await small.send('{}')
    expect((await small.answers(1))[0]?.status).toBe(204)
  })

  it('does not mind clients that go away in the middle', async () => {
    const logged = vault.logged.length
    const { port } = await serve(vault.app)
    for (const text of [
      authorized('PUT', '/v1/keymgmt/key/k', '{}').slice(0, -1),
      authorized('GET', '/v1/keymgmt/key/k'),
      'LIST /v1/keymgmt/key HTTP/1.1\r\n',
      'LI',
    ]) {
      const wire = await new Wire(port).send(text)
      await new Promise((resolve) => setTimeout(resolve, 10))
      wire.socket.resetAndDestroy()
      await wire.closed
    }
    const wire = await new Wire(port).send(authorized('GET', '/v1/keymgmt/key/k'))
    expect((await wire.answers(1))[0]?.status).toBe(200)
    expect(vault.logged.length).toBe(logged)
  })

  it('knows where a request comes from', async () => {
    const seen: unknown[] = []
    const app: Fetches = {
      fetch: (_request, { remoteAddress }) => {
        seen.push(remoteAddress)
        return new Response('ok')
      },
    }
    const wire = await new Wire((await serve(app)).port).send(
      request('GET', '/'),
      request('LIST', '/'),
      request('LIST', '/'),
    )
    await wire.answers(3)
    expect(seen).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1'])
  })
})
