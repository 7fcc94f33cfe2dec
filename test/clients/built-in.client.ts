import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { baoProgram } from './bao-program.ts'
import { missingPython } from './python.ts'

interface Seen {
  method: string | undefined
  url: string | undefined
  token: unknown
  namespace: unknown
  body: unknown
}

interface Ran {
  code: number | null
  stdout: string
  requests: Seen[]
}

const missing = missingPython()
const keyferry = [process.execPath, '--', resolve(import.meta.dirname, '../../bin/keyferry.mjs')]
let bao: string[]
let folder: string
let server: Server
let requests: Seen[] = []
/** What is answered next: a status, and a body. */
let answer: [status: number, body: unknown] = [204, undefined]

beforeAll(async () => {
  if (missing !== undefined) return
  bao = [await baoProgram()]
  folder = mkdtempSync(join(tmpdir(), 'keyferry-built-in-'))
  writeFileSync(join(folder, 'policy.hcl'), 'path "a/*" {\n}\n')
  writeFileSync(join(folder, 'body.json'), '{"type": "rsa-3072", "deletion_allowed": true, "n": 2}')
  server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const { method, url, headers } = request
      const [token, namespace] = [headers['x-vault-token'], headers['x-vault-namespace']]
      requests.push({ method, url, token, namespace, body: text.trim() === '' ? undefined : JSON.parse(text) })
      const [status, body] = answer
      response.writeHead(status, { 'Content-Type': 'application/json' })
      response.end(body === undefined ? undefined : JSON.stringify(body))
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
}, 300_000)
afterAll(() => {
  server?.close()
  if (folder) rmSync(folder, { recursive: true })
})

async function run(command: string[], args: string[], input?: string): Promise<Ran> {
  requests = []
  const [program = '', ...before] = command
  const { port } = server.address() as AddressInfo
  const env = { HOME: folder, VAULT_ADDR: `http://127.0.0.1:${port}`, VAULT_TOKEN: 'token', VAULT_NAMESPACE: 'team' }
  const child = spawn(program, [...before, ...args], { cwd: folder, env, stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdin.on('error', () => undefined).end(input ?? '')
  let stdout = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  const code = await new Promise<number | null>((ended) => child.once('close', ended))
  return { code, stdout, requests }
}

/** A trailing slash in a namespace changes nothing. */
const withoutSlash = (all: Seen[]) =>
  all.map((one) => ({ ...one, namespace: String(one.namespace).replace(/\/$/, '') }))

describe.skipIf(missing !== undefined)('the client built in does what the command line of OpenBao does', () => {
  test.each<[string[], string?]>([
    [['write', 'keymgmt/key/orders', 'type=rsa-3072']],
    [['write', 'keymgmt/key/orders', 'min_enabled_version=2', 'deletion_allowed=true']],
    [
      [
        'write',
        'keymgmt/kms/prod',
        'credentials=client_id=a',
        'credentials=client_secret=b==',
        'credentials=tenant_id=c',
      ],
    ],
    [['write', 'keymgmt/kms/prod', 'credentials=client_id=a', 'empty=']],
    [['write', 'p', 'policy=@policy.hcl']],
    [['write', 'p', 'policy=-'], 'path "b" {}\n'],
    [['write', 'p', '-'], '{"type": "rsa-3072", "list": ["a", 1], "deep": {"x": null}}'],
    [['write', 'p', '@body.json']],
    [['write', 'p', '@body.json', 'type=other']],
    [['write', 'p', 'type=\\@x', 'other=\\y']],
    [['write', '-force', 'keymgmt/key/orders/rotate']],
    [['write', '-f', '/keymgmt/key/orders/rotate/']],
    [['write', '-namespace=other', 'p', 'a=b']],
    [['delete', 'keymgmt/key/orders']],
  ])('%j', async (args, input) => {
    answer = [204, undefined]
    const [theirs, ours] = [await run(bao, args, input), await run(keyferry, args, input)]
    expect(theirs.requests).toHaveLength(1)
    expect(withoutSlash(ours.requests)).toEqual(withoutSlash(theirs.requests))
    expect([ours.code, ours.stdout]).toEqual([theirs.code, theirs.stdout])
  })

  const envelope = {
    request_id: 'r',
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    wrap_info: null,
    warnings: null,
    auth: null,
  }
  const data = { name: 'orders', latest_version: 2, deletion_allowed: false, type: 'rsa-3072' }
  test.each<[string[], unknown]>([
    [['read', 'keymgmt/key/orders'], { ...envelope, data }],
    [['read', '-field=type', 'keymgmt/key/orders'], { ...envelope, data }],
    [['list', 'keymgmt/key'], { ...envelope, data: { keys: ['a', 'b/'] } }],
    [['list', '-format=json', 'keymgmt/key/'], { ...envelope, data: { keys: ['a', 'b/'] } }],
    [
      ['write', 'auth/approle/login', 'role_id=a'],
      {
        ...envelope,
        data: null,
        auth: {
          client_token: 't',
          accessor: 'a',
          policies: ['default'],
          token_policies: ['default'],
          metadata: { role_name: 'ci' },
          lease_duration: 5_400,
          renewable: true,
        },
      },
    ],
  ])('%j shows the same', async (args, body) => {
    answer = [200, body]
    const [theirs, ours] = [await run(bao, args), await run(keyferry, args)]
    expect(withoutSlash(ours.requests)).toEqual(withoutSlash(theirs.requests))
    // Lists are written as JSON here, and a login has more rows there.
    const rows = (text: string) => text.split('\n').filter((line) => !/policies/.test(line))
    expect([ours.code, rows(ours.stdout)]).toEqual([theirs.code, rows(theirs.stdout)])
  })

  test.each([
    [['read', 'keymgmt/key/x'], 404, { errors: [] }],
    [['list', 'keymgmt/key'], 404, { errors: [] }],
    [['read', 'keymgmt/key/x'], 403, { errors: ['permission denied'] }],
    [['write', 'keymgmt/key/x', 'a=b'], 400, { errors: ['no'] }],
    [['delete', 'keymgmt/key/x'], 400, { errors: ['no'] }],
    [['read', '-field=nothing', 'keymgmt/key/x'], 200, { ...envelope, data }],
  ] as const)('%j, answered with %i, ends without output and not with 0', async (args, status, body) => {
    answer = [status, body]
    const [theirs, ours] = [await run(bao, [...args]), await run(keyferry, [...args])]
    expect([ours.stdout, ours.code]).toEqual([theirs.stdout, status === 200 ? 2 : theirs.code])
    expect(theirs.code).toBeGreaterThan(0)
  })

  test('both find the token where the other has kept it', async () => {
    const lookup = {
      ...envelope,
      data: { id: 'kept-token', accessor: 'a', policies: ['root'], ttl: 0, renewable: false },
    }
    for (const [first, second] of [
      [bao, keyferry],
      [keyferry, bao],
    ] as const) {
      answer = [200, lookup]
      expect((await run(first, ['login', 'kept-token'])).code).toBe(0)
      expect(readFileSync(join(folder, '.vault-token'), 'utf8')).toBe('kept-token')
      const { port } = server.address() as AddressInfo
      requests = []
      const [program = '', ...args] = [...second, 'read', 'x']
      const env = { HOME: folder, VAULT_ADDR: `http://127.0.0.1:${port}` }
      const child = spawn(program, args, { env, stdio: 'ignore' })
      expect(await new Promise((ended) => child.once('close', ended))).toBe(0)
      expect(requests.map(({ token }) => token)).toEqual(['kept-token'])
      rmSync(join(folder, '.vault-token'))
    }
  })
})
