import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createThrowAwayAuthority } from '../../src/emulator/azurekeyvault/tls.ts'
import type { Tls } from '../../src/serve/tls.ts'
import { Keyferry, keyferry, serve, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
let ca: string
const pairs: Tls[] = []
beforeAll(async () => {
  const authority = await createThrowAwayAuthority()
  ca = authority.certificate
  for (let count = 0; count < 3; count++) pairs.push(await authority.issue(['localhost']))
})
afterAll(() => folders.removeAll())

async function init(): Promise<{ folder: string; data: string; token: string }> {
  const folder = folders.make()
  const data = join(folder, 'data')
  const { stdout } = await keyferry(['init', '--data', data, '--format', 'json'])
  return { folder, data, token: (JSON.parse(stdout) as { root_token: string }).root_token }
}

function put(folder: string, pair: Tls | undefined): void {
  for (const [name, text] of Object.entries({ 'tls.key': pair?.key, 'tls.pem': pair?.cert })) {
    writeFileSync(join(folder, `${name}.new`), text ?? '')
    renameSync(join(folder, `${name}.new`), join(folder, name))
  }
}

const serialOf = (url: string) =>
  new Promise<string>((resolve, reject) => {
    const { port } = new URL(url)
    const socket = connect({ port: Number(port), host: '127.0.0.1', ca, servername: 'localhost' }, () => {
      resolve(socket.getPeerCertificate().serialNumber)
      socket.destroy()
    })
    socket.once('error', reject)
  })

describe('the certificate of a running gateway', () => {
  test('is replaced at SIGHUP and when the files change, and kept when the new one is no good', {
    timeout: 60_000,
  }, async () => {
    const { folder, data } = await init()
    put(folder, pairs[0])
    const config = join(folder, 'keyferry.yaml')
    writeFileSync(
      config,
      `data: ${data}\nlisten: 127.0.0.1:0\ntls: { cert: ${folder}/tls.pem, key: ${folder}/tls.key }\naudit: { file: ${folder}/audit.log }\n`,
    )
    const gateway = new Keyferry(['serve', '--config', config])
    const [, url = ''] = await gateway.says('stdout', /answers at (\S+)\n/)
    const replaced = (count: number) =>
      gateway.says('stderr', new RegExp(`^(?:[^]*?the TLS certificate was replaced[^\\n]*\\n){${count}}`))
    const first = await serialOf(url)

    put(folder, pairs[1])
    gateway.child.kill('SIGHUP')
    await replaced(1)
    expect(gateway.stderr).toMatch(/SIGHUP: opening the audit log anew/)
    const second = await serialOf(url)
    expect(second).not.toBe(first)

    writeFileSync(join(folder, 'tls.key'), 'no key')
    gateway.child.kill('SIGHUP')
    await gateway.says('stderr', /the TLS certificate was not replaced, and the one before stays in use/)
    expect(gateway.stderr).toContain(
      `the certificate ${folder}/tls.pem and the private key ${folder}/tls.key cannot be used together: both must be PEM, and a pair`,
    )
    expect(await serialOf(url)).toBe(second)

    put(folder, pairs[2])
    await replaced(2)
    expect([first, second]).not.toContain(await serialOf(url))
    expect(await gateway.stop()).toMatchObject({ code: 0, signal: null })
    for (const { key } of pairs) expect(gateway.stderr + gateway.stdout).not.toContain(key.split('\n')[1])
  })
})

describe('a gateway behind a proxy', () => {
  const recorded = (file: string) =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { request?: { path?: string; remote_address?: string } })
      .filter(({ request }) => request?.path === 'sys/mounts')
      .map(({ request }) => request?.remote_address)

  test.each([
    ['[127.0.0.0/8]', '203.0.113.9', [204, 200, 403]],
    ['[10.0.0.0/8]', '127.0.0.1', [204, 403, 403]],
    ['[]', '127.0.0.1', [204, 403, 403]],
  ])('that trusts %s takes requests to come from %s: audit log and bound addresses', async (trusted, from, statuses) => {
    const { folder, data, token } = await init()
    const config = join(folder, 'keyferry.yaml')
    const log = join(folder, 'audit.log')
    writeFileSync(config, `http:\n  trustedProxies: ${trusted}\naudit: { file: ${log} }\n`)
    const { gateway, url } = await serve(['--data', data, '--config', config])
    const ask = async (presented: string, method: string, path: string, forwarded: string, body?: unknown) => {
      const response = await fetch(`${url}/v1/${path}`, {
        method,
        headers: { 'X-Vault-Token': presented, 'X-Forwarded-For': forwarded },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return { status: response.status, body: await response.text() }
    }
    const role = { token_bound_cidrs: ['203.0.113.0/24'], allowed_policies: ['default'] }
    const made = await ask(token, 'POST', 'auth/token/roles/bound', '203.0.113.9', role)
    const { auth } = JSON.parse((await ask(token, 'POST', 'auth/token/create/bound', '203.0.113.9', {})).body) as {
      auth: { client_token: string }
    }
    const bound = auth.client_token
    const near = await ask(bound, 'GET', 'auth/token/lookup-self', '203.0.113.9')
    const far = await ask(bound, 'GET', 'auth/token/lookup-self', '203.0.113.9, 198.51.100.1')
    expect([made.status, near.status, far.status]).toEqual(statuses)
    await ask(token, 'GET', 'sys/mounts', '192.0.2.1, 203.0.113.9')
    expect(await gateway.stop()).toMatchObject({ code: 0 })
    expect(existsSync(log)).toBe(true)
    expect(new Set(recorded(log))).toEqual(new Set([from]))
  })
})

describe('publicUrl', () => {
  test('is the origin that OAuth clients are told, whatever host they ask', async () => {
    const { data } = await init()
    const { gateway, url } = await serve(['--data', data, '--public-url', 'https://keys.example.com/'])
    const told = async (at: string) => await (await fetch(`${at}/.well-known/oauth-authorization-server`)).json()
    for (const at of [url, url.replace('127.0.0.1', 'localhost')]) {
      expect(await told(at)).toMatchObject({
        issuer: 'https://keys.example.com',
        token_endpoint: 'https://keys.example.com/oauth/token',
        jwks_uri: 'https://keys.example.com/oauth/jwks',
      })
    }
    await gateway.stop()
    const without = await serve(['--data', data])
    expect(await told(without.url)).toMatchObject({ issuer: without.url })
    await without.gateway.stop()
  })

  test.each([
    'keys.example.com',
    'http://keys.example.com',
    'https://keys.example.com/x',
  ])('%s is refused', async (bad) => {
    const sentence =
      '--public-url must be the origin of an https URL, such as https://keys.example.com (http for a loopback address only)'
    const ended = await keyferry(['serve', '--data', folders.make(), '--public-url', bad])
    expect(ended).toMatchObject({ code: 78, stdout: '' })
    expect(ended.stderr).toContain(`keyferry: ${sentence}`)
  })
})

test('limits of requests are those that are set', async () => {
  const { folder, data, token } = await init()
  const config = join(folder, 'keyferry.yaml')
  put(folder, pairs[0])
  writeFileSync(
    config,
    `tls: { cert: ${folder}/tls.pem, key: ${folder}/tls.key, minVersion: TLSv1.3 }\nhttp: { maxBodyBytes: 1024, maxHeaderBytes: 2048 }\n`,
  )
  const { gateway, url } = await serve(['--data', data, '--config', config])
  const send = (headers: Record<string, string>, body: string, options = {}) =>
    new Promise<number | string | undefined>((resolve) => {
      const sent = request(`${url}/v1/keymgmt/key/k`, {
        method: 'POST',
        ca,
        headers,
        servername: 'localhost',
        ...options,
      })
      sent.once('response', (response) => resolve(response.resume().statusCode))
      sent.once('error', (error) => resolve('code' in error ? String(error.code) : error.message))
      sent.end(body)
    })
  const headers = { 'X-Vault-Token': token }
  expect(await send(headers, '{"type": "aes256-gcm96"}')).toBe(204)
  expect(await send(headers, `{"type": "aes256-gcm96", "x": "${'x'.repeat(1024)}"}`)).toBe(413)
  expect(await send({ ...headers, 'X-Long': 'x'.repeat(2048) }, '{}')).toBe(431)
  expect(await send(headers, '{}', { maxVersion: 'TLSv1.2' })).toMatch(/EPROTO|ERR_SSL/)
  expect((await gateway.stop()).code).toBe(0)
})

test.each([
  ['policy', 403, 200],
  ['open', 200, 200],
  ['off', 404, 404],
])('metrics: with the policy "%s" a stranger gets %i, and a root token %i', async (metrics, stranger, root) => {
  const { folder, data, token } = await init()
  const config = join(folder, 'keyferry.yaml')
  writeFileSync(config, `telemetry: { metrics: ${metrics} }\n`)
  const { gateway, url } = await serve(['--data', data, '--config', config])
  const asked = async (headers: Record<string, string>) => (await fetch(`${url}/metrics`, { headers })).status
  expect([await asked({}), await asked({ 'X-Vault-Token': token })]).toEqual([stranger, root])
  expect((await gateway.stop()).code).toBe(0)
})
