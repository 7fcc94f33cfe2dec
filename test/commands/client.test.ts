import { execFile } from 'node:child_process'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { dev, developmentGateway, env, piped, run, written } from './client-gateway.ts'
import { launcher } from './keyferry.ts'

developmentGateway()

describe('read, write, list and delete', () => {
  test('take a key through its life', async () => {
    const credentials = ['TENANT_ID', 'CLIENT_ID', 'CLIENT_SECRET'].map(
      (name) => `credentials=${name.toLowerCase()}=${dev[`AZURE_${name}`]}`,
    )
    const kms = ['keymgmt/kms/prod', 'provider=azurekeyvault', `key_collection=${dev.KEY_VAULT_NAME}`, ...credentials]
    expect(await run(['write', ...kms])).toMatchObject(written('keymgmt/kms/prod'))
    expect(await run(['write', 'keymgmt/key/orders', 'type=rsa-2048'])).toMatchObject(written('keymgmt/key/orders'))
    const copy = 'keymgmt/kms/prod/key/orders'
    expect(await run(['write', copy, 'purpose=sign', 'protection=hsm'])).toMatchObject(written(copy))
    const shown = await run(['read', copy])
    expect(shown).toMatchObject({ code: 0, stderr: '' })
    expect(shown.stdout).toMatch(
      /^Key +Value\n--- +-----\ndistribution_time +\S+Z\nname +orders-\d+\nprotection +hsm\npurpose +sign\nversions +\{"1":"[0-9a-f]{32}"\}\n$/,
    )
    expect(await run(['list', 'keymgmt/kms/prod/key/'])).toMatchObject({ code: 0, stdout: 'Keys\n----\norders\n' })
    expect(await run(['write', '-f', 'keymgmt/key/orders/rotate'])).toMatchObject(written('keymgmt/key/orders/rotate'))
    const { stdout } = await run(['read', '-format=json', 'keymgmt/key/orders'])
    expect(JSON.parse(stdout)).toMatchObject({ data: { latest_version: 2, type: 'rsa-2048' }, warnings: null })
    const pem = await run(['read', '-field', 'versions.2.public_key', 'keymgmt/key/orders'])
    expect(pem.stdout).toMatch(/^-----BEGIN PUBLIC KEY-----\n[^-]+\n-----END PUBLIC KEY-----\n$/)
    expect((await run(['read', '--field', 'type', 'keymgmt/key/orders'])).stdout).toBe('rsa-2048')
    expect(await run(['list', '--format=json', 'keymgmt/key'])).toMatchObject({ stdout: '[\n  "orders"\n]\n' })
    const gone = (path: string) => ({ code: 0, stdout: `Success! Data deleted (if it existed) at: ${path}\n` })
    expect(await run(['delete', copy])).toMatchObject(gone(copy))
    expect(piped(['write', 'keymgmt/key/orders', '-'], '{"deletion_allowed": true}')).toMatchObject({ status: 0 })
    expect(await run(['delete', '/keymgmt/key/orders/'])).toMatchObject(gone('keymgmt/key/orders'))
    expect(await run(['delete', '--format', 'json', 'keymgmt/key/orders'])).toMatchObject({ code: 0, stdout: '' })
    expect(await run(['list', 'keymgmt/key'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'keyferry: there is nothing at keymgmt/key: "keyferry list keymgmt" shows what is there\n',
    })
  })

  test('work in a namespace, by flag and by variable', async () => {
    await run(['write', '-f', 'sys/namespaces/payments'])
    expect(await run(['write', '--namespace', 'payments', 'sys/mounts/keymgmt', 'type=keymgmt'])).toMatchObject({
      code: 0,
    })
    await run(['write', 'keymgmt/key/theirs', 'type=ecdsa-p256'], { VAULT_NAMESPACE: 'payments' })
    expect((await run(['list', '-namespace=payments', 'keymgmt/key'])).stdout).toContain('theirs')
    expect((await run(['list', 'keymgmt/key'])).stdout).not.toContain('theirs')
    expect(await run(['list', 'keymgmt/key'], { VAULT_NAMESPACE: 'nowhere' })).toMatchObject({ code: 2, stdout: '' })
  })

  test('warnings go to standard error, whatever the format', async () => {
    const { code, stdout, stderr } = await run(['write', 'sys/wrapping/wrap', 'a=b'])
    expect([code, stderr, stdout]).toEqual([0, '', 'Key    Value\n---    -----\na      b\n'])
    const warned = await run(['write', '--field', 'token', 'auth/token/create', 'ttl=1h', 'nonsense=1'])
    expect(warned.stdout).toMatch(/^eyJ\S+$/)
    expect(warned.stderr).toMatch(/^keyferry: warning: .*nonsense.*\n$/)
  })
})

describe('what is sent', () => {
  interface Seen {
    method: string | undefined
    url: string | undefined
    headers: IncomingHttpHeaders
    body: string
  }
  async function sent(args: string[], answer = '{"data": {"a": 1}}', status = 200) {
    const seen: Seen[] = []
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        seen.push({ method: request.method, url: request.url, headers: request.headers, body })
        response.writeHead(status, { 'Retry-After': '7' }).end(answer)
      })
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const { port } = server.address() as AddressInfo
    const ended = await run(args, { VAULT_ADDR: `http://127.0.0.1:${port}`, VAULT_NAMESPACE: 'team/eu' })
    server.close()
    return { ended, seen, port }
  }

  test('is what Vault sends', async () => {
    const { seen } = await sent(['write', 'a b/kms/x', 'credentials=client_id=1', 'credentials=secret=2=', 'n=3'])
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({
      method: 'PUT',
      url: '/v1/a%20b/kms/x',
      body: '{"credentials":["client_id=1","secret=2="],"n":"3"}',
      headers: { 'x-vault-token': dev.VAULT_TOKEN, 'x-vault-namespace': 'team/eu', 'x-vault-request': 'true' },
    })
    expect((await sent(['write', '--force', 'x/rotate'])).seen).toMatchObject([{ method: 'PUT', body: 'null' }])
    expect((await sent(['list', 'x/'])).seen).toMatchObject([{ method: 'GET', url: '/v1/x?list=true', body: '' }])
    expect((await sent(['delete', 'x/y'])).seen).toMatchObject([{ method: 'DELETE', url: '/v1/x/y', body: '' }])
  })

  test('a reader that goes away ends it quietly', async () => {
    const names = Array.from({ length: 50_000 }, (_, index) => `key-${index}`)
    const server = createServer((_, response) => response.end(JSON.stringify({ data: { keys: names } })))
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const { port } = server.address() as AddressInfo
    const script = '"$@" | head -n 3; echo "$PIPESTATUS"'
    const command = [process.execPath, '--', launcher, 'list', '--address', `http://127.0.0.1:${port}`, 'x']
    const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-c', script, 'bash', ...command], {
      env: { ...env, PATH: process.env.PATH },
    })
    server.close()
    expect([stdout, stderr]).toEqual(['Keys\n----\nkey-0\n0\n', ''])
  })

  test.each<[string, number, RegExp]>([
    ['{"errors": ["too many"]}', 429, /^keyferry: the gateway refused x\/y \(429\): too many\. Try again in 7 s\n$/],
    [
      '{"errors": ["sealed"]}',
      503,
      /\(503\): sealed\. "keyferry status" shows how the gateway is, its log says more\n$/,
    ],
    ['{"errors": ["unsupported operation"]}', 405, /: this path is for another of read, write, list and delete\n$/],
    ['{"errors": ["\\u001b[31mred"]}', 400, /\(400\): \\u001b\[31mred\n$/],
    [
      '<html>',
      502,
      /^keyferry: what answers at http:\/\/127\.0\.0\.1:\d+ \(with 502\) does not speak Vault's API: look /,
    ],
    ['[]', 200, /does not speak Vault's API/],
  ])('an answer %s with %i is one sentence', async (answer, status, sentence) => {
    const { ended } = await sent(['read', 'x/y'], answer, status)
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(sentence)
  })
})
