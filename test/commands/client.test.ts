import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Keyferry, keyferry, launcher, serve, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
let gateway: Keyferry
/** The development gateway's addresses and credentials. */
let dev: Record<string, string>
let env: Record<string, string>
/** A home of its own, with nothing in it. */
const home = () => folders.make()

beforeAll(async () => {
  const file = join(folders.make(), 'dev.env')
  gateway = new Keyferry(['dev', '--listen', '127.0.0.1:0', '--env-file', file])
  await gateway.says('stdout', /Ctrl-C stops it/)
  dev = Object.fromEntries([...readFileSync(file, 'utf8').matchAll(/^([A-Z_]+)='(.*)'$/gm)].map(([, k, v]) => [k, v]))
  env = { VAULT_ADDR: dev.VAULT_ADDR ?? '', VAULT_TOKEN: dev.VAULT_TOKEN ?? '', HOME: home() }
})
afterAll(async () => {
  await gateway?.stop()
  folders.removeAll()
})

const run = (args: string[], more: Record<string, string> = {}) => keyferry(args, { env: { ...env, ...more } })
/** With something on standard input, which `keyferry` of the other tests never has. */
function piped(args: string[], input: string, more: Record<string, string> = {}) {
  const options = { input, encoding: 'utf8', env: { PATH: process.env.PATH ?? '', ...env, ...more } } as const
  return spawnSync(process.execPath, ['--', launcher, ...args], options)
}
const written = (path: string) => ({ code: 0, stderr: '', stdout: `Success! Data written to: ${path}\n` })

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

