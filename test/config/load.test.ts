import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { azureOptions } from '../../src/config/azure.ts'
import { inForce, loadSettings, readSettings } from '../../src/config/load.ts'
import { otherVariables, sources } from '../../src/config/sources.ts'
import { withValue } from '../../src/config/tree.ts'

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
const defaults = loadSettings({}, {})
const knownVariables = `${variables.slice(0, -1).join(', ')} or ${variables.at(-1)}`

describe('settings', () => {
  test('come from flags before the environment before the file, one by one', () => {
    const config = file(
      '{"listen": "127.0.0.1:1", "data": "file", "tls": {"cert": "file", "key": "file"}, "stopGraceMs": 5}',
    )
    const environment = { KEYFERRY_DATA: 'variable', KEYFERRY_TLS_CERT: 'variable', PATH: '/bin' }
    expect(loadSettings({ config, data: 'flag', 'log-level': 'warn' }, environment)).toEqual({
      ...defaults,
      listen: '127.0.0.1:1',
      data: 'flag',
      tls: { ...defaults.tls, cert: 'variable', key: 'file' },
      stopGraceMs: 5,
      log: { level: 'warn' },
    })
  })

  test('may be none, and the file may be named by a variable', () => {
    expect(defaults).toMatchObject({ listen: '127.0.0.1:8200', log: { level: 'info' }, http: { trustedProxies: [] } })
    expect(defaults.data).toBeUndefined()
    expect(loadSettings({}, { KEYFERRY_CONFIG: file('{"data": "x"}') })).toEqual({ ...defaults, data: 'x' })
    expect(loadSettings({ config: file('{}') }, {})).toEqual(defaults)
  })

  test('each is known with where it was said', () => {
    const config = file('{\n  "log": {\n    "level": "warn",\n    "format": "json"\n  },\n  "data": "x"\n}\n')
    const { originOf } = inForce({ config, 'log-level': 'error' }, { KEYFERRY_DATA: 'y' })
    expect(originOf(['log', 'level'])).toBe('--log-level')
    expect(originOf(['log', 'format'])).toBe(`${config}:4`)
    expect(originOf(['data'])).toBe('KEYFERRY_DATA')
    expect(originOf(['listen'])).toBeUndefined()
  })

  test('every source can be said as a flag and as a variable', () => {
    const values: Record<string, string> = {
      listen: '[::1]:0',
      publicUrl: 'https://keys.example.com',
      'log.level': 'error',
      'log.format': 'json',
    }
    for (const { path, flag, variable } of sources) {
      const value = values[path.join('.')] ?? 'x'
      const wanted = withValue(defaults, path, value)
      expect(loadSettings({ [flag]: value }, {})).toEqual(wanted)
      expect(loadSettings({}, { [variable]: value })).toEqual(wanted)
    }
  })

  const form = 'must be HOST:PORT, with an IPv6 host in brackets and a port from 0 (any free one) to 65535'
  const origin =
    'must be the origin of an https URL, such as https://keys.example.com (http for a loopback address only)'
  const host = 'must be a host, such as idp.example.com, or a host and port, such as idp.example.com:8443'
  const block = 'must be an address or a CIDR block such as 10.0.0.0/8, and not everybody (/0)'
  test.each([
    ['[]', 'the configuration must be one object of settings, not a list'],
    ['null', 'the configuration must be one object of settings, not null'],
    ['"data"', 'the configuration must be one object of settings, not a string'],
    [
      '{"lisen": "x"}',
      'lisen is no setting (did you mean "listen"?): known here are data, listen, publicUrl, tls, http, rootKey, log, audit, telemetry, limits, issuers, reconcileEveryMs, stopGraceMs, keyPool, azure or $schema',
    ],
    ['{"tls": {"certificate": "x"}}', 'tls.certificate is no setting: known here are cert, key or minVersion'],
    [
      '{"azure": {"clouds": {"Mine": {"conectTo": "x"}}}}',
      'azure.clouds.Mine.conectTo is no setting (did you mean "connectTo"?): known here are authorityHost, vaultSuffix, managedHsmSuffix, instanceDiscovery, connectTo, authorityConnectTo, caFile, serviceVersion, kekType or tokenResource',
    ],
    ['{"azure": {"clouds": {"__proto__": {}}}}', 'azure.clouds.__proto__ is no setting'],
    ['{"azure": {"clouds": {"": {}}}}', 'azure.clouds.: its name must not be empty'],
    ['{"azure": {"clouds": []}}', 'azure.clouds must hold clouds, each with its name'],
    ['{"listen": "nowhere"}', `listen ${form}`],
    ['{"listen": "a:65536"}', `listen ${form}`],
    ['{"data": ""}', 'data must not be empty'],
    ['{"data": 5}', 'data must be a text'],
    ['{"data": null}', 'data is empty: give it a value, or take it out'],
    ['{"tls": null}', 'tls is empty: give it a value, or take it out'],
    ['{"tls": 5}', 'tls must hold settings, each with its name'],
    ['{"tls": {"minVersion": "1.2"}}', 'tls.minVersion must be TLSv1.2 or TLSv1.3'],
    ['{"log": {"level": "loud"}}', 'log.level must be info, warn or error'],
    ['{"telemetry": {"metrics": true}}', 'telemetry.metrics must be policy, open or off'],
    ['{"audit": {"stdout": "yes"}}', 'audit.stdout must be true or false'],
    ['{"stopGraceMs": "5"}', 'stopGraceMs must be a whole number from 1 to 3600000'],
    ['{"stopGraceMs": 0}', 'stopGraceMs must be a whole number from 1 to 3600000'],
    ['{"limits": {"keys": -1}}', 'limits.keys must be a whole number from 0 to 1000000000'],
    ['{"limits": {"keys": 1.5}}', 'limits.keys must be a whole number from 0 to 1000000000'],
    ['{"keyPool": {"rsa-2048": 1e99}}', 'keyPool.rsa-2048 must be a whole number from 0 to 1024'],
    [
      '{"limits": {"key": 1}}',
      'limits.key is no setting (did you mean "keys"?): known here are namespaces, keys, versions, kms, tokens or operations',
    ],
    ['{"issuers": {"allowedHosts": ["good.example.com", ""]}}', 'issuers.allowedHosts.1 must not be empty'],
    ...['https://idp.example.com', 'idp.example.com/path', 'a b', 'idp.example.com:'].map((one): [string, string] => [
      JSON.stringify({ issuers: { allowedHosts: [one] } }),
      `issuers.allowedHosts.0 ${host}`,
    ]),
    ...[
      'http://keys.example.com',
      'https://keys.example.com/v1',
      'https://keys.example.com?x',
      'https://me@keys.example.com',
      'keys.example.com',
      'https://',
      'ftp://127.0.0.1',
      'http://127.0.0.1.example.com',
      'HTTPS://KEYS.example.com',
    ].map((one): [string, string] => [JSON.stringify({ publicUrl: one }), `publicUrl ${origin}`]),
    ...[
      '0.0.0.0/0',
      '::/0',
      '::ffff:0:0/96',
      '::ffff:0.0.0.0/96',
      '::/80',
      '::/1',
      '10.0.0.0/33',
      '10.0.0',
      'proxy.example.com',
      'fe80::1%eth0',
      '10.0.0.0/8,::1',
      '/8',
    ].map((one): [string, string] => [
      JSON.stringify({ http: { trustedProxies: ['10.0.0.1', one] } }),
      `http.trustedProxies.1 ${block}`,
    ]),
    ['{"http": {"trustedProxies": "10.0.0.0/8"}}', 'http.trustedProxies must be a list'],
  ])('%s is refused with the file, the line, the setting and what is allowed', (text, problem) => {
    const config = file(text)
    expect(() => loadSettings({ config }, {})).toThrow(
      expect.objectContaining({ message: `${config}:1: ${problem}`, exitCode: 78 }),
    )
  })

  test('good origins and blocks are taken', () => {
    for (const publicUrl of ['https://keys.example.com', 'https://keys.example.com:8443/', 'http://[::1]:8200']) {
      expect(loadSettings({ config: file(JSON.stringify({ publicUrl })) }, {}).publicUrl).toBe(publicUrl)
    }
    const trustedProxies = ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::1', '0.0.0.0/1']
    const config = file(JSON.stringify({ http: { trustedProxies } }))
    expect(loadSettings({ config }, {}).http.trustedProxies).toEqual(trustedProxies)
  })

  test('all that is wrong is known; a start names the first, and how many there are', () => {
    const config = file('listen: x\ndata: 5\nnone: 1\nother: 2\ntls:\n  cert: c\n')
    const environment = { KEYFERRY_LISTN: 'x', KEYFERRY_LOG_LEVEL: 'loud' }
    const { problems, settings } = readSettings({ config, listen: '1' }, environment)
    expect(problems.map(({ sentence }) => sentence.replace(/: known .*/, ''))).toEqual([
      'unknown environment variable KEYFERRY_LISTN (did you mean KEYFERRY_LISTEN?)',
      `${config}:1: listen ${form}`,
      `${config}:2: data must be a text`,
      `${config}:3: none is no setting`,
      `${config}:4: other is no setting`,
      'KEYFERRY_LOG_LEVEL must be info, warn or error',
      `--listen ${form}`,
    ])
    expect(settings).toEqual({ ...defaults, tls: { ...defaults.tls, cert: 'c' } })
    expect(() => loadSettings({ config }, {})).toThrow(
      `${config}:1: listen ${form} (and 3 more: "keyferry config check" tells all)`,
    )
  })

  test('a file that is not there is named', () => {
    const config = join(folder, 'none.json')
    expect(() => loadSettings({ config }, {})).toThrow(
      `the configuration file ${config} cannot be read: it does not exist`,
    )
  })

  test('flags and variables are named as they were written', () => {
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
    expect(loadSettings({}, links)).toEqual(defaults)
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
