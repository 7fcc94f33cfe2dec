import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { azureOptions } from '../../src/config/azure.ts'
import { loadSettings } from '../../src/config/load.ts'
import { otherVariables, sources } from '../../src/config/sources.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-config-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function file(text: string): string {
  const path = join(folder, 'keyferry.json')
  writeFileSync(path, text)
  return path
}

const variables = [...sources.map(({ variable }) => variable), ...otherVariables]
const knownVariables = `${variables.slice(0, -1).join(', ')} or ${variables.at(-1)}`

describe('settings', () => {
  test('come from flags before the environment before the file, one by one', () => {
    const config = file(
      '{"listen": "127.0.0.1:1", "data": "file", "tls": {"cert": "file", "key": "file"}, "stopGraceMs": 5}',
    )
    const environment = { KEYFERRY_DATA: 'variable', KEYFERRY_TLS_CERT: 'variable', PATH: '/bin' }
    expect(loadSettings({ config, data: 'flag', 'log-level': 'warn' }, environment)).toEqual({
      listen: '127.0.0.1:1',
      data: 'flag',
      tls: { cert: 'variable', key: 'file' },
      stopGraceMs: 5,
      log: { level: 'warn' },
    })
  })

  test('may be none, and the file may be named by a variable', () => {
    expect(loadSettings({}, {})).toEqual({})
    expect(loadSettings({}, { KEYFERRY_CONFIG: file('{"data": "x"}') })).toEqual({ data: 'x' })
  })

  test('every source can be said as a flag and as a variable', () => {
    const values: Record<string, string> = { listen: '[::1]:0', 'log.level': 'error', 'log.format': 'json' }
    for (const { path, flag, variable } of sources) {
      const value = values[path.join('.')] ?? 'x'
      const wanted = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value)
      expect(loadSettings({ [flag]: value }, {})).toEqual(wanted)
      expect(loadSettings({}, { [variable]: value })).toEqual(wanted)
    }
  })

  test.each([
    ['[]', 'the configuration must be one JSON object of settings, not a list'],
    ['null', 'the configuration must be one JSON object of settings, not null'],
    [
      '{"lisen": "x"}',
      'lisen is no setting (did you mean "listen"?): known here are data, listen, tls, rootKey, log, audit, limits, issuers, reconcileEveryMs, stopGraceMs, keyPool or azure',
    ],
    ['{"tls": {"certificate": "x"}}', 'tls.certificate is no setting: known here are cert or key'],
    [
      '{"azure": {"clouds": {"Mine": {"conectTo": "x"}}}}',
      'azure.clouds.Mine.conectTo is no setting (did you mean "connectTo"?): known here are authorityHost, vaultSuffix, managedHsmSuffix, instanceDiscovery, connectTo, authorityConnectTo, caFile, serviceVersion, kekType or tokenResource',
    ],
    [
      '{"listen": "nowhere"}',
      'listen must be HOST:PORT, with an IPv6 host in brackets and a port from 0 (any free one) to 65535',
    ],
    [
      '{"listen": "a:65536"}',
      'listen must be HOST:PORT, with an IPv6 host in brackets and a port from 0 (any free one) to 65535',
    ],
    ['{"data": ""}', 'data must not be empty'],
    ['{"log": {"level": "loud"}}', 'log.level must be info, warn or error'],
    [
      '{"limits": {"key": 1}}',
      'limits.key is no setting (did you mean "keys"?): known here are namespaces, keys, versions, kms, tokens or operations',
    ],
    ...['https://idp.example.com', 'idp.example.com/path', 'a b', 'idp.example.com:', ''].map(
      (host): [string, string] => [
        JSON.stringify({ issuers: { allowedHosts: [host] } }),
        host === ''
          ? 'issuers.allowedHosts.0 must not be empty'
          : 'issuers.allowedHosts.0 must be a host, such as idp.example.com, or a host and port, such as idp.example.com:8443',
      ],
    ),
  ])('%s is refused with the file, the setting and what is allowed', (text, problem) => {
    const config = file(text)
    expect(() => loadSettings({ config }, {})).toThrow(
      expect.objectContaining({ message: `${config}: ${problem}`, exitCode: 78 }),
    )
  })

  test.each([
    ['{"data": 5}', /: data is not allowed: .*expected string/],
    ['{"stopGraceMs": "5"}', /: stopGraceMs is not allowed: .*expected/],
    ['{"limits": {"keys": -1}}', /: limits.keys is not allowed: /],
    ['{"limits": {"keys": 1.5}}', /: limits.keys is not allowed: /],
    ['{"keyPool": {"rsa-2048": -1}}', /: keyPool.rsa-2048 is not allowed: /],
    ['{"data": "x"', /is not JSON: /],
  ])('%s is refused', (text, message) => {
    expect(() => loadSettings({ config: file(text) }, {})).toThrow(message)
  })

  test('a file that is not there is named', () => {
    const config = join(folder, 'none.json')
    expect(() => loadSettings({ config }, {})).toThrow(
      `the configuration file ${config} cannot be read: it does not exist`,
    )
  })

  test('flags and variables are named as they were written', () => {
    const form = 'must be HOST:PORT, with an IPv6 host in brackets and a port from 0 (any free one) to 65535'
    expect(() => loadSettings({ listen: 'x' }, {})).toThrow(`--listen ${form}`)
    expect(() => loadSettings({}, { KEYFERRY_LISTEN: 'x' })).toThrow(`KEYFERRY_LISTEN ${form}`)
    expect(() => loadSettings({ 'log-level': 'loud' }, {})).toThrow('--log-level must be info, warn or error')
  })

  test('an unknown KEYFERRY_ variable is refused, but for those that container platforms make', () => {
    expect(() => loadSettings({}, { KEYFERRY_LISTN: 'x' })).toThrow(
      `unknown environment variable KEYFERRY_LISTN (did you mean KEYFERRY_LISTEN?): known are ${knownVariables}`,
    )
    const links = {
      KEYFERRY_SERVICE_HOST: '10.0.0.1',
      KEYFERRY_PORT: 'tcp://10.0.0.1:8200',
      KEYFERRY_PORT_8200_TCP: 'x',
    }
    expect(loadSettings({}, links)).toEqual({})
  })
})

