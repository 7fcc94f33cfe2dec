import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { get } from 'node:https'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDevEmulator, throughEmulator } from '../../src/commands/dev-emulator.ts'
import { newDevPrincipal, premiumVault } from '../../src/commands/dev-principal.ts'
import type { KeyVaultEmulator } from '../../src/emulator/azurekeyvault/index.ts'
import { createThrowAwayAuthority } from '../../src/emulator/azurekeyvault/tls.ts'
import { call, Keyferry, keyferry, serve, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
const principal = newDevPrincipal()
let emulator: KeyVaultEmulator
let config: string

beforeAll(async () => {
  emulator = await startDevEmulator(principal)
  const folder = folders.make()
  writeFileSync(join(folder, 'ca.pem'), emulator.caCertificate)
  const clouds = Object.fromEntries(
    Object.entries(throughEmulator(emulator).clouds ?? {}).map(([name, { ca: _, ...cloud }]) => [
      name,
      { ...cloud, caFile: join(folder, 'ca.pem') },
    ]),
  )
  config = join(folder, 'keyferry.json')
  writeFileSync(config, JSON.stringify({ azure: { clouds } }))
})

afterAll(async () => {
  await emulator.close()
  folders.removeAll()
})

async function init(): Promise<{ data: string; token: string }> {
  const data = join(folders.make(), 'data')
  const { code, stdout } = await keyferry(['init', '--data', data, '--format', 'json'])
  expect(code).toBe(0)
  return { data, token: (JSON.parse(stdout) as { root_token: string }).root_token }
}

describe('init', () => {
  test('makes a private folder with everything in it, and prints the token as the last line', async () => {
    const data = join(folders.make(), 'deep', 'data')
    const { code, stdout, stderr } = await keyferry(['init', '--data', data])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(stdout.match(/eyJ/g)).toHaveLength(2) // header and payload of one token
    expect(readdirSync(data).sort()).toEqual(['keyferry.db', 'root.key'])
    const modeOf = (name: string) => (statSync(join(data, name)).mode & 0o777).toString(8)
    expect([modeOf('.'), modeOf('root.key'), modeOf('keyferry.db')]).toEqual(['700', '600', '600'])
    expect(readdirSync(join(data, '..'))).toEqual(['data'])
  })

  test('as JSON, the token is in the last line too', async () => {
    const data = join(folders.make(), 'data')
    const { stdout } = await keyferry(['init', '--data', data, '--format', 'json'])
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toEqual({
      data,
      root_token: expect.stringMatching(/^eyJ/),
    })
  })

  test('takes an empty folder that is there, and closes it to others', async () => {
    const data = folders.make()
    expect((await keyferry(['init', '--data', data])).code).toBe(0)
    expect(readdirSync(data).sort()).toEqual(['keyferry.db', 'root.key'])
    expect(statSync(data).mode & 0o777).toBe(0o700)
  })

  test('two at once: one makes the folder, the other refuses, and nothing is left over', async () => {
    const parent = folders.make()
    const data = join(parent, 'data')
    const results = await Promise.all([1, 2, 3].map(() => keyferry(['init', '--data', data])))
    expect(results.map(({ code }) => code).sort()).toEqual([0, 73, 73])
    expect(readdirSync(parent)).toEqual(['data'])
    expect(readdirSync(data).sort()).toEqual(['keyferry.db', 'root.key'])
  })
})

test('a key made before a restart is read, rotated and distributed after it', { timeout: 60_000 }, async () => {
  const { data, token } = await init()
  const before = await serve(['--data', data, '--config', config])
  expect(await call(before.url, token, 'POST', 'keymgmt/key/orders', { type: 'rsa-2048' })).toMatchObject({
    status: 204,
  })
  const made = await call(before.url, token, 'GET', 'keymgmt/key/orders')
  expect(made.body?.data).toMatchObject({ name: 'orders', type: 'rsa-2048', latest_version: 1 })
  const { tenantId: tenant_id, clientId: client_id, clientSecret: client_secret } = principal
  const kms = {
    provider: 'azurekeyvault',
    key_collection: premiumVault,
    credentials: { tenant_id, client_id, client_secret },
  }
  expect(await call(before.url, token, 'POST', 'keymgmt/kms/prod', kms)).toMatchObject({ status: 204 })
  expect(await before.gateway.stop()).toMatchObject({ code: 0, signal: null })

  const after = await serve(['--data', data, '--config', config])
  try {
    expect((await call(after.url, token, 'GET', 'keymgmt/key/orders')).body?.data).toEqual(made.body?.data)
    expect((await call(after.url, token, 'POST', 'keymgmt/key/orders/rotate')).status).toBe(204)
    const purpose = { purpose: 'encrypt,decrypt', protection: 'hsm' }
    const distributed = await call(after.url, token, 'POST', 'keymgmt/kms/prod/key/orders', purpose)
    expect(distributed).toEqual({ status: 204, body: undefined })
    const copy = await call(after.url, token, 'GET', 'keymgmt/kms/prod/key/orders')
    expect(Object.keys(copy.body?.data?.versions ?? {})).toEqual(['1', '2'])
    expect(readdirSync(data).filter((name) => (statSync(join(data, name)).mode & 0o077) !== 0)).toEqual([])
  } finally {
    expect(await after.gateway.stop('SIGINT')).toMatchObject({ code: 0, signal: null })
  }
  expect(readdirSync(data).sort()).toEqual(['keyferry.db', 'root.key'])
})

test('the root key may come from the environment, from another file, or from systemd', {
  timeout: 60_000,
}, async () => {
  const { data, token } = await init()
  const elsewhere = folders.make()
  const text = readFileSync(join(data, 'root.key'), 'utf8')
  mkdirSync(join(elsewhere, 'credentials'))
  writeFileSync(join(elsewhere, 'credentials', 'keyferry-root-key'), text)
  renameSync(join(data, 'root.key'), join(elsewhere, 'my.key'))
  const ways: [string[], Record<string, string>][] = [
    [[], { KEYFERRY_ROOT_KEY: text }],
    [['--root-key-file', join(elsewhere, 'my.key')], {}],
    [[], { CREDENTIALS_DIRECTORY: join(elsewhere, 'credentials') }],
  ]
  for (const [flags, env] of ways) {
    const { gateway, url } = await serve(['--data', data, ...flags], { env })
    expect((await call(url, token, 'GET', 'auth/token/lookup-self')).status).toBe(200)
    expect((await gateway.stop()).code).toBe(0)
  }
})

test('with a certificate it speaks TLS', async () => {
  const { data, token } = await init()
  const authority = await createThrowAwayAuthority()
  const pair = await authority.issue([])
  const [cert, key] = [join(data, 'chain.pem'), join(data, 'key.pem')]
  writeFileSync(cert, pair.cert)
  writeFileSync(key, pair.key)
  const { gateway, url } = await serve(['--data', data, '--tls-cert', cert, '--tls-key', key])
  try {
    expect(url).toMatch(/^https:/)
    const options = { headers: { 'X-Vault-Token': token }, ca: authority.certificate }
    const status = await new Promise((resolve, reject) => {
      get(`${url}/v1/auth/token/lookup-self`, options, (response) => resolve(response.resume().statusCode)).once(
        'error',
        reject,
      )
    })
    expect(status).toBe(200)
  } finally {
    expect((await gateway.stop()).code).toBe(0)
  }
})

test('what other machines can reach without TLS is warned of', async () => {
  const { data } = await init()
  const gateway = new Keyferry(['serve', '--data', data, '--listen', '0.0.0.0:0'])
  await gateway.says('stderr', /"level":"warn","message":"tokens and keys travel in the clear/)
  expect((await gateway.stop()).code).toBe(0)
})

describe('SIGTERM', () => {
  /** A request of which the gateway has read the head, and waits for the body. */
  function underWay(url: string, token: string) {
    const request = httpRequest(`${url}/v1/keymgmt/key/late`, {
      method: 'POST',
      headers: { 'X-Vault-Token': token, Expect: '100-continue', 'Content-Type': 'application/json' },
    })
    const answered = new Promise<number | undefined>((resolve, reject) => {
      request.once('response', (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      request.once('error', reject)
    })
    answered.catch(() => {})
    const begun = new Promise<void>((resolve) => request.once('continue', resolve))
    request.flushHeaders()
    return { request, answered, begun }
  }

  test('lets a request under way end, and then ends with 0', async () => {
    const { data, token } = await init()
    const { gateway, url } = await serve(['--data', data])
    const { request, answered, begun } = underWay(url, token)
    await begun
    gateway.child.kill('SIGTERM')
    await gateway.says('stderr', /SIGTERM: stopping/)
    request.end('{"type": "ecdsa-p256"}')
    expect(await answered).toBe(204)
    expect(await gateway.ended).toMatchObject({ code: 0, signal: null })
  })

  test('a second one does not wait', async () => {
    const { data, token } = await init()
    const { gateway, url } = await serve(['--data', data])
    const { request, answered, begun } = underWay(url, token)
    await begun
    gateway.child.kill('SIGTERM')
    await gateway.says('stderr', /SIGTERM: stopping/)
    expect(await gateway.stop('SIGTERM')).toMatchObject({ code: 143 })
    await expect(answered).rejects.toThrow()
    request.destroy()
  })

  test('is not what SIGHUP does: that opens the audit log anew, after it was moved away', async () => {
    const { data } = await init()
    const log = join(data, 'audit.log')
    const gateway = new Keyferry(['serve', '--data', data, '--listen', '127.0.0.1:0', '--audit-file', log])
    const url = (await gateway.says('stdout', /answers at (\S+)/))[1]
    await fetch(`${url}/v1/sys/mounts`)
    renameSync(log, `${log}.1`)
    gateway.child.kill('SIGHUP')
    await gateway.says('stderr', /opening the audit log anew/)
    await expect
      .poll(async () => {
        await fetch(`${url}/v1/sys/mounts`)
        return existsSync(log)
      })
      .toBe(true)
    expect(await gateway.stop()).toMatchObject({ code: 0, signal: null })
    const verified = await keyferry(['audit', 'verify', '--data', data, `${log}.1`, log])
    expect(verified).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/in 1 chains, all as they were written$/m),
    })
  })
})
