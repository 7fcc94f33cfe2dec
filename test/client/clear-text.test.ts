import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ended, keyferry, temporaryFolders } from '../commands/keyferry.ts'

const folders = temporaryFolders()
const seen: (string | undefined)[] = []
const server = createServer(({ url, headers }, response) => {
  seen.push(`${headers['x-vault-token']}`)
  const body = url?.endsWith('/login')
    ? { auth: { client_token: 'hvs.new' } }
    : { data: { keys: ['a'] }, sealed: false }
  response.end(JSON.stringify(body))
})
let port: number
beforeAll(async () => {
  await new Promise<void>((go) => server.listen(0, '0.0.0.0', go))
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.close()
  folders.removeAll()
})

/** An address that reaches this machine, and that nothing says so of: it stands for another machine's. */
const there = () => `http://0.0.0.0:${port}`
const warning = () =>
  `keyferry: warning: the token travels in the clear to ${there()}, and whoever is on the way can use it: VAULT_ADDR or --address should be an https address\n`
const run = (args: string[], more: Record<string, string> = {}): Promise<Ended> =>
  keyferry(args, { env: { VAULT_ADDR: there(), VAULT_TOKEN: 'hvs.mine', HOME: folders.make(), ...more } })

test('a token that goes to another machine without TLS is warned of, in one line', async () => {
  const commands = [
    ['read', 'x'],
    ['read', '--format', 'json', 'x'],
    ['write', 'x', 'a=b'],
    ['list', 'x'],
    ['delete', 'x'],
    ['login', '--no-store', 'hvs.other'],
    ['login', '--no-store', '--method', 'approle', 'role_id=x', 'secret_id=y'],
  ]
  for (const args of commands) {
    const { code, stderr } = await run(args)
    expect([code, stderr], args.join(' ')).toEqual([0, warning()])
  }
  const byFlag = await run(['list', 'x', '--address', there()], { VAULT_ADDR: 'https://127.0.0.1:1' })
  expect([byFlag.code, byFlag.stderr]).toEqual([0, warning()])
  expect(seen).toContain('hvs.mine')
})

test('it is not where nothing secret goes', async () => {
  for (const args of [['status'], ['status', '--format', 'json']]) {
    seen.length = 0
    expect(await run(args)).toMatchObject({ code: 0, stderr: '' })
    expect(seen).toEqual(['undefined', 'undefined'])
  }
  expect(await run(['list', 'x'], { VAULT_TOKEN: '' })).toMatchObject({ code: 0, stderr: '' })
})

test('nor on this machine, however it is written', async () => {
  for (const host of ['127.0.0.1', '127.1', '127.255.3.4', 'localhost', 'LOCALHOST']) {
    const ended = await run(['list', 'x'], { VAULT_ADDR: `http://${host}:${port}` })
    expect([host, ended.code, ended.stderr]).toEqual([host, 0, ''])
  }
})

test('nor where the token came to nobody', async () => {
  for (const [address, why] of [
    ['http://0.0.0.0:1', 'nothing listens at http://0.0.0.0:1'],
    ['http://nowhere.invalid:8200', 'the host "nowhere.invalid" has no address'],
    ['http://[::1]:1', 'nothing listens at http://[::1]:1'],
  ] as const) {
    const { code, stderr } = await run(['list', 'x'], { VAULT_ADDR: address })
    expect([code, stderr.startsWith(`keyferry: ${why}`), stderr.split('\n').length]).toEqual([2, true, 2])
  }
})