describe('what goes wrong is one sentence that says what to do', () => {
  test.each<[string, string[], Record<string, string>, number, RegExp]>([
    [
      'no token',
      ['read', 'keymgmt/key/x'],
      { VAULT_TOKEN: '' },
      2,
      /\(403\): permission denied\. No token was sent: run "keyferry login", or set VAULT_TOKEN$/,
    ],
    [
      'a token that is none',
      ['read', 'keymgmt/key/x'],
      { VAULT_TOKEN: 'wrong' },
      2,
      /The token has ended, or may not do this here: .*"keyferry login" takes another$/,
    ],
    [
      'a token that cannot be one',
      ['read', 'x'],
      { VAULT_TOKEN: 'se\ncret' },
      78,
      /^keyferry: VAULT_TOKEN has characters that no token has: set it anew, or run "keyferry login"$/,
    ],
    [
      'nothing there',
      ['read', 'keymgmt/key/x'],
      {},
      2,
      /there is nothing at keymgmt\/key\/x: "keyferry list keymgmt\/key" shows what is there$/,
    ],
    [
      'no such mount',
      ['write', 'nowhere/key/x', 'a=b'],
      {},
      2,
      /no handler for route .*"keyferry read sys\/mounts" shows what is mounted where/,
    ],
    [
      'no such path',
      ['read', 'keymgmt/kyes/x'],
      {},
      2,
      /unsupported path: http:\/\/127\.0\.0\.1:\d+\/docs has every path$/,
    ],
    ['bad input', ['write', 'keymgmt/key/x', 'type=rsa-1024'], {}, 2, /\(400\): .*rsa-2048/],
    [
      'nobody listening',
      ['read', 'x'],
      { VAULT_ADDR: 'http://127.0.0.1:1' },
      2,
      /^keyferry: nothing listens at http:\/\/127\.0\.0\.1:1: is the gateway running/,
    ],
    [
      'an unknown host',
      ['read', 'x'],
      { VAULT_ADDR: 'http://nowhere.invalid:8200' },
      2,
      /^keyferry: the host "nowhere\.invalid" has no address: is its name right\?/,
    ],
    [
      'an address that is none',
      ['read', 'x'],
      { VAULT_ADDR: 'ftp://x' },
      78,
      /^keyferry: VAULT_ADDR "ftp:\/\/x" is not allowed: it must be an http or https URL/,
    ],
    [
      'an address with a path',
      ['read', 'x', '--address', 'http://x/v1'],
      {},
      78,
      /^keyferry: --address "http:\/\/x\/v1" is not allowed: it must be scheme, host and port alone/,
    ],
    [
      'a CA file that is not there',
      ['read', 'x', '--ca-cert', '/nowhere/ca'],
      {},
      78,
      /the CA file \/nowhere\/ca \(--ca-cert, VAULT_CACERT\) cannot be read: it does not exist$/,
    ],
    [
      'an unclear VAULT_SKIP_VERIFY',
      ['read', 'x'],
      { VAULT_SKIP_VERIFY: 'maybe' },
      78,
      /VAULT_SKIP_VERIFY "maybe" is not allowed: true and false are$/,
    ],
    [
      'a namespace that is none',
      ['read', 'x'],
      { VAULT_NAMESPACE: 'ä' },
      78,
      /the namespace \(--namespace, VAULT_NAMESPACE\) has characters that no namespace has$/,
    ],
    ['no path', ['read'], {}, 64, /PATH is missing: it is what stands behind \/v1\//],
    ['two paths', ['delete', 'a', 'b'], {}, 64, /"b" is not expected: the command takes one path/],
    [
      'a path that leads elsewhere',
      ['delete', 'keymgmt/../sys/x'],
      {},
      64,
      /the path "keymgmt\/\.\.\/sys\/x" is not allowed/,
    ],
    [
      'no fields',
      ['write', 'keymgmt/key/x'],
      {},
      64,
      /no field is given: NAME=VALUE behind the path, or --force to write without any/,
    ],
    ['a field that is none', ['write', 'keymgmt/key/x', 'hvs.secret'], {}, 64, /^keyferry: field 1 is not NAME=VALUE/],
    ['an unknown format', ['list', 'x', '--format', 'yaml'], {}, 64, /--format yaml is not known: table and json are/],
    ['an unknown flag', ['read', 'x', '--feild', 'y'], {}, 64, /unknown flag --feild \(did you mean --field\?\)/],
    [
      'a field that is not there',
      ['read', 'sys/health', '--field', 'x'],
      {},
      2,
      /the answer has no field "x": its fields are cluster_id, /,
    ],
  ])('%s', async (_what, args, more, code, sentence) => {
    const ended = await run(args, more)
    expect([ended.code, ended.stdout]).toEqual([code, ''])
    expect(ended.stderr.trimEnd()).toMatch(sentence)
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(ended.stderr).not.toMatch(/secret|wrong/)
  })
})

describe('login', () => {
  const stored = (at: string) => readFileSync(join(at, '.vault-token'), 'utf8')

  test('keeps a token, mode 0600, which the other commands then use, and shows it nowhere', async () => {
    const HOME = home()
    const ended = await run(['login', env.VAULT_TOKEN ?? ''], { HOME, VAULT_TOKEN: '' })
    expect([ended.code, ended.stderr]).toEqual([
      0,
      `keyferry: logged in; the token is kept in ${HOME}/.vault-token (mode 0600)\n`,
    ])
    expect(ended.stdout).toMatch(
      /^Key .*\n---.*\ntoken_accessor .*\ntoken_duration +∞\ntoken_renewable +false\ntoken_policies +\["root"\]\n$/,
    )
    expect(readdirSync(HOME)).toEqual(['.vault-token'])
    expect(statSync(join(HOME, '.vault-token')).mode & 0o777).toBe(0o600)
    expect(stored(HOME)).toBe(env.VAULT_TOKEN)
    const used = await run(['read', '--field', 'policies', 'auth/token/lookup-self'], { HOME, VAULT_TOKEN: '' })
    expect(used.stdout).toBe('["root"]')
    // VAULT_TOKEN wins, and a login says so.
    expect(await run(['read', 'auth/token/lookup-self'], { HOME, VAULT_TOKEN: 'other' })).toMatchObject({ code: 2 })
    const again = await run(['login', env.VAULT_TOKEN ?? ''], { HOME, VAULT_TOKEN: 'other' })
    expect(again.stderr).toMatch(/\nkeyferry: warning: VAULT_TOKEN is set, and wins over it: unset VAULT_TOKEN\n$/)
  })

  test.each([[['login']], [['login', '-']]])('%j reads the token from standard input', (args) => {
    const HOME = home()
    expect(piped(args, `${env.VAULT_TOKEN}\n`, { HOME, VAULT_TOKEN: '' })).toMatchObject({ status: 0 })
    expect(stored(HOME)).toBe(env.VAULT_TOKEN)
  })

  test('asks on a terminal without showing what is typed', () => {
    const HOME = home()
    const typing = `import os, pty, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b''
while b'Token' not in said:
    said += os.read(terminal, 1000)
time.sleep(0.2)
os.write(terminal, sys.stdin.buffer.read())
try:
    while True:
        said += os.read(terminal, 1000)
except OSError:
    pass
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`
    const attempt = (input: string) =>
      spawnSync('python3', ['-c', typing, process.execPath, '--', launcher, 'login'], {
        input,
        encoding: 'utf8',
        env: { ...env, PATH: process.env.PATH, HOME, VAULT_TOKEN: '' },
      })
    const { status, stdout } = attempt(`x\u007f${env.VAULT_TOKEN}\r`)
    expect([status, stdout]).toEqual([0, expect.stringContaining('Token (is not shown): \r\n')])
    expect(stdout).not.toContain(env.VAULT_TOKEN ?? '?')
    expect(stored(HOME)).toBe(env.VAULT_TOKEN)
    expect(attempt('\u0003')).toMatchObject({ status: 64, stdout: expect.stringContaining('no token is given') })
  })

  test('takes AppRole and JWT logins, with what is secret from a file or standard input', async () => {
    const HOME = home()
    await run(['write', 'sys/auth/approle', 'type=approle'])
    await run(['write', 'sys/auth/ci', 'type=jwt'])
    await run(['write', 'auth/approle/role/ci', 'token_policies=deploy', 'token_ttl=10m'])
    const roleId = (await run(['read', '--field', 'role_id', 'auth/approle/role/ci/role-id'])).stdout
    const secretId = (await run(['write', '-f', '--field', 'secret_id', 'auth/approle/role/ci/secret-id'])).stdout
    const file = join(HOME, 'secret-id')
    writeFileSync(file, secretId)
    const login = ['login', '--method', 'approle', `role_id=${roleId}`, `secret_id=@${file}`]
    const ended = await run(login, { HOME, VAULT_TOKEN: '' })
    expect(ended.stdout).toMatch(
      /\ntoken_duration +10m\ntoken_renewable +true\ntoken_policies +\["default","deploy"\]\n/,
    )
    expect(stored(HOME)).toMatch(/^eyJ/)
    expect(ended.stdout + ended.stderr).not.toContain(stored(HOME))

    const before = stored(HOME)
    const shown = await run([...login, '--no-store', '--field', 'token'], { HOME, VAULT_TOKEN: '' })
    expect([shown.code, shown.stderr, stored(HOME)]).toEqual([0, '', before])
    expect(shown.stdout).toMatch(/^eyJ\S+$/)
    const json = JSON.parse((await run([...login, '--no-store', '--format=json'], { HOME, VAULT_TOKEN: '' })).stdout)
    expect(json.auth.token_policies).toEqual(['default', 'deploy'])

    const refused = piped(['login', '--method=jwt', '--path=ci', 'role=build', 'jwt=-'], 'not-a-jwt', {
      HOME,
      VAULT_TOKEN: '',
    })
    expect(refused).toMatchObject({ status: 2, stdout: '' })
    expect(refused.stderr).toMatch(
      /^keyferry: the gateway refused the login at auth\/ci\/login \(4\d\d\): .* Look at the fields, at --path and at --namespace\n$/,
    )
    expect(refused.stderr).not.toContain('not-a-jwt')
    expect(stored(HOME)).toBe(before)
  })

  test.each<[string, string[], number, RegExp]>([
    [
      'a token that the gateway does not take',
      ['hvs.secret'],
      2,
      /does not take this token: it has ended, or is of another gateway\. Ask for a new one/,
    ],
    ['a token with a blank', ['hvs secret'], 64, /what is given is no token/],
    ['two tokens', ['hvs.secret', 'hvs.secret2'], 64, /more than one token is given/],
    [
      'an unknown method',
      ['--method', 'userpass', 'username=secret'],
      64,
      /--method userpass is not known: token, approle and jwt are/,
    ],
    ['no fields', ['--method', 'approle'], 64, /the fields of the login are missing/],
    ['nothing on standard input', [], 64, /no token is given: type it, pipe it in, or name it behind "login"/],
  ])('%s is one sentence, repeats nothing, and stores nothing', async (_what, args, code, sentence) => {
    const HOME = home()
    const ended = await run(['login', ...args], { HOME, VAULT_TOKEN: '' })
    expect([ended.code, ended.stdout, readdirSync(HOME)]).toEqual([code, '', []])
    expect(ended.stderr).toMatch(sentence)
    expect(ended.stderr).not.toMatch(/hvs|=secret/)
  })

  test('a home that cannot be written is one sentence, and leaves nothing behind', async () => {
    const HOME = home()
    mkdirSync(join(HOME, '.vault-token', 'x'), { recursive: true })
    const ended = await run(['login', env.VAULT_TOKEN ?? ''], { HOME })
    expect(ended).toMatchObject({ code: 73, stdout: '' })
    expect(ended.stderr).toMatch(
      /^keyferry: the token cannot be stored in \S+: it is a folder\. Mend that, or log in with --no-store\n$/,
    )
    expect(readdirSync(HOME)).toEqual(['.vault-token'])
    expect(await run(['login', env.VAULT_TOKEN ?? ''], { HOME: '' })).toMatchObject({
      code: 73,
      stderr: 'keyferry: the token cannot be stored: HOME is not set. Set it, or log in with --no-store\n',
    })
  })
})

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
