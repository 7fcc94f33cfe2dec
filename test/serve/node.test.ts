import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createThrowAwayAuthority } from '../../src/emulator/azurekeyvault/tls.ts'
import { type Fetches, type NodeOptions, type Served, serveNode } from '../../src/serve/node.ts'
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

describe('what never becomes a request', () => {
  it.each([
    ['GARBAGE\r\n\r\n', 'malformed HTTP request: Invalid method encountered'],
    ['GET\r\n\r\n', /^malformed HTTP request: /],
    ['GET / HTTP/9.9\r\n\r\n', /^malformed HTTP request: /],
    ['GET / HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n', /^malformed HTTP request: /],
    ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n', /^malformed HTTP request: /],
    [
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      /^malformed HTTP request: /,
    ],
    ['\u0016\u0003\u0001\u0000', /^malformed HTTP request: /],
  ])('%j is a 400 in Vault’s shape', async (text, message) => {
    const { port } = await serve()
    const wire = await new Wire(port).send(text)
    const [status, error] = await refusal(wire)
    expect(status).toBe(400)
    if (typeof message === 'string') expect(error).toBe(message)
    else expect(error).toMatch(message)
    await wire.closed
  })

  it('a body that breaks off in nonsense is a 400, though its request had begun', async () => {
    const { port } = await serve({ fetch: async (incoming) => new Response(await incoming.text()) })
    const wire = await new Wire(port).send('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n', 'zz\r\n')
    expect(await refusal(wire)).toEqual([400, expect.stringMatching(/^malformed HTTP request: /)])
    await wire.closed
  })

  it('a header that is too large is a 431', async () => {
    const { port } = await serve(ok, { maxHeaderBytes: 2000 })
    const wire = await new Wire(port).send(request('GET', '/', undefined, `X: ${'x'.repeat(3000)}`))
    expect(await refusal(wire)).toEqual([431, 'the header of the request is too large'])
    await wire.closed
  })

  it('a missing Host header is a 400, but in HTTP/1.0', async () => {
    const { port } = await serve()
    const wire = await new Wire(port).send('GET / HTTP/1.1\r\n\r\n')
    expect(await refusal(wire)).toEqual([400, 'the request has no Host header'])
    await wire.send('GET / HTTP/1.0\r\n\r\n')
    expect((await wire.answers(1))[0]?.body).toBe('ok')
  })

  it.each(['Host: a/b', 'Host: a b', 'Host: x:y:z'])('%s is a 400', async (header) => {
    const { port } = await serve()
    const wire = await new Wire(port).send(`GET / HTTP/1.1\r\n${header}\r\n\r\n`)
    expect(await refusal(wire)).toEqual([400, 'invalid request target or host'])
  })

  it('CONNECT and strange expectations are refused', async () => {
    const { port } = await serve()
    const tunnel = await new Wire(port).send('CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await refusal(tunnel)).toEqual([405, 'this is no proxy'])
    const wonder = await new Wire(port).send(request('POST', '/', '', 'Expect: wonders'))
    expect(await refusal(wonder)).toEqual([417, 'the only expectation that is met is 100-continue'])
  })
})

describe('slow senders are cut off', () => {
  it('in the header', async () => {
    const { port } = await serve(ok, { headerTimeoutMs: 60, bodyTimeoutMs: 60 })
    for (const begin of ['GET / HTTP/1.1\r\nHost:', 'LIST / HTTP/1.1\r\nHost:', '']) {
      const wire = await new Wire(port).send(begin)
      expect(await refusal(wire)).toEqual([408, 'the request did not come in time'])
      await wire.closed
    }
  })

  it('in the body', async () => {
    const { port } = await serve(
      { fetch: async (incoming) => new Response(await incoming.text()) },
      { headerTimeoutMs: 60, bodyTimeoutMs: 60 },
    )
    const wire = await new Wire(port).send('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345')
    expect(await refusal(wire)).toEqual([408, 'the request did not come in time'])
    await wire.closed
  })

  it('but not a connection that rests between requests', async () => {
    const { port } = await serve(ok, { headerTimeoutMs: 40, bodyTimeoutMs: 40 })
    for (const method of ['GET', 'LIST']) {
      const wire = new Wire(port)
      for (let round = 0; round < 3; round++) {
        await wire.send(request(method, '/'))
        expect((await wire.answers(1))[0]?.status).toBe(200)
        await new Promise((resolve) => setTimeout(resolve, 120))
      }
      wire.close()
    }
  })
})

describe('close', () => {
  it('lets requests under way finish, and closes idle connections at once', async () => {
    let finish = () => {}
    const app: Fetches = {
      fetch: (incoming) =>
        incoming.url.endsWith('/slow')
          ? new Promise((resolve) => (finish = () => resolve(new Response('done'))))
          : new Response('ok'),
    }
    for (const method of ['GET', 'LIST']) {
      const { port, close } = await serve(app)
      const idle = await new Wire(port).send(request(method, '/'))
      await idle.answers(1)
      const fresh = new Wire(port)
      const busy = await new Wire(port).send(request(method, '/'))
      await busy.answers(1)
      await busy.send(request(method, '/slow'))
      await new Promise((resolve) => setTimeout(resolve, 20))
      const closed = close(10_000)
      await idle.closed
      await fresh.closed
      await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow()
      finish()
      expect((await busy.answers(1))[0]?.body).toBe('done')
      await busy.closed
      await closed
      served = undefined
    }
  })

  it('cuts off what takes longer than the grace', async () => {
    for (const method of ['GET', 'LIST']) {
      const { port, close } = await serve({ fetch: () => new Promise<Response>(() => {}) })
      const wire = await new Wire(port).send(request(method, '/'))
      await new Promise((resolve) => setTimeout(resolve, 20))
      await close(30)
      await wire.closed
      expect(wire.rest).toBe('')
      served = undefined
    }
  })
})

describe('serveNode', () => {
  it('tells where it listens, IPv6 in brackets', async () => {
    const { url, port } = await serve()
    expect(url).toBe(`http://127.0.0.1:${port}`)
    expect(await (await fetch(url)).text()).toBe('ok')
    await served?.close(0)
    const six = await serve(ok, { host: '::1' })
    expect(six.url).toBe(`http://[::1]:${six.port}`)
  })

  it('says why it cannot listen', async () => {
    const blocker = createServer()
    const port = await new Promise<number>((resolve) => {
      blocker.listen(0, '127.0.0.1', () => resolve((blocker.address() as { port: number }).port))
    })
    try {
      await expect(serveNode(ok, { host: '127.0.0.1', port })).rejects.toMatchObject({
        code: 'unavailable',
        message: `cannot listen on 127.0.0.1:${port}: the port is in use by another program`,
      })
      await expect(serveNode(ok, { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
        code: 'unavailable',
        message: 'cannot listen on 192.0.2.1:0: this machine does not have the address',
      })
    } finally {
      blocker.close()
    }
  })

  it('refuses a certificate that cannot be used', async () => {
    const { cert } = await (await createThrowAwayAuthority()).issue([])
    const { key } = await (await createThrowAwayAuthority()).issue([])
    for (const tls of [
      { cert, key },
      { cert: 'x', key: 'y' },
    ]) {
      await expect(serveNode(ok, { ...local, tls })).rejects.toMatchObject({
        code: 'invalid',
        message: 'the TLS certificate or its key cannot be used: PEM of a matching pair is wanted',
      })
    }
  })
})
