import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { DocumentError, documentReader } from '../../../../src/core/access/doors/documents.ts'
import { type TestIssuer, testIssuer } from '../../../support/issuer.ts'

const unreachable =
  'it cannot be reached: allowed are https URLs of hosts with public addresses, and hosts that the operator has allowed'

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await testIssuer()
})
afterEach(() => {
  issuer.instead.clear()
  issuer.asked.length = 0
})
afterAll(() => issuer.close())

const loopback = async () => [{ address: '127.0.0.1', family: 4 }]
const allowing = (rules = {}) =>
  documentReader({ allowedHosts: ['localhost', 'idp.keyferry.example'], resolve: loopback, ...rules })

test('reads JSON from a host that the operator allows, by name or by name and port', async () => {
  const { ca } = issuer
  for (const host of ['localhost', 'LOCALHOST', issuer.host]) {
    const read = documentReader({ allowedHosts: [host] })
    expect(await read(`${issuer.url}/jwks`, { ca })).toEqual(issuer.jwks)
  }
  expect(await allowing()(`https://idp.keyferry.example:${issuer.port}/jwks`, { ca })).toEqual(issuer.jwks)
})

describe('what leads into the own network is refused before anything is sent', () => {
  test.each([
    'https://169.254.169.254/latest/meta-data',
    'https://[::1]/',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f.0.0.1/',
    'https://2130706433/',
    'https://0/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:169.254.169.254]/',
    'https://[64:ff9b::a9fe:a9fe]/',
    'https://10.0.0.1:8443/',
    'https://[fd00:ec2::254]/',
    'https://localhost/',
  ])('%s', async (url) => {
    await expect(documentReader()(url)).rejects.toMatchObject({ name: 'DocumentError', message: unreachable })
  })

  test('by name, where any of its addresses is not public', async () => {
    for (const addresses of [
      ['127.0.0.1'],
      ['10.0.0.1'],
      ['8.8.8.8', '169.254.169.254'],
      ['::1'],
      ['2606:4700::1', 'fe80::1'],
      [],
      ['garbage'],
    ]) {
      const resolve = async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
      const read = documentReader({ resolve })(`https://idp.keyferry.example:${issuer.port}/jwks`, { ca: issuer.ca })
      await expect(read, addresses.join()).rejects.toMatchObject({ message: unreachable })
    }
    expect(issuer.asked).toEqual([])
  })

  test('a name that changes its address after it was checked is connected to at the checked one', async () => {
    let asked = 0
    const resolve = async () => {
      asked += 1
      return asked === 1 ? [{ address: '192.88.98.1', family: 4 }] : [{ address: '127.0.0.1', family: 4 }]
    }
    const read = documentReader({ resolve, timeoutMs: 300 })(`https://idp.keyferry.example:${issuer.port}/jwks`, {
      ca: issuer.ca,
    })
    await expect(read).rejects.toMatchObject({ message: unreachable })
    expect(asked).toBe(1)
    expect(issuer.asked).toEqual([])
  })

  test('a host that is allowed makes no other allowed: not below it, nor another port of one with a port', async () => {
    for (const [allowed, url] of [
      ['localhost:1', `${issuer.url}/jwks`],
      ['keyferry.example', `https://idp.keyferry.example:${issuer.port}/jwks`],
      ['localhost', `https://localhost.:${issuer.port}/jwks`],
      ['localhost', `https://127.0.0.1:${issuer.port}/jwks`],
    ] as const) {
      const read = documentReader({ allowedHosts: [allowed], resolve: loopback })(url, { ca: issuer.ca })
      await expect(read, url).rejects.toMatchObject({ message: unreachable })
    }
    expect(issuer.asked).toEqual([])
  })
})

test('only https, without user, password and fragment', async () => {
  for (const url of [
    'http://localhost/',
    'file:///etc/passwd',
    'https://user@localhost/',
    'https://:pw@localhost/',
    'https://localhost/#x',
    'ftp://localhost',
    'localhost',
    '',
    `https://localhost/${'x'.repeat(2048)}`,
  ]) {
    await expect(allowing()(url), url).rejects.toThrow(
      'it is not an https URL without user, password and fragment, of up to 2048 characters',
    )
  }
})

test('certificates are checked', async () => {
  await expect(allowing()(`${issuer.url}/jwks`)).rejects.toMatchObject({ message: unreachable })
  const wrongName = documentReader({ allowedHosts: ['idp.test'], resolve: loopback })
  await expect(wrongName(`https://idp.test:${issuer.port}/jwks`, { ca: issuer.ca })).rejects.toThrow(unreachable)
  expect(issuer.asked).toEqual([])
})

test('redirects are not followed', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    issuer.instead.set('/moved', (_, response) => {
      response.writeHead(status, { location: '/jwks' }).end()
    })
    await expect(allowing()(`${issuer.url}/moved`, { ca: issuer.ca })).rejects.toThrow(
      `it answered ${status}: allowed is 200 (redirects are not followed)`,
    )
  }
  expect(issuer.asked).not.toContain('/jwks')
})

test('large, endless, compressed, slow and broken answers are given up', async () => {
  const { ca } = issuer
  issuer.instead.set('/large', (_, response) => response.end(JSON.stringify({ keys: 'x'.repeat(300_000) })))
  issuer.instead.set('/endless', (_, response) => {
    const more = () => response.write('x'.repeat(65_536), () => !response.destroyed && setImmediate(more))
    more()
  })
  issuer.instead.set('/compressed', (_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end('x')
  })
  issuer.instead.set('/silent', () => {})
  issuer.instead.set('/drip', (_, response) => {
    response.write('{')
    const drip = setInterval(() => response.write(' '), 20)
    response.on('close', () => clearInterval(drip))
  })
  issuer.instead.set('/cut', (_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('{')
    setTimeout(() => response.destroy(), 20)
  })
  issuer.instead.set('/html', (_, response) => response.end('<html>'))
  for (const [path, message] of [
    ['large', 'its answer is larger than 262144 bytes'],
    ['endless', 'its answer is larger than 262144 bytes'],
    ['compressed', 'its answer is compressed'],
    ['silent', unreachable],
    ['drip', 'its answer did not come to an end in time'],
    ['cut', 'its answer did not come to an end in time'],
    ['html', 'its answer is not JSON'],
    ['missing', 'it answered 404: allowed is 200 (redirects are not followed)'],
  ] as const) {
    // Only what never ends is given a short time, so that a slow machine changes nothing.
    const read = allowing({ timeoutMs: path === 'silent' || path === 'drip' ? 1_000 : 30_000 })
    const error = await read(`${issuer.url}/${path}`, { ca }).catch((cause: unknown) => cause)
    expect(error, path).toBeInstanceOf(DocumentError)
    expect((error as DocumentError).message, path).toBe(message)
  }
})

test('a resolver or a port that never answers is given up in time', async () => {
  const never = documentReader({ resolve: () => new Promise(() => {}), timeoutMs: 100 })
  await expect(never('https://idp.keyferry.example/')).rejects.toThrow(unreachable)
  const mute = createServer(() => {}).listen(0, '127.0.0.1')
  await new Promise((resolve) => mute.once('listening', resolve))
  const { port } = mute.address() as AddressInfo
  await expect(allowing({ timeoutMs: 100 })(`https://localhost:${port}/`)).rejects.toThrow(unreachable)
  mute.close()
})
