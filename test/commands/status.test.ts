import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { developmentGateway, env, folders, run } from './client-gateway.ts'
import { keyferry, serve } from './keyferry.ts'

developmentGateway()

describe('status', () => {
  test('shows an unsealed gateway, without a token, and exits 0', async () => {
    const { code, stdout, stderr } = await run(['status'], { VAULT_TOKEN: '' })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Key {13}Value\n/)
    expect(stdout).toMatch(/\nSealed +false\nVersion +2\.0\.0\+keyferry\S+\n/)
    expect(stdout).toMatch(/\nHealth +serves \(200\)\n$/)
    const json = JSON.parse((await run(['status', '--format', 'json'])).stdout)
    expect(json).toMatchObject({ sealed: false, initialized: true, health: { status: 200, standby: false } })
  })

  test('exits 2 where nothing answers', async () => {
    const ended = await run(['status', '--address', 'http://127.0.0.1:1'])
    expect(ended).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^keyferry: nothing listens at /),
    })
  })

  test('exits 2 for one that is sealed, and says what does not serve', async () => {
    const server = createServer((request, response) => {
      const sealed = JSON.stringify({ type: 'shamir', initialized: true, sealed: true, audit: 'no sink takes it' })
      response.writeHead(request.url === '/v1/sys/health' ? 503 : 200).end(sealed)
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const { port } = server.address() as AddressInfo
    const { code, stdout } = await run(['status', '--address', `http://127.0.0.1:${port}`])
    server.close()
    expect(code).toBe(2)
    expect(stdout).toMatch(/\nSealed +true\n/)
    expect(stdout).toMatch(/\nHealth +does not serve all \(503\): no sink takes it\n$/)
  })
})

test('over TLS: an unknown CA says what to do; a known one, or no check, works', async () => {
  const folder = folders.make()
  const [key, cert, data] = ['key.pem', 'cert.pem', 'data'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      cert,
      ...subject,
    ],
    { stdio: 'pipe' },
  )
  await keyferry(['init', '--data', data])
  const { gateway: tls, url } = await serve(['--data', data, '--tls-cert', cert, '--tls-key', key])
  try {
    const at = `https://localhost:${new URL(url).port}`
    const sentence = async (address: string, ...args: string[]) =>
      (await run(['status', '--address', address, ...args])).stderr
    expect(await sentence(at)).toBe(
      `keyferry: the certificate of ${at} is of a CA that is not trusted here: name its file with VAULT_CACERT or --ca-cert\n`,
    )
    const byAddress = at.replace('localhost', '127.0.0.1')
    expect(await sentence(byAddress, '--ca-cert', cert)).toBe(
      `keyferry: the certificate of ${byAddress} is not for the name "127.0.0.1": use a name that it has in VAULT_ADDR or --address\n`,
    )
    const inTheClear = at.replace('https', 'http')
    expect(await sentence(inTheClear)).toMatch(
      /closed the connection: if it speaks TLS, VAULT_ADDR or --address must begin with https/,
    )
    expect(await sentence(env.VAULT_ADDR?.replace('http', 'https') ?? '')).toMatch(
      /does not speak TLS: .* must begin with http:\/\/ there\n$/,
    )
    expect(await run(['status'], { VAULT_ADDR: at, VAULT_CACERT: cert })).toMatchObject({ code: 0, stderr: '' })
    expect(await run(['status', '-ca-cert', cert, '-address', at])).toMatchObject({ code: 0 })
    expect(await run(['status'], { VAULT_ADDR: byAddress, VAULT_SKIP_VERIFY: 'true' })).toMatchObject({ code: 0 })
  } finally {
    await tls.stop()
  }
})
