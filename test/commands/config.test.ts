import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createThrowAwayAuthority } from '../../src/emulator/azurekeyvault/tls.ts'
import { keyferry, repository, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
let template: string
beforeAll(async () => {
  template = folders.make()
  expect((await keyferry(['init', '--data', join(template, 'data')])).code).toBe(0)
  const authority = await createThrowAwayAuthority()
  for (const name of ['one', 'other']) {
    const { cert, key } = await authority.issue(['localhost'])
    writeFileSync(join(template, `${name}.pem`), cert)
    writeFileSync(join(template, `${name}.key`), key)
  }
})
afterAll(() => folders.removeAll())

/** A folder with a data folder, certificates and a configuration file. */
function folderWith(config: string): string {
  const folder = folders.make()
  cpSync(template, folder, { recursive: true })
  chmodSync(join(folder, 'data'), 0o700)
  writeFileSync(join(folder, 'keyferry.yaml'), config.replaceAll('HERE', folder))
  return folder
}

const check = (folder: string, ...more: string[]) =>
  keyferry(['config', 'check', '--config', join(folder, 'keyferry.yaml'), ...more])

const good = `data: HERE/data
listen: 127.0.0.1:0
publicUrl: https://keys.example.com
tls:
  cert: HERE/one.pem
  key: HERE/one.key
audit:
  file: HERE/audit.log
azure:
  clouds:
    Mine:
      authorityHost: https://login.test
      vaultSuffix: vault.test
`
const form = 'must be HOST:PORT, with an IPv6 host in brackets and a port from 0 (any free one) to 65535'

interface Case {
  name: string
  config: string
  spoil?: (folder: string) => void
  /** Of `config check`, in their order; HERE is the folder. */
  problems: string[]
  /** Of a start; 78 unless told. */
  code?: number
}

const cases: Case[] = [
  {
    name: 'settings that are wrong',
    config: `${good.replace('127.0.0.1:0', 'nowhere')}    Other: { vaultSufix: x }\nstopGraceMs: long\nlog:\n`,
    problems: [
      `HERE/keyferry.yaml:2: listen ${form}`,
      'HERE/keyferry.yaml:14: azure.clouds.Other.vaultSufix is no setting (did you mean "vaultSuffix"?): known here are authorityHost, vaultSuffix, managedHsmSuffix, instanceDiscovery, connectTo, authorityConnectTo, caFile, serviceVersion, kekType or tokenResource',
      'HERE/keyferry.yaml:15: stopGraceMs must be a whole number from 1 to 3600000',
      'HERE/keyferry.yaml:16: log is empty: give it a value, or take it out',
    ],
  },
  {
    name: 'a data folder, a root key, certificates and clouds that are wrong, all at once',
    config: good
      .replace('one.key', 'other.key')
      .replace('vault.test', 'nowhere')
      .replace('audit.log', 'none/audit.log'),
    spoil: (folder) => chmodSync(join(folder, 'data/root.key'), 0o644),
    problems: [
      'HERE/keyferry.yaml:5: tls.cert: the certificate HERE/one.pem and the private key HERE/other.key cannot be used together: both must be PEM, and a pair',
      'HERE/keyferry.yaml:8: audit.file: the audit file HERE/none/audit.log cannot be made in its folder: it does not exist',
      'HERE/keyferry.yaml:11: azure.clouds.Mine: the configuration of the cloud Mine is not valid: vaultSuffix must be a DNS name such as vault.azure.net',
      'the root key file HERE/data/root.key is too open: its mode is 0644, and only its owner may read it: chmod 600 HERE/data/root.key',
    ],
  },
  {
    name: 'clouds that are wrong, each and together',
    config: `${good.replace('login.test', 'login.test/path')}    Other: { authorityHost: "https://a.test", vaultSuffix: v.test, caFile: HERE/none.pem }\nrootKey:\n  file: HERE/none.key\n`,
    problems: [
      'HERE/keyferry.yaml:11: azure.clouds.Mine: the configuration of the cloud Mine is not valid: authorityHost must be an https URL without a path',
      'HERE/keyferry.yaml:14: azure.clouds.Other: azure.clouds.Other.caFile HERE/none.pem cannot be read: it does not exist',
      'HERE/keyferry.yaml:16: rootKey.file: the root key HERE/none.key cannot be read: it does not exist',
    ],
  },
  {
    name: 'clouds that cannot be beside each other',
    config: `${good}    Other: { authorityHost: "https://a.test", vaultSuffix: vault.test }\n`,
    problems: [
      'HERE/keyferry.yaml:10: azure.clouds: the clouds Mine and Other have the same DNS suffix vault.test; each needs its own',
    ],
  },
  {
    name: 'a proxy and a metadata service that are wrong',
    config: good.replace(
      '  clouds:',
      '  proxy: { httpsProxy: "ftp://x" }\n  ambient:\n    imdsHost: "a:b:c"\n  clouds:',
    ),
    problems: [
      'HERE/keyferry.yaml:10: azure.proxy: the setting HTTPS_PROXY is not valid: it must be an http or https URL',
      'HERE/keyferry.yaml:11: azure.ambient: the setting imdsHost is not valid: it must be HOST:PORT',
    ],
  },
  {
    name: 'no data folder',
    config: good.replace('data: HERE/data\n', ''),
    code: 64,
    problems: ['--data DIR is missing. "keyferry serve --help" shows what is allowed'],
  },
  {
    name: 'a data folder that is not there',
    config: good,
    spoil: (folder) => rmSync(join(folder, 'data'), { recursive: true }),
    problems: [
      'HERE/keyferry.yaml:1: data: the data folder HERE/data cannot be used: it does not exist. "keyferry init --data HERE/data" makes one',
    ],
  },
  {
    name: 'an audit file that is a folder',
    config: good,
    spoil: (folder) => mkdirSync(join(folder, 'audit.log')),
    problems: ['HERE/keyferry.yaml:8: audit.file: the audit file HERE/audit.log cannot be written: it is a folder'],
  },
  {
    name: 'a file that is no YAML',
    config: `${good}limits: {keys: 1\n`,
    problems: [
      'HERE/keyferry.yaml:15: this is neither JSON nor YAML: flow map in block collection must be sufficiently indented and end with a }',
    ],
  },
  {
    name: 'a setting given twice',
    config: `${good}data: HERE/other\n`,
    problems: ['HERE/keyferry.yaml:14: data is given twice, and each setting may be given once'],
  },
]

describe('config check', () => {
  test('says ok, changes nothing, and makes no audit file', async () => {
    const folder = folderWith(good)
    const before = readFileSync(join(folder, 'data/keyferry.db'))
    expect(await check(folder)).toMatchObject({ code: 0, stdout: 'ok\n', stderr: '' })
    expect(readFileSync(join(folder, 'data/keyferry.db')).equals(before)).toBe(true)
    expect(() => readFileSync(join(folder, 'audit.log'))).toThrow()
  })

  test.concurrent.each(cases)('tells $name; a start tells the first', async ({
    config,
    spoil,
    problems,
    code = 78,
  }) => {
    const folder = folderWith(config)
    spoil?.(folder)
    const [checked, started] = await Promise.all([
      check(folder),
      keyferry(['serve', '--config', join(folder, 'keyferry.yaml')]),
    ])
    const lines = problems.map((problem) => `keyferry: ${problem.replaceAll('HERE', folder)}`)
    expect([checked.code, checked.stdout, checked.stderr.trimEnd().split('\n')]).toEqual([78, '', lines])
    const more = lines.length > 1 ? ` (and ${lines.length - 1} more: "keyferry config check" tells all)` : ''
    expect([started.code, started.stdout, started.stderr]).toEqual([code, '', `${lines[0]}${more}\n`])
  })

  test('looks at flags and variables as a start does', async () => {
    const folder = folderWith(good)
    const env = { KEYFERRY_LISTEN: 'x', KEYFERRY_LISTN: 'y', KEYFERRY_ROOT_KEY: 'not a key' }
    const { code, stderr } = await keyferry(
      ['config', 'check', '--config', join(folder, 'keyferry.yaml'), '--log-level', 'loud'],
      { env },
    )
    expect(code).toBe(78)
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(
        /^keyferry: unknown environment variable KEYFERRY_LISTN \(did you mean KEYFERRY_LISTEN\?\)/,
      ),
      `keyferry: KEYFERRY_LISTEN ${form}`,
      'keyferry: --log-level must be info, warn or error',
      'keyferry: KEYFERRY_ROOT_KEY holds no root key: one line "keyferry-root-key:" and 32 bytes in base64 are wanted',
    ])
  })
})

