import { once } from 'node:events'
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { AzureOptions, CloudOptions } from '../../../src/providers/azurekeyvault/index.ts'
import { parseAddress } from '../../../src/providers/azurekeyvault/network.ts'
import { selfSigned } from './certificates.ts'
import { type Bench, failure, openAnother, startBench, tenantId } from './harness.ts'

let bench: Bench
const servers: Server[] = []
beforeAll(async () => {
  bench = await startBench()
})
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})
afterAll(() => bench.emulator.close())

/** The options of the bench with one thing changed about its cloud. */
function withCloud(more: CloudOptions): AzureOptions {
  return { clouds: { AzurePublicCloud: { ...bench.options.clouds?.AzurePublicCloud, ...more } } }
}

async function listen(server: Server): Promise<number> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe('TLS', () => {
  it('does not trust a CA that the operator did not name', async () => {
    const connection = await openAnother(bench, { azure: withCloud({ ca: undefined }) })
    const error = await failure(connection.describe('nothing'))
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none', serviceCode: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    expect(error.message).toContain('the TLS certificate of prod-keys.vault.azure.net is not trusted')
  })

  it("checks the certificate for the vault's real name, wherever the socket goes", async () => {
    for (const hosts of [['127.0.0.1', 'localhost'], ['evil.example']]) {
      const { certificate, privateKey } = await selfSigned('impostor', { hosts })
      let asked = 0
      const server = createHttpsServer({ cert: certificate, key: privateKey }, (_, response) => {
        asked++
        response.end('{}')
      })
      const connectTo = `127.0.0.1:${await listen(server)}`
      const connection = await openAnother(bench, { azure: withCloud({ connectTo, ca: certificate }) })
      const error = await failure(connection.setVersionEnabled('key', '0'.repeat(32), true))
      expect(error).toMatchObject({ kind: 'unavailable', effect: 'none', serviceCode: 'ERR_TLS_CERT_ALTNAME_INVALID' })
      expect(asked).toBe(0)
    }
  })

  it('checks it also when the process is told not to', async () => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      const connection = await openAnother(bench, { azure: withCloud({ ca: undefined }) })
      expect(await failure(connection.describe('nothing'))).toMatchObject({
        serviceCode: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      })
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    }
  })

  it('tells what speaks no TLS', async () => {
    const connectTo = `127.0.0.1:${await listen(createHttpServer((_, response) => response.end()))}`
    const connection = await openAnother(bench, { azure: withCloud({ connectTo }) })
    expect(await failure(connection.describe('nothing'))).toMatchObject({
      kind: 'unavailable',
      effect: 'none',
      message: expect.stringMatching(/TLS with prod-keys\.vault\.azure\.net failed \((EPROTO|ERR_SSL_\w+)\)/),
    })
  })
})

describe('what cannot be reached', () => {
  it('a port that nobody listens on: nothing happened', async () => {
    const connection = await openAnother(bench, { azure: withCloud({ connectTo: '127.0.0.1:1' }) })
    expect(await failure(connection.remove('key'))).toMatchObject({
      kind: 'unavailable',
      effect: 'none',
      serviceCode: 'ECONNREFUSED',
      message:
        'could not delete the key "key": no connection to the operator\'s address for prod-keys.vault.azure.net (ECONNREFUSED)',
    })
  })

  it('a name that DNS does not know', async () => {
    const connection = await openAnother(bench, { azure: withCloud({ connectTo: 'no-such-host.invalid:443' }) })
    const error = await failure(connection.remove('key'))
    expect(error).toMatchObject({
      kind: 'unavailable',
      effect: 'none',
      serviceCode: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/),
    })
    expect(error.message).toMatch(
      /the name of the operator's address for prod-keys\.vault\.azure\.net (is not known to DNS|cannot be looked up now)/,
    )
  })
})

describe('redirects', () => {
  it.each([301, 302, 303, 307, 308])('a %i is never followed, in the vault or elsewhere', async (status) => {
    const connection = await bench.open()
    for (const location of ['https://evil.example/', 'https://prod-keys.vault.azure.net/keys/other?api-version=7.6']) {
      bench.emulator.injectFault({ match: { operation: 'get' }, action: { status, headers: { location } } })
      bench.emulator.clearRequests()
      const error = await failure(connection.readVersion('key', '0'.repeat(32)))
      expect(error).toMatchObject({ kind: 'unavailable', effect: 'none', status })
      expect(error.message).toContain('it answered with a redirect, and these are never followed')
      expect(
        new Set(bench.emulator.requests.filter((one) => one.operation !== 'challenge').map((one) => one.path)),
      ).toEqual(
        new Set([
          `/keys/key/${'0'.repeat(32)}`,
          ...bench.emulator.requests.filter((one) => one.operation === 'token').map((one) => one.path),
        ]),
      )
      bench.emulator.clearFaults()
    }
  })
})

