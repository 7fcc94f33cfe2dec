import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ended, keyferry, temporaryFolders } from './keyferry.ts'

/** What a terminal would obey: a title, a bell, a colour; and the last one in a single character, which JSON does not escape. */
const orders = '\u001b]0;theirs\u0007\u001b[31m\u009b31m'
const shown = '\\u001b]0;theirs\\u0007\\u001b[31m\\u009b31m'
const answers: Readonly<Record<string, unknown>> = {
  'GET sys/values': { data: { value: orders, [orders]: 1, keys: [orders] }, warnings: [orders] },
  'PUT sys/values': { errors: [orders] },
  'PUT auth/approle/login': { errors: [orders] },
  'GET auth/token/lookup-self': { errors: [orders] },
  'GET sys/seal-status': { sealed: false, version: orders },
  'GET sys/health': { version: orders },
}
const misshapen = [
  ...['x', [1], [null], { a: 1 }].flatMap((value) => [{ errors: value }, { data: {}, warnings: value }]),
  ...['x', [1], 7].flatMap((value) => [{ data: value }, { auth: value }, { wrap_info: value }]),
  ...[[1], 'text', 7],
]

const folders = temporaryFolders()
const asked: string[] = []
const server = createServer(({ method, url, headers }, response) => {
  const path = (url ?? '').replace(/^\/v1\//, '').replace(/\?.*$/, '')
  asked.push(`${path} ${headers['x-vault-token']}`)
  const [, kind, number = '0'] = /^sys\/(misshapen|moved)\/(\d+)$/.exec(path) ?? []
  if (kind === 'moved') response.writeHead(Number(number), { Location: 'http://elsewhere.example/v1/taken' }).end()
  else {
    const body = kind ? misshapen[Number(number)] : answers[`${method} ${path}`]
    const isRefusal = typeof body === 'object' && body !== null && 'errors' in body
    response.writeHead(isRefusal ? 400 : 200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  }
})
let env: Record<string, string>
beforeAll(async () => {
  await new Promise<void>((go) => server.listen(0, '127.0.0.1', go))
  const { port } = server.address() as AddressInfo
  env = { VAULT_ADDR: `http://127.0.0.1:${port}`, VAULT_TOKEN: 'hvs.of-mine', HOME: folders.make() }
})
afterAll(() => {
  server.close()
  folders.removeAll()
})
const run = (...args: string[]): Promise<Ended> => keyferry(args, { env })

test('nothing that a gateway answers is obeyed by a terminal, whatever the command and the format', async () => {
  const runs = await Promise.all([
    run('read', 'sys/values'),
    run('read', '--format', 'json', 'sys/values'),
    run('list', 'sys/values'),
    run('list', '--format', 'json', 'sys/values'),
    run('write', 'sys/values', 'a=b'),
    run('login', 'hvs.other'),
    run('login', '--method', 'approle', 'role_id=x'),
    run('status'),
    run('status', '--format', 'json'),
  ])
  for (const { stdout, stderr } of runs) {
    expect(stdout + stderr).toContain(shown)
    expect(stdout + stderr).not.toMatch(/(?![\n\t])\p{Cc}/u)
  }
  const [, inJson] = runs
  expect(JSON.parse(inJson?.stdout ?? '')).toMatchObject({ data: { value: orders } })
})

test('nor what is in a command itself', async () => {
  expect(await run('read', 'a', orders)).toMatchObject({ code: 64, stderr: expect.stringContaining(`"${shown}"`) })
})

test('what is not of the shape of a gateway’s answer is said to be none', async () => {
  const [port] = /\d+$/.exec(env.VAULT_ADDR ?? '') ?? []
  for (const [index, body] of misshapen.entries()) {
    const status = typeof body === 'object' && 'errors' in body ? 400 : 200
    expect(await run('read', `sys/misshapen/${index}`), JSON.stringify(body)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `keyferry: what answers at http://127.0.0.1:${port} (with ${status}) does not speak Vault's API: look whether VAULT_ADDR or --address is right\n`,
    })
  }
})

test('a redirection is no success, and the token does not go where it leads', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    const path = `sys/moved/${status}`
    const runs = [run('read', path), run('write', path, 'a=b'), run('list', path), run('delete', path)]
    for (const one of await Promise.all(runs)) {
      expect(one).toMatchObject({
        code: 2,
        stdout: '',
        stderr: `keyferry: ${env.VAULT_ADDR} sends on to http://elsewhere.example (${status}), where your token is not sent unasked: VAULT_ADDR or --address must be where the gateway is\n`,
      })
    }
  }
  expect(asked.filter((one) => one.startsWith('taken'))).toEqual([])
})

test('a name and password in the address are not allowed, and not repeated', async () => {
  for (const userinfo of ['me:canary', ':canary', 'canary']) {
    expect(await run('read', '--address', `http://${userinfo}@127.0.0.1:1`, 'sys/values')).toMatchObject({
      code: 78,
      stderr:
        'keyferry: --address "http://(hidden)@127.0.0.1:1" is not allowed: it must be scheme, host and port alone, as in http://127.0.0.1:8200\n',
    })
  }
})
