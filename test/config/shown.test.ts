import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Environment, inForce } from '../../src/config/load.ts'
import { shownSettings } from '../../src/config/shown.ts'

let folder: string
let config: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-config-'))
  config = join(folder, 'keyferry.yaml')
})
afterAll(() => rmSync(folder, { recursive: true }))

const shown = (text: string, environment: Environment = {}, flags = {}) => {
  writeFileSync(config, text)
  return shownSettings(inForce({ config, ...flags }, environment), environment)
}

test('each setting is shown with its value and where that was said', () => {
  const rows = shown(
    'data: x\nhttp:\n  trustedProxies:\n    - 10.0.0.0/8\n',
    { KEYFERRY_LOG_LEVEL: 'warn' },
    { data: 'y' },
  )
  expect(rows.slice(0, 2)).toEqual([
    { setting: 'data', value: 'y', from: '--data' },
    { setting: 'listen', value: '127.0.0.1:8200', from: 'default' },
  ])
  expect(rows).toContainEqual({ setting: 'http.trustedProxies', value: ['10.0.0.0/8'], from: `${config}:3` })
  expect(rows).toContainEqual({ setting: 'log.level', value: 'warn', from: 'KEYFERRY_LOG_LEVEL' })
  expect(new Set(rows.map(({ setting }) => setting)).size).toBe(rows.length)
})

test('variables that stand for settings are shown where no setting is in their way', () => {
  const environment = {
    HTTPS_PROXY: 'http://a:1',
    no_proxy: 'b',
    AZURE_FEDERATED_TOKEN_FILE: '/workload',
    AZURE_TENANT_ID: 't',
  }
  const rows = shown('azure:\n  proxy:\n    httpsProxy: http://c:2\n', environment)
  expect(rows).toContainEqual({ setting: 'azure.proxy.httpsProxy', value: 'http://c:2', from: `${config}:3` })
  expect(rows).toContainEqual({ setting: 'azure.proxy.noProxy', value: 'b', from: 'no_proxy' })
  expect(rows).toContainEqual({
    setting: 'azure.ambient.federatedTokenFile',
    value: '/workload',
    from: 'AZURE_FEDERATED_TOKEN_FILE',
  })
  expect(rows).toContainEqual({ setting: 'AZURE_TENANT_ID', value: 't', from: 'environment' })
  expect(JSON.stringify(rows)).not.toContain('http://a:1')
  const without = JSON.stringify(shown('azure: { ambient: { environment: false } }', environment))
  expect(without).not.toMatch(/AZURE_|\/workload/)
})

test.each([
  ['http://me:s3cret@proxy:3128', 'http://(hidden)@proxy:3128'],
  ['http://s3cret@proxy:3128', 'http://(hidden)@proxy:3128'],
  ['me:s3cret@proxy:3128', '(hidden)@proxy:3128'],
  ['http://me:s3cr@et/s3cret@proxy', 'http://(hidden)@proxy'],
  ['//me:s3cret@proxy', '(hidden)@proxy'],
])('no secret of %s is shown', (url, value) => {
  for (const [text, environment, from] of [
    [`azure: { proxy: { httpsProxy: "${url}" } }`, {}, `${config}:1`],
    ['{}', { https_proxy: url }, 'https_proxy'],
  ] as const) {
    const rows = shown(text, environment)
    expect(rows).toContainEqual({ setting: 'azure.proxy.httpsProxy', value, from })
    expect(JSON.stringify(rows)).not.toContain('s3cr')
  }
})

test('secrets of the environment are named and not shown, and names in other URLs neither', () => {
  const environment = {
    KEYFERRY_ROOT_KEY: 's3cret',
    KEYFERRY_ROOT_KEY_PREVIOUS: 's3cret',
    AZURE_CLIENT_SECRET: 's3cret',
  }
  const rows = shown(
    'azure: { clouds: { Mine: { authorityHost: "https://me:s3cret@login.test", caFile: "/a@b.pem" } } }',
    environment,
  )
  for (const setting of Object.keys(environment)) {
    expect(rows).toContainEqual({ setting, value: '(hidden)', from: 'environment' })
  }
  expect(rows).toContainEqual({ setting: 'azure.clouds.Mine.caFile', value: '/a@b.pem', from: `${config}:1` })
  expect(JSON.stringify(rows)).not.toContain('s3cret')
})
