import { connect } from 'node:tls'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { admin, call, owner, tokenOf } from './harness.ts'

/** Whatever comes in, the emulator answers with a refusal in Azure's shape, and lives. */

const host = 'premium.vault.azure.net'
let emulator: KeyVaultEmulator
let token: string

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({ vaults: [{ name: 'premium', kind: 'premium' }], principals: [owner] })
  token = await tokenOf(emulator)
})
afterAll(async () => {
  expect((await call(emulator, { host, token, path: '/keys?api-version=7.6' })).status).toBe(200)
  await emulator.close()
})

const member = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('RSA', 'RSA-HSM', 'EC', 'EC-HSM', 'oct-HSM', 'P-256', 'AAAA', ''),
)
const jwk = fc.record(
  Object.fromEntries(
    ['kty', 'crv', 'key_hsm', 'key_ops', 'n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'x', 'y', 'k'].map((name) => [
      name,
      member,
    ]),
  ),
  { requiredKeys: [] },
)
const body = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      key: fc.oneof(jwk, member),
      Hsm: member,
      kty: member,
      crv: member,
      key_size: member,
      public_exponent: member,
      key_ops: member,
      attributes: fc.oneof(member, fc.record({ enabled: member, nbf: member, exp: member }, { requiredKeys: [] })),
      tags: member,
      alg: member,
      value: member,
      digest: member,
      iv: member,
    },
    { requiredKeys: [] },
  ),
)

test('any JSON to any operation', async () => {
  const routes = fc.constantFrom(
    ['PUT', '/keys/a'],
    ['POST', '/keys/a/create'],
    ['PATCH', '/keys/a'],
    ['POST', '/keys/a//sign'],
    ['POST', '/keys/a//verify'],
    ['POST', '/keys/a//encrypt'],
    ['POST', '/keys/a//unwrapkey'],
    ['POST', '/deletedkeys/a/recover'],
  )
  await fc.assert(
    fc.asyncProperty(routes, body, async ([method = '', path = ''], value) => {
      const answer = await call(emulator, {
        method,
        host,
        token,
        path: `${path}?api-version=7.6`,
        body: JSON.stringify(value),
      })
      expect([200, 400, 403, 404, 409]).toContain(answer.status)
      if (answer.status !== 200) expect(answer.json.error?.message.length).toBeGreaterThan(5)
    }),
    { numRuns: 300 },
  )
})

test('any path, method and query', async () => {
  const text = fc.stringMatching(/^[!-~]{0,40}$/)
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'),
      fc.constantFrom(host, 'localhost', 'login.microsoftonline.com'),
      text,
      text,
      async (method, to, path, query) => {
        const target = `/${path.replaceAll('?', '')}?${query.replaceAll('#', '')}`
        const answer = await call(emulator, { method, host: to, token, path: target })
        expect(answer.status).toBeGreaterThanOrEqual(200)
        expect(answer.status).toBeLessThan(500)
      },
    ),
    { numRuns: 300 },
  )
})

test('any JSON to the admin API', async () => {
  const routes = fc.constantFrom(
    ['POST', '/vaults'],
    ['POST', '/principals'],
    ['PUT', '/principals/x/permissions'],
    ['POST', '/clock'],
  )
  await fc.assert(
    fc.asyncProperty(routes, fc.jsonValue(), async ([method = '', path = ''], value) => {
      const answer = await admin(emulator, method, path, JSON.stringify(value))
      expect(answer.status).toBe(400)
    }),
  )
})

/** Sends bytes over TLS as they are, and gives what comes back until the connection ends. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(
      { host: '127.0.0.1', port: emulator.port, servername: host, ca: emulator.caCertificate },
      () => socket.write(bytes),
    )
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (text.includes('\r\n\r\n')) socket.end()
    })
    socket.on('error', () => resolve(text))
    socket.on('close', () => resolve(text))
  })
}

test.each([
  ['no HTTP', 'hello\r\n\r\n', 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['a Host that is none', 'GET / HTTP/1.1\r\nHost: a b<>\r\n\r\n', 400],
  ['an absolute target', `GET https://${host}/keys HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400],
  ['a bad escape', `GET /keys/%E0%A4%A HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400],
  ['a wrong length', `POST /keys HTTP/1.1\r\nHost: ${host}\r\nContent-Length: -1\r\n\r\n`, 400],
  ['a large header', `GET / HTTP/1.1\r\nHost: ${host}\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
])('%s', async (_what, bytes, status) => {
  expect(await raw(bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
})

test('a client that leaves in the middle of its body', async () => {
  const before = emulator.requests.length
  await new Promise<void>((resolve) => {
    const socket = connect(
      { host: '127.0.0.1', port: emulator.port, servername: host, ca: emulator.caCertificate },
      () => {
        socket.write(`PUT /keys/a HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100\r\n\r\n{`, () => socket.destroy())
      },
    )
    socket.on('close', () => resolve())
  })
  expect((await call(emulator, { host, token, path: '/keys?api-version=7.6' })).status).toBe(200)
  expect(emulator.requests.length).toBe(before + 1)
})

test('plain HTTP on the TLS port', async () => {
  await expect(fetch(`http://127.0.0.1:${emulator.port}/`)).rejects.toThrow()
})
