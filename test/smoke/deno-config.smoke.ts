import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createThrowAwayAuthority } from '../../src/emulator/azurekeyvault/tls.ts'
import { denoProgram, onDeno, onNode, repository } from './commands.ts'
import { Served } from './served.ts'

const env = { HOME: process.env.HOME ?? '', DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' }
const [program = '', ...args] = onDeno(denoProgram())
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-deno-'))
  const [node = '', ...rest] = onNode
  execFileSync(node, [...rest, 'init', '--data', join(folder, 'data')])
})
afterAll(() => rmSync(folder, { recursive: true }))

function config(text: string): string {
  const file = join(folder, 'keyferry.yaml')
  writeFileSync(file, `data: ${folder}/data\nlisten: 127.0.0.1:0\n${text}`)
  return file
}

const check = (file: string) =>
  spawnSync(program, [...args, 'config', 'check', '--config', file], { cwd: repository, env, encoding: 'utf8' })

test('on Deno, a configuration file is read, and mistakes in it are placed', () => {
  expect(check(config('log: { level: warn }\n'))).toMatchObject({ status: 0, stdout: 'ok\n', stderr: '' })
  const file = config('http:\n  keepAliveMs: 1000\ntls:\n  minVersion: TLSv1.3\nlog:\n  levl: warn\n')
  const { status, stderr } = check(file)
  expect([status, stderr.trimEnd().split('\n')]).toEqual([
    78,
    [
      `keyferry: ${file}:8: log.levl is no setting (did you mean "level"?): known here are level or format`,
      ...['tls.minVersion', 'http.keepAliveMs'].map(
        (name) => `keyferry: ${name} cannot be set on Deno, whose own server decides it: take it out`,
      ),
    ],
  ])
})

test('on Deno, a trusted proxy is believed', async () => {
  const log = join(folder, 'audit.log')
  const file = config(`http: { trustedProxies: [127.0.0.1] }\naudit: { file: ${log} }\n`)
  const gateway = await Served.start([program, ...args, 'serve', '--config', file], { cwd: repository, env })
  const headers = { 'X-Vault-Token': 'stranger', 'X-Forwarded-For': '192.0.2.1, 203.0.113.9' }
  const { status } = await fetch(`${gateway.url}/v1/sys/mounts`, { headers })
  expect([status, await gateway.stop()]).toEqual([403, 0])
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
  const from = lines.map((line) => (JSON.parse(line) as { request: { remote_address: string } }).request.remote_address)
  expect(new Set(from)).toEqual(new Set(['203.0.113.9']))
})

test('on Deno, a new certificate is taken without a restart, and a request under way goes on', async () => {
  const authority = await createThrowAwayAuthority()
  const [first, second] = [await authority.issue(['localhost']), await authority.issue(['localhost'])]
  const put = (pair: { cert: string; key: string }) => {
    writeFileSync(join(folder, 'tls.crt'), pair.cert)
    writeFileSync(join(folder, 'tls.key'), pair.key)
  }
  put(first)
  const file = config(`stopGraceMs: 500\ntls: { cert: ${folder}/tls.crt, key: ${folder}/tls.key }\n`)
  const gateway = await Served.start([program, ...args, 'serve', '--config', file], { cwd: repository, env })
  const { port } = new URL(gateway.url)
  const open = () =>
    connect({ port: Number(port), host: '127.0.0.1', ca: authority.certificate, servername: 'localhost' })
  const serial = () =>
    new Promise<string>((resolve, reject) => {
      const socket = open()
      socket.once('secureConnect', () => {
        resolve(socket.getPeerCertificate().serialNumber)
        socket.destroy()
      })
      socket.once('error', reject)
    })
  const before = await serial()
  const underWay = open()
  const head =
    'PUT /v1/sys/mounts/keys HTTP/1.1\r\nHost: localhost\r\nX-Vault-Token: stranger\r\nContent-Length: 2\r\n\r\n'
  underWay.write(head)
  await new Promise((resolve) => setTimeout(resolve, 200))

  const kept = (times: number) =>
    vi.waitFor(() => expect(gateway.said().split('the one before stays in use')).toHaveLength(times + 1), {
      timeout: 20_000,
    })
  writeFileSync(join(folder, 'tls.key'), second.key)
  await kept(1)
  expect(await serial()).toBe(before)
  // Node would take it: that Deno does not is found out when it is to listen with it.
  put({ cert: first.cert.replaceAll(' CERTIFICATE', ' TRUSTED CERTIFICATE'), key: first.key })
  await kept(2)
  expect(gateway.said()).toContain('PEM of a matching pair is wanted, of a kind that Deno takes: No certificates found')
  expect(await serial()).toBe(before)

  put(second)
  await vi.waitFor(async () => expect(await serial()).not.toBe(before), { timeout: 20_000 })
  const answer = new Promise<string>((resolve) => underWay.once('data', (data) => resolve(data.toString())))
  underWay.write('{}')
  expect(await answer).toMatch(/^HTTP\/1\.1 403 /)
  underWay.destroy()

  const forEver = open()
  forEver.once('error', () => {})
  forEver.write(head)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(await gateway.stop()).toBe(0)
  expect(gateway.said()).toMatch(/"stopped"/)
})
