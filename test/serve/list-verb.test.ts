import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createThrowAwayAuthority } from '../../src/emulator/azurekeyvault/tls.ts'
import { type Served, serveNode } from '../../src/serve/node.ts'
import { pause, request, Wire } from './wire.ts'

/** Repeats what was asked; `/slow…` after a while, so that answers come out of order unless they are kept in it. */
const echo = {
  fetch: async (incoming: Request) => {
    const body = incoming.method === 'GET' || incoming.method === 'LIST' ? '' : await incoming.text()
    const { pathname, search } = new URL(incoming.url)
    if (pathname.startsWith('/slow')) await pause(15)
    return new Response(`${incoming.method} ${pathname}${search} ${body}`.trim())
  },
}

let plain: Served
let secure: Served
let ca: string
beforeAll(async () => {
  const authority = await createThrowAwayAuthority()
  ca = authority.certificate
  plain = await serveNode(echo, { host: '127.0.0.1', port: 0 })
  secure = await serveNode(echo, { host: '127.0.0.1', port: 0, tls: await authority.issue([]) })
})
afterAll(async () => {
  await plain.close(1000)
  await secure.close(1000)
})

const get = (path: string) => request('GET', path)
const list = (path: string, ...headers: string[]) => request('LIST', path, undefined, ...headers)
const post = (path: string, body: string) => request('POST', path, body)

describe.each(['HTTP', 'HTTPS'])('LIST over %s', (scheme) => {
  const open = () => (scheme === 'HTTP' ? new Wire(plain.port) : new Wire(secure.port, ca))
  const exchange = async (pieces: string[], count: number) => {
    const wire = open()
    try {
      await wire.send(...pieces)
      const bodies = (await wire.answers(count)).map(({ body }) => body)
      await wire.send(get('/after'))
      expect((await wire.answers(1))[0]?.body).toBe('GET /after')
      expect(wire.rest).toBe('')
      return bodies
    } finally {
      wire.close()
    }
  }

  it('is served', async () => {
    expect(await exchange([list('/v1/keymgmt/key?after=x')], 1)).toEqual(['LIST /v1/keymgmt/key?after=x'])
  })

  it('is served among others on one connection', async () => {
    const wire = open()
    for (const [method, path, body] of [
      ['GET', '/a'],
      ['LIST', '/b'],
      ['LIST', '/c'],
      ['GET', '/d'],
      ['LIST', '/e'],
      ['POST', '/f', 'LIST x'],
      ['LIST', '/g'],
      ['PUT', '/h', ''],
      ['LIST', '/i'],
      ['DELETE', '/j'],
      ['LIST', '/slow'],
      ['LIST', '/k'],
    ] as const) {
      await wire.send(request(method, path, body))
      expect((await wire.answers(1))[0]?.body).toBe(`${method} ${path} ${body ?? ''}`.trim())
    }
    wire.close()
  })

  it('is served as clients write it: with an empty length, and other headers', async () => {
    const headers = ['Content-Length: 0', 'Connection: keep-alive', 'X-Vault-Token: LIST me']
    expect(await exchange([list('/a', ...headers), list('/b', ...headers)], 2)).toEqual(['LIST /a', 'LIST /b'])
  })

  it('is served when pipelined, in order', async () => {
    const all =
      get('/slow1') +
      list('/a') +
      list('/slow2') +
      post('/b', 'LIST /no HTTP/1.1') +
      list('/c') +
      get('/d') +
      list('/slow3')
    expect(await exchange([all], 7)).toEqual([
      'GET /slow1',
      'LIST /a',
      'LIST /slow2',
      'POST /b LIST /no HTTP/1.1',
      'LIST /c',
      'GET /d',
      'LIST /slow3',
    ])
  })

  it('is served when its bytes come one by one', async () => {
    expect(await exchange([...list('/a')], 1)).toEqual(['LIST /a'])
  })

  it.each([1, 2, 3, 4, 5, 6])('is served when packets end after %i of its bytes', async (at) => {
    const cut = (text: string) => [text.slice(0, at), text.slice(at)]
    expect(await exchange(cut(list('/a')), 1)).toEqual(['LIST /a'])
    expect(await exchange([...cut(list('/a')), ...cut(list('/b')), get('/c'), ...cut(list('/d'))], 4)).toEqual([
      'LIST /a',
      'LIST /b',
      'GET /c',
      'LIST /d',
    ])
  })

  it('leaves bodies alone that begin like one, at the beginning of a packet too', async () => {
    const body = `LIST /no HTTP/1.1\r\nHost: x\r\n\r\n`
    const head = request('POST', '/a', body).slice(0, -body.length)
    expect(await exchange([list('/l'), head, body, list('/m')], 3)).toEqual([
      'LIST /l',
      `POST /a ${body.trim()}`,
      'LIST /m',
    ])
    const chunked = 'POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect(await exchange([list('/l'), chunked, '5\r\n', 'LIST ', '\r\n0\r\n\r\n', list('/m')], 3)).toEqual([
      'LIST /l',
      'POST /b LIST',
      'LIST /m',
    ])
  })

  it('leaves headers alone that go on with it in another packet', async () => {
    const wire = open()
    await wire.send(list('/a'), 'GET /b?x=', 'LIST HTTP/1.1\r\nHost: x\r\n\r\n')
    expect((await wire.answers(2)).map(({ body }) => body)).toEqual(['LIST /a', 'GET /b?x=LIST'])
    wire.close()
  })

  it('may have a body itself, which nobody reads', async () => {
    expect(await exchange([request('LIST', '/a', 'LIST /no HTTP/1.1\r\n\r\n'), list('/b')], 2)).toEqual([
      'LIST /a',
      'LIST /b',
    ])
  })

  it('closes the connection when it says so', async () => {
    const wire = open()
    await wire.send(list('/a', 'Connection: close'))
    expect((await wire.answers(1))[0]?.headers).toMatch(/\r\nconnection: close/i)
    await wire.closed
  })

  it('leaves no connection behind when the client closes its side', async () => {
    for (const text of [list('/a'), `${list('/a')}LIST /b`, `${list('/a')}LI`, 'LIST']) {
      const wire = await open().send(text)
      wire.socket.end()
      await wire.closed
    }
  })
})

