import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { developmentGateway, env, home, piped, run } from './client-gateway.ts'
import { launcher } from './keyferry.ts'

developmentGateway()

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