describe('the challenge', () => {
  async function challenging(challenge: string): Promise<{ azure: AzureOptions; tokens: () => number }> {
    // A name under the vault's suffix, signed by a CA that is trusted: only what it asks for gives it away.
    const { certificate, privateKey } = await selfSigned('impostor', { hosts: ['*.vault.azure.net'] })
    let authorized = 0
    const server = createHttpsServer({ cert: certificate, key: privateKey }, (request, response) => {
      if (request.headers.authorization) authorized++
      response.writeHead(401, { 'www-authenticate': challenge }).end('{}')
    })
    const azure = withCloud({
      connectTo: `127.0.0.1:${await listen(server)}`,
      ca: `${bench.emulator.caCertificate}\n${certificate}`,
    })
    return { azure, tokens: () => authorized }
  }

  it.each([
    'https://graph.microsoft.com',
    'https://ult.azure.net',
    'https://prod-keys.vault.azure.net.evil.example',
    'https://user@vault.azure.net',
  ])('for another resource, %s, gets no token', async (resource) => {
    const { azure, tokens } = await challenging(
      `Bearer authorization="https://login.microsoftonline.com/${tenantId}", resource="${resource}"`,
    )
    const error = await failure((await openAnother(bench, { azure })).describe('nothing'))
    expect(error).toMatchObject({ kind: 'refused', effect: 'none' })
    expect(error.message).toContain('asked for a token that is not for its own domain, and was given none')
    expect(tokens()).toBe(0)
  })

  it('of another tenant gets no token', async () => {
    const other = '99999999-0000-4000-8000-000000000009'
    const { azure, tokens } = await challenging(
      `Bearer authorization="https://login.microsoftonline.com/${other}", resource="https://vault.azure.net"`,
    )
    const error = await failure((await openAnother(bench, { azure })).describe('nothing'))
    expect(error.message).toContain(`the vault belongs to the tenant ${other}`)
    expect(tokens()).toBe(0)
  })

  it("may name the resource that the operator pins, outside of the vault's domain, and no other", async () => {
    const { host } = await bench.emulator.addVault({ name: 'corp-keys', kind: 'premium', suffix: 'kv.corp.example' })
    const address = `127.0.0.1:${bench.emulator.port}`
    const corp = (tokenResource: string): AzureOptions => ({
      clouds: {
        Corp: {
          authorityHost: 'https://login.microsoftonline.com',
          vaultSuffix: 'kv.corp.example',
          connectTo: address,
          authorityConnectTo: address,
          ca: bench.emulator.caCertificate,
          tokenResource,
        },
      },
    })
    const settings = { keyCollection: host, credentials: { ...bench.settings.credentials, environment: 'Corp' } }
    const right = await openAnother(bench, { azure: corp('https://kv.corp.example/'), settings })
    expect(await right.describe('nothing')).toEqual({ state: 'absent' })
    const wrong = await openAnother(bench, { azure: corp('https://vault.azure.net'), settings })
    expect(await failure(wrong.describe('nothing'))).toMatchObject({
      kind: 'refused',
      message: 'the vault asks for a token for another resource than https://vault.azure.net, which the operator set',
    })
  })
})

