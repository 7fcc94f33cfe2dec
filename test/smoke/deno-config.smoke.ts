import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
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