describe('what only resembles LIST', () => {
  it.each(['LISTX', 'LISP', 'LIS', 'list', 'List', 'GEST'])('%s is malformed', async (verb) => {
    const wire = new Wire(plain.port)
    await wire.send(request(verb, '/a'))
    const [answer] = await wire.answers(1)
    expect([answer?.status, answer?.body]).toEqual([
      400,
      '{"errors":["malformed HTTP request: Invalid method encountered"]}',
    ])
    await wire.closed
  })

  it('is malformed after a LIST too, once the earlier answers are out', async () => {
    const wire = new Wire(plain.port)
    await wire.send(`${list('/slow')}LISTEN /b HTTP/1.1\r\n\r\n`)
    expect((await wire.answers(2)).map(({ status }) => status)).toEqual([200, 400])
    await wire.closed
  })

  it('LINK is itself', async () => {
    const wire = new Wire(plain.port)
    await wire.send(request('LINK', '/a'))
    expect((await wire.answers(1))[0]?.body).toBe('LINK /a')
    wire.close()
  })
})

describe('any requests in any packets', () => {
  const one = fc.oneof(
    fc.constantFrom('/a', '/slow').map((path) => ({ text: list(path), body: `LIST ${path}` })),
    fc.constant({ text: get('/g'), body: 'GET /g' }),
    fc
      .constantFrom('', 'LIST ', 'LIST /no HTTP/1.1\r\n\r\n')
      .map((body) => ({ text: post('/p', body), body: `POST /p ${body}`.trim() })),
  )

  it('are answered each, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(one, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 5 }),
        async (requests, cuts) => {
          const text = requests.map((each) => each.text).join('')
          const places = [0, ...cuts.map((cut) => cut % text.length).sort((a, b) => a - b), text.length]
          const pieces = places
            .slice(1)
            .map((place, index) => text.slice(places[index], place))
            .filter((piece) => piece !== '')
          const wire = new Wire(plain.port)
          await wire.send(...pieces)
          const answers = await wire.answers(requests.length)
          wire.close()
          expect(answers.map(({ body }) => body)).toEqual(requests.map(({ body }) => body))
        },
      ),
      { numRuns: 60 },
    )
  })
})