describe('the proxy', () => {
  /** A proxy that knows one method and sends every tunnel to the emulator, noting the names that were asked for. */
  async function startProxy(): Promise<{ url: string; asked: string[]; authorization: (string | undefined)[] }> {
    const asked: string[] = []
    const authorization: (string | undefined)[] = []
    const server = createHttpServer()
    server.on('connect', (request, socket, head) => {
      asked.push(request.url ?? '')
      authorization.push(request.headers['proxy-authorization'])
      const upstream = connect(bench.emulator.port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        upstream.write(head)
        upstream.pipe(socket).pipe(upstream)
      })
      upstream.on('error', () => socket.destroy())
      socket.on('error', () => upstream.destroy())
    })
    return { url: `127.0.0.1:${await listen(server)}`, asked, authorization }
  }

  const direct = { connectTo: undefined, authorityConnectTo: undefined }

  it('carries calls to vault and authority, with TLS to the real names inside', async () => {
    const proxy = await startProxy()
    const azure = { ...withCloud(direct), proxy: { httpsProxy: `http://user:pass@${proxy.url}`, noProxy: '' } }
    expect(await (await openAnother(bench, { azure })).describe('nothing')).toEqual({ state: 'absent' })
    expect(new Set(proxy.asked)).toEqual(new Set(['prod-keys.vault.azure.net:443', 'login.microsoftonline.com:443']))
    expect(proxy.authorization[0]).toBe(`Basic ${Buffer.from('user:pass').toString('base64')}`)
    const distrustful = { ...azure, ...withCloud({ ...direct, ca: undefined }) }
    expect(await failure((await openAnother(bench, { azure: distrustful })).describe('nothing'))).toMatchObject({
      kind: 'unavailable',
    })
  })

  it('is left out where the operator says connectTo', async () => {
    const proxy = await startProxy()
    const through = { httpsProxy: `http://${proxy.url}`, noProxy: '.vault.azure.net' }
    const azure = { ...withCloud({ authorityConnectTo: undefined }), proxy: through }
    expect(await (await openAnother(bench, { azure })).describe('nothing')).toEqual({ state: 'absent' })
    expect(new Set(proxy.asked)).toEqual(new Set(['login.microsoftonline.com:443']))
  })

  it('that opens no way lets nothing through', async () => {
    const server = createHttpServer()
    server.on('connect', (_, socket) => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'))
    const httpsProxy = `http://user:canary-pass@127.0.0.1:${await listen(server)}`
    const azure = { ...withCloud(direct), proxy: { httpsProxy } }
    const error = await failure((await openAnother(bench, { azure })).remove('key'))
    expect(error).toMatchObject({
      kind: 'unavailable',
      effect: 'none',
      serviceCode: 'ERR_PROXY_TUNNEL',
      message:
        'could not delete the key "key": the proxy opened no way to prod-keys.vault.azure.net: does it ask for credentials?',
    })
  })

  it.each([
    [
      'refuses connections',
      '127.0.0.1:1',
      "no connection to the operator's proxy, on the way to prod-keys.vault.azure.net (ECONNREFUSED)",
    ],
    [
      'has a name that DNS does not know',
      'no-such-proxy.invalid:3128',
      "the name of the operator's proxy, on the way to prod-keys.vault.azure.net is not known to DNS: is it spelled right, and does it exist?",
    ],
  ])('that %s is told from the vault, and never refuses it', async (_what, address, sentence) => {
    const azure = { ...withCloud(direct), proxy: { httpsProxy: `http://user:canary-pass@${address}` } }
    expect(await failure((await openAnother(bench, { azure })).remove('key'))).toMatchObject({
      kind: 'unavailable',
      effect: 'none',
      message: `could not delete the key "key": ${sentence}`,
    })
  })

  it('is not asked for a name in NO_PROXY', async () => {
    const proxy = await startProxy()
    const clouds = { Corp: { authorityHost: 'https://login.invalid', vaultSuffix: 'kv.invalid' } }
    const azure = { clouds, proxy: { httpsProxy: `http://${proxy.url}`, noProxy: '.kv.invalid' }, lookUpAgainMs: 1 }
    const settings = { ...bench.settings, credentials: { ...bench.settings.credentials, environment: 'Corp' } }
    const error = await failure((await openAnother(bench, { azure, settings })).describe('nothing'))
    expect(error.message).toContain('there is no vault prod-keys.kv.invalid, DNS does not know the name')
    expect(proxy.asked).toEqual([])
  })

  it("is the operator's to name: the process's own variable does not count", async () => {
    process.env.HTTPS_PROXY = 'http://127.0.0.1:1'
    try {
      expect(await (await openAnother(bench)).describe('nothing')).toEqual({ state: 'absent' })
    } finally {
      delete process.env.HTTPS_PROXY
    }
  })
})

describe('addresses', () => {
  it.each([
    ['localhost:8443', { host: 'localhost', port: 8443 }],
    ['127.0.0.1:1', { host: '127.0.0.1', port: 1 }],
    ['[::1]:65535', { host: '::1', port: 65535 }],
    ['host', undefined],
    ['host:0', undefined],
    ['host:65536', undefined],
    ['::1:80', undefined],
    ['https://host:80', undefined],
    ['host:80/', undefined],
    ['', undefined],
  ])('%j', (text, address) => expect(parseAddress(text)).toEqual(address))
})