describe('config show', () => {
  test('tells what is in force and where it was said, without secrets', async () => {
    const folder = folderWith(good)
    const config = join(folder, 'keyferry.yaml')
    const env = { KEYFERRY_CONFIG: config, KEYFERRY_ROOT_KEY: 's3cret', HTTPS_PROXY: 'http://me:s3cret@proxy:1' }
    const [table, json] = await Promise.all([
      keyferry(['config', 'show', '--log-level', 'warn'], { env }),
      keyferry(['config', 'show', '--log-level', 'warn', '--format', 'json'], { env }),
    ])
    expect([table.code, table.stderr, json.code, json.stderr]).toEqual([0, '', 0, ''])
    const lines = table.stdout.split('\n').map((line) => line.trim().split(/ {2,}/))
    expect(lines[0]).toEqual(['Setting', 'Value', 'From'])
    const rows = JSON.parse(json.stdout) as { setting: string; value: unknown; from: string }[]
    expect(lines.length).toBe(rows.length + 2)
    for (const [setting, value, from] of [
      ['data', join(folder, 'data'), `${config}:1`],
      ['tls.key', join(folder, 'one.key'), `${config}:6`],
      ['log.level', 'warn', '--log-level'],
      ['azure.clouds.Mine.vaultSuffix', 'vault.test', `${config}:13`],
      ['azure.proxy.httpsProxy', 'http://(hidden)@proxy:1', 'HTTPS_PROXY'],
      ['KEYFERRY_ROOT_KEY', '(hidden)', 'environment'],
      ['stopGraceMs', 10_000, 'default'],
    ]) {
      expect(rows).toContainEqual({ setting, value, from })
      expect(lines).toContainEqual([setting, String(value), from])
    }
    expect(`${table.stdout}${json.stdout}`).not.toContain('s3cret')
  })

  test('is refused for settings that are wrong', async () => {
    const folder = folderWith('lisen: x\n')
    const { code, stdout, stderr } = await keyferry(['config', 'show', '--config', join(folder, 'keyferry.yaml')])
    expect([code, stdout]).toEqual([78, ''])
    expect(stderr).toMatch(/^keyferry: \S+keyferry\.yaml:1: lisen is no setting \(did you mean "listen"\?\): [^\n]+\n$/)
  })
})

test('config schema prints the published one', async () => {
  const { code, stdout } = await keyferry(['config', 'schema'])
  const published: unknown = JSON.parse(readFileSync(join(repository, 'docs/keyferry.schema.json'), 'utf8'))
  expect([code, JSON.parse(stdout)]).toEqual([0, published])
})

describe('wrong usage is one sentence and exit code 64', () => {
  const help = '"keyferry config --help" shows what is allowed'
  test.concurrent.each([
    [[], `check, show or schema is missing. ${help}`],
    [['chek'], `"chek" is not known: check, show and schema are. ${help}`],
    [['check', 'x'], `"x" is not expected: after check come only flags. ${help}`],
    [['check', '--format', 'json'], `--format goes with show alone. ${help}`],
    [['show', '--format', 'xml'], `--format xml is not known: table and json are. ${help}`],
    [['schema', '--data', 'x'], `--data is not expected: the schema is the same whatever is set. ${help}`],
    [['check', '--lissten', 'x'], `unknown flag --lissten (did you mean --listen?). ${help}`],
  ])('%j', async (args, sentence) => {
    expect(await keyferry(['config', ...args])).toMatchObject({
      code: 64,
      stdout: '',
      stderr: `keyferry: ${sentence}\n`,
    })
  })
})
