import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { throughEmulator } from '../../src/commands/dev-emulator.ts'
import {
  type KeyVaultEmulator,
  type Permission,
  startKeyVaultEmulator,
} from '../../src/emulator/azurekeyvault/index.ts'
import { createApp } from '../../src/http/app.ts'
import { createAzureKeyVaultProvider } from '../../src/providers/azurekeyvault/index.ts'
import { type Served, serveNode } from '../../src/serve/node.ts'
import { type Answer, Wire } from '../serve/wire.ts'
import { type TestCore, testCore } from '../support/gateway.ts'

/**
 * What Vault's documents tell people to type, byte for byte as their tools send it: the set-up guide for Azure Key Vault through the
 * command line, the samples of the API through curl. The service principal is that of the guide, with the least permissions that it names.
 */
const principal = {
  tenantId: 'cd4bf224-d114-4f96-9bbc-b8f45751c43f',
  clientId: 'a0454cd1-e28e-405e-bc50-7477fa8a00b7',
  clientSecret: 'eR%HizuCVEpAKgeaUEx',
  permissions: ['create', 'delete', 'get', 'import', 'update'] satisfies Permission[],
}

let emulator: KeyVaultEmulator
let test: TestCore
let served: Served
let wire: Wire

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'keyvault-name', kind: 'premium' },
      { name: 'example-keyvault-name', kind: 'premium' },
    ],
    principals: [principal],
  })
  test = await testCore({ providers: [createAzureKeyVaultProvider(throughEmulator(emulator))] })
  served = await serveNode(createApp(test.core, { version: '1.2.3' }), { host: '127.0.0.1', port: 0 })
  wire = new Wire(served.port)
})
afterAll(async () => {
  wire.close()
  await served.close(0)
  await test.close()
  await emulator.close()
})

async function sent(bytes: string): Promise<Answer> {
  await wire.send(bytes)
  const [answer] = await wire.answers(1)
  if (!answer) throw new Error('no answer')
  return answer
}

/** As Go's client writes a request: no Content-Type, the headers of Vault's command line. */
function commandLine(method: string, path: string, body?: string): Promise<Answer> {
  const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
  return sent(
    `${method} /v1/${path} HTTP/1.1\r\nHost: 127.0.0.1:8200\r\nUser-Agent: Go-http-client/1.1\r\n${length}X-Vault-Request: true\r\n` +
      `X-Vault-Token: ${test.rootToken}\r\nAccept-Encoding: gzip\r\n\r\n${body ?? ''}`,
  )
}

/** As curl writes a request: `--data @payload.json` leaves out the file's line ends, and says that it is a form. */
function curl(method: string, path: string, payload?: string): Promise<Answer> {
  const data = payload?.replaceAll('\n', '')
  const body =
    data === undefined
      ? ''
      : `Content-Length: ${Buffer.byteLength(data)}\r\nContent-Type: application/x-www-form-urlencoded\r\n`
  return sent(
    `${method} /v1/${path} HTTP/1.1\r\nHost: 127.0.0.1:8200\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n` +
      `X-Vault-Token: ${test.rootToken}\r\n${body}\r\n${data ?? ''}`,
  )
}

const dataOf = ({ body }: Answer) => JSON.parse(body).data
const statusOf = ({ status, body }: Answer) => [status, body]
const nothing = [204, '']
const missing = [404, '{"errors":[]}']

describe('the set-up guide for Azure Key Vault', () => {
  it('vault secrets enable keymgmt', async () => {
    expect(statusOf(await commandLine('DELETE', 'sys/mounts/keymgmt'))).toEqual(nothing)
    const body =
      '{"type":"keymgmt","description":"","config":{"options":null,"default_lease_ttl":"","max_lease_ttl":"","force_no_cache":false},' +
      '"local":false,"seal_wrap":false,"external_entropy_access":false,"options":null}'
    expect(statusOf(await commandLine('POST', 'sys/mounts/keymgmt', body))).toEqual(nothing)
  })

  it('vault write keymgmt/kms/example-kms provider="azurekeyvault" key_collection="keyvault-name" credentials=… (three)', async () => {
    const body =
      '{"credentials":["client_id=a0454cd1-e28e-405e-bc50-7477fa8a00b7","client_secret=eR%HizuCVEpAKgeaUEx",' +
      '"tenant_id=cd4bf224-d114-4f96-9bbc-b8f45751c43f"],"key_collection":"keyvault-name","provider":"azurekeyvault"}'
    expect(statusOf(await commandLine('PUT', 'keymgmt/kms/example-kms', body))).toEqual(nothing)
    const shown = await commandLine('GET', 'keymgmt/kms/example-kms')
    expect(dataOf(shown)).toEqual({ key_collection: 'keyvault-name', provider: 'azurekeyvault' })
    expect(shown.body).not.toContain(principal.clientSecret)
  })

  it('vault write keymgmt/key/rsa-1 type="rsa-2048", and vault read', async () => {
    expect(statusOf(await commandLine('PUT', 'keymgmt/key/rsa-1', '{"type":"rsa-2048"}'))).toEqual(nothing)
    expect(dataOf(await commandLine('GET', 'keymgmt/key/rsa-1'))).toEqual({
      deletion_allowed: false,
      latest_version: 1,
      min_enabled_version: 1,
      name: 'rsa-1',
      type: 'rsa-2048',
      versions: {
        1: {
          creation_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
          public_key: expect.stringMatching(/^-----BEGIN PUBLIC KEY-----\n[\s\S]+\n-----END PUBLIC KEY-----\n$/),
        },
      },
    })
  })

  it('vault write keymgmt/kms/example-kms/key/rsa-1 purpose="encrypt,decrypt" protection="hsm", and vault list', async () => {
    const body = '{"protection":"hsm","purpose":"encrypt,decrypt"}'
    expect(statusOf(await commandLine('PUT', 'keymgmt/kms/example-kms/key/rsa-1', body))).toEqual(nothing)
    // The guide lists "keymgmt/kms/keyvault/key/", a slip of its own; the command line takes the last slash away.
    for (const path of ['keymgmt/kms/example-kms/key?list=true', 'keymgmt/kms/example-kms/key/?list=true']) {
      expect(dataOf(await commandLine('GET', path))).toEqual({ keys: ['rsa-1'] })
    }
  })

  it('vault write -f keymgmt/key/rsa-1/rotate', async () => {
    expect(statusOf(await commandLine('PUT', 'keymgmt/key/rsa-1/rotate', 'null'))).toEqual(nothing)
    expect(dataOf(await commandLine('GET', 'keymgmt/key/rsa-1')).latest_version).toBe(2)
  })
})

