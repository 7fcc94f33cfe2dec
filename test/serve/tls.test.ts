import { connect, type TLSSocket } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createThrowAwayAuthority } from '../../src/emulator/azurekeyvault/tls.ts'
import { type NodeOptions, type Served, serveNode } from '../../src/serve/node.ts'
import type { Tls } from '../../src/serve/tls.ts'
import { request, Wire } from './wire.ts'

const app = { fetch: () => new Response('ok') }
const local = { host: '127.0.0.1', port: 0 }

let served: Served | undefined
let ca: string
let [one, other, stranger]: Tls[] = []
beforeAll(async () => {
  const authority = await createThrowAwayAuthority()
  ca = authority.certificate
  ;[one, other, stranger] = [
    await authority.issue(['localhost']),
    await authority.issue(['localhost']),
    await (await createThrowAwayAuthority()).issue(['localhost']),
  ]
})
afterEach(async () => {
  await served?.close(0)
  served = undefined
})

const serve = async (options: Partial<NodeOptions>) => {
  served = await serveNode(app, { ...local, ...options })
  return served
}

/** What a client sees of the certificate. */
const serialAt = (port: number, options = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca, servername: 'localhost', ...options }, () => {
      resolve(`${socket.getPeerCertificate().serialNumber} ${socket.getProtocol()}`)
      socket.destroy()
    })
    socket.once('error', reject)
  })

describe('another certificate', () => {
  it('is for connections that come later; those that are there go on', async () => {
    if (!one || !other) throw new Error('no certificates')
    const { port, replaceTls } = await serve({ tls: one })
    const before = await serialAt(port)
    const wires = [new Wire(port, ca), new Wire(port, ca)]
    for (const [index, wire] of wires.entries()) {
      await wire.send(request(index === 0 ? 'GET' : 'LIST', '/'))
      expect((await wire.answers(1))[0]?.body).toBe('ok')
    }
    await replaceTls?.(other)
    expect(await serialAt(port)).not.toBe(before)
    for (const [index, wire] of wires.entries()) {
      await wire.send(request(index === 0 ? 'LIST' : 'GET', '/'))
      expect((await wire.answers(1))[0]?.body).toBe('ok')
      wire.close()
    }
    const fresh = await new Wire(port, ca).send(request('LIST', '/'))
    expect((await fresh.answers(1))[0]?.body).toBe('ok')
  })

  it('that cannot be used is refused, and the one before stays', async () => {
    if (!one || !other || !stranger) throw new Error('no certificates')
    const { port, replaceTls } = await serve({ tls: one })
    const before = await serialAt(port)
    for (const tls of [
      { cert: one.cert, key: other.key },
      { cert: 'x', key: other.key },
      { cert: other.cert, key: '' },
    ]) {
      await expect(replaceTls?.(tls)).rejects.toThrow(
        'the TLS certificate or its key cannot be used: PEM of a matching pair is wanted',
      )
      expect(await serialAt(port)).toBe(before)
    }
  })

  it('is not for a server without TLS', async () => {
    expect((await serve({})).replaceTls).toBeUndefined()
  })
})

describe('the oldest version', () => {
  it('is TLS 1.2, or 1.3 where that is said, and stays so with another certificate', async () => {
    if (!one || !other) throw new Error('no certificates')
    const old = { maxVersion: 'TLSv1.2' }
    const { port } = await serve({ tls: one })
    expect(await serialAt(port, old)).toMatch(/ TLSv1\.2$/)
    await expect(serialAt(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })).rejects.toThrow()
    await served?.close(0)
    const newer = await serve({ tls: { ...one, minVersion: 'TLSv1.3' } })
    await expect(serialAt(newer.port, old)).rejects.toThrow()
    expect(await serialAt(newer.port)).toMatch(/ TLSv1\.3$/)
    await newer.replaceTls?.({ ...other, minVersion: 'TLSv1.3' })
    await expect(serialAt(newer.port, old)).rejects.toThrow()
  })
})

describe('behind trusted proxies', () => {
  const addresses = async (trustedProxies: string[], ...headers: string[]) => {
    const seen: unknown[] = []
    served = await serveNode(
      {
        fetch: (_, { remoteAddress }) => {
          seen.push(remoteAddress)
          return new Response('ok')
        },
      },
      { ...local, trustedProxies },
    )
    const wire = new Wire(served.port)
    for (const method of ['GET', 'LIST', 'LIST']) {
      await wire.send(request(method, '/', undefined, ...headers))
      await wire.answers(1)
    }
    wire.close()
    return seen
  }

  it.each([
    [['127.0.0.0/8'], ['X-Forwarded-For: 1.1.1.1, 203.0.113.9'], '203.0.113.9'],
    [['127.0.0.1'], ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-For: 127.0.0.2'], '127.0.0.2'],
    [['127.0.0.0/8'], ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-For: 127.0.0.2'], '203.0.113.9'],
    [['127.0.0.0/8'], ['x-forwarded-for: nobody'], '127.0.0.1'],
    [['127.0.0.0/8'], [], '127.0.0.1'],
    [['10.0.0.0/8'], ['X-Forwarded-For: 203.0.113.9'], '127.0.0.1'],
    [[], ['X-Forwarded-For: 203.0.113.9'], '127.0.0.1'],
  ])('%j with %j every verb comes from %s', async (trusted, headers, wanted) => {
    expect(await addresses(trusted, ...headers)).toEqual([wanted, wanted, wanted])
  })
})