describe('what the provider for Azure is given', () => {
  const environment = {
    AZURE_TENANT_ID: 'tenant',
    AZURE_CLIENT_ID: 'client',
    AZURE_CLIENT_SECRET: 'secret',
    AZURE_FEDERATED_TOKEN_FILE: '/token',
    HTTPS_PROXY: 'http://proxy:3128',
    no_proxy: 'localhost',
  }

  test('the environment completes the settings', () => {
    expect(azureOptions(undefined, environment)).toEqual({
      clouds: {},
      ambient: {
        environment: {
          AZURE_TENANT_ID: 'tenant',
          AZURE_CLIENT_ID: 'client',
          AZURE_CLIENT_SECRET: 'secret',
          AZURE_ENVIRONMENT: undefined,
        },
        federatedTokenFile: '/token',
      },
      proxy: { httpsProxy: 'http://proxy:3128', noProxy: 'localhost' },
      callTimeoutMs: undefined,
    })
  })

  test('the settings win, and can shut the environment out', () => {
    const options = azureOptions(
      { ambient: { environment: false, namespaces: ['a'] }, proxy: { httpsProxy: 'http://other:1' } },
      environment,
    )
    expect(options.ambient).toEqual({
      namespaces: ['a'],
      environment: {
        AZURE_TENANT_ID: undefined,
        AZURE_CLIENT_ID: undefined,
        AZURE_CLIENT_SECRET: undefined,
        AZURE_ENVIRONMENT: undefined,
      },
      federatedTokenFile: undefined,
    })
    expect(options.proxy?.httpsProxy).toBe('http://other:1')
  })

  test("a cloud's CA is read from its file", () => {
    const caFile = file('PEM')
    expect(azureOptions({ clouds: { Mine: { caFile, vaultSuffix: 'v.test' } } }, {}).clouds).toEqual({
      Mine: { ca: 'PEM', vaultSuffix: 'v.test' },
    })
    expect(() => azureOptions({ clouds: { Mine: { caFile: join(folder, 'none') } } }, {})).toThrow(
      `azure.clouds.Mine.caFile ${join(folder, 'none')} cannot be read: it does not exist`,
    )
  })
})