describe("the samples of the API's documents", () => {
  const writes: [string, string, string | undefined][] = [
    ['create a key', 'keymgmt/key/example-key', '{\n  "type": "rsa-2048"\n}\n'],
    ['update a key', 'keymgmt/key/example-key', '{\n  "min_enabled_version": 0,\n  "deletion_allowed": true\n}\n'],
    [
      'create a KMS provider',
      'keymgmt/kms/example-kms',
      `{\n  "credentials": [\n    "client_id=${principal.clientId}",\n    "client_secret=${principal.clientSecret}",\n` +
        `    "tenant_id=${principal.tenantId}"\n  ],\n  "key_collection": "example-keyvault-name",\n  "provider": "azurekeyvault"\n}\n`,
    ],
    [
      'distribute a key',
      'keymgmt/kms/example-kms/key/example-key',
      '{\n  "protection": "hsm",\n  "purpose": "encrypt,decrypt"\n}\n',
    ],
    ['rotate a key', 'keymgmt/key/example-key/rotate', undefined],
  ]

  beforeAll(async () => {
    await commandLine('DELETE', 'sys/mounts/keymgmt')
    await commandLine('POST', 'sys/mounts/keymgmt', '{"type":"keymgmt"}')
  })

  it.each(writes)('%s: POST', async (_, path, payload) => {
    expect(statusOf(await curl('POST', path, payload))).toEqual(nothing)
  })

  it('the placeholders that the document prints are taken for what they are', async () => {
    const payload = (tenant: string) =>
      '{\n  "credentials": [\n    "client_id=example-client-id",\n    "client_secret=example-client-secret",\n    ' +
      `"tenant_id=${tenant}"\n  ],\n  "key_collection": "example-keyvault-name",\n  "provider": "azurekeyvault"\n}\n`
    // A tenant becomes a part of an address, and a slip in it is told at once; Vault would tell when a key is distributed.
    const refused = await curl('POST', 'keymgmt/kms/as-printed', payload('example-tenant-id'))
    expect([refused.status, JSON.parse(refused.body).errors]).toEqual([
      400,
      [
        'tenant_id "example-tenant-id" is not allowed: it must be a GUID or a domain name such as contoso.onmicrosoft.com',
      ],
    ])
    expect(statusOf(await curl('POST', 'keymgmt/kms/as-printed', payload(principal.tenantId)))).toEqual(nothing)
    expect(statusOf(await curl('DELETE', 'keymgmt/kms/as-printed'))).toEqual(nothing)
  })

  it('read a key', async () => {
    const data = dataOf(await curl('GET', 'keymgmt/key/example-key'))
    expect(data).toMatchObject({ deletion_allowed: true, latest_version: 2, name: 'example-key', type: 'rsa-2048' })
    expect(Object.keys(data.versions)).toEqual(['1', '2'])
  })

  it('read a KMS provider', async () => {
    // With the key encryption key that was made for it, of which Vault says nothing.
    expect(dataOf(await curl('GET', 'keymgmt/kms/example-kms'))).toEqual({
      kek_fingerprint: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      kek_id: expect.stringMatching(/^https:\/\/example-keyvault-name\.vault\.azure\.net\/keys\//),
      key_collection: 'example-keyvault-name',
      provider: 'azurekeyvault',
    })
  })

  it('read a key in a KMS provider', async () => {
    expect(dataOf(await curl('GET', 'keymgmt/kms/example-kms/key/example-key'))).toEqual({
      distribution_time: expect.stringMatching(/^\d{4}-/),
      name: expect.stringMatching(/^example-key-\d{10}$/),
      protection: 'hsm',
      // The document shows "encrypt,decrypt"; Vault itself answers sorted.
      purpose: 'decrypt,encrypt',
      versions: { 1: expect.stringMatching(/^[0-9a-f]{32}$/), 2: expect.stringMatching(/^[0-9a-f]{32}$/) },
    })
  })

  it.each([
    ['keymgmt/key', 'example-key'],
    ['keymgmt/key/example-key/kms', 'example-kms'],
    ['keymgmt/kms', 'example-kms'],
    ['keymgmt/kms/example-kms/key', 'example-key'],
  ])('LIST %s', async (path, name) => {
    expect(dataOf(await curl('LIST', path))).toEqual({ keys: [name] })
  })

  it.each([
    'keymgmt/kms/example-kms/key/example-key',
    'keymgmt/kms/example-kms',
    'keymgmt/key/example-key',
  ])('DELETE %s', async (path) => {
    expect(statusOf(await curl('DELETE', path))).toEqual(nothing)
    expect(statusOf(await curl('GET', path))).toEqual(missing)
  })
})
