import { spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { denoProgram, onDeno, repository } from './commands.ts'
import { endToEnd } from './end-to-end.ts'
import { startGateway } from './started-gateway.ts'

const deno = denoProgram()
const env = { HOME: process.env.HOME ?? '', DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' }

describe('from source, on Deno, with the permissions of "deno task start" and no others', () => {
  test('the whole of it', async () => {
    expect(await endToEnd(onDeno(deno), { cwd: repository, env })).toBeGreaterThan(50)
  })

  test('the same again with Deno on the asking side: deno task test:smoke', () => {
    const { status, stdout } = spawnSync(deno, ['task', 'test:smoke'], { cwd: repository, env, encoding: 'utf8' })
    expect(stdout).toMatch(/^\d\d+ answers were as they must be$/m)
    expect(status).toBe(0)
  })

  test('the whole demo, with the Azure SDK on the other side', () => {
    const args = [join(repository, 'demo/demo.ts'), ...onDeno(deno)]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: repository, env, encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/All of it held/)
  })

  test('the client', async () => {
    const gateway = await startGateway(onDeno(deno), { cwd: repository, env })
    try {
      const client = (...args: string[]) => {
        const [program = '', ...before] = onDeno(deno)
        const options = {
          cwd: repository,
          env: { ...env, ...gateway.env },
          encoding: 'utf8',
          input: '{"n": 1}',
        } as const
        const { status, stdout, stderr } = spawnSync(program, [...before, ...args], options)
        return [status, stdout, stderr]
      }
      const done = (path: string) => [0, `Success! Data written to: ${path}\n`, '']
      expect(client('write', 'keymgmt/key/orders', 'type=ecdsa-p256')).toEqual(done('keymgmt/key/orders'))
      expect(client('read', '--field', 'type', 'keymgmt/key/orders')).toEqual([0, 'ecdsa-p256', ''])
      expect(client('list', 'keymgmt/key')).toEqual([0, 'Keys\n----\norders\n', ''])
      expect(client('write', '--field', 'n', 'sys/wrapping/wrap', '-')).toEqual([0, '1', ''])
      expect(client('status')[0]).toBe(0)
      expect(client('status', '--address', gateway.env.EMULATOR_URL ?? '')).toEqual([
        2,
        '',
        expect.stringContaining('is of a CA that is not trusted here: name its file with VAULT_CACERT or --ca-cert'),
      ])
      expect(client('status', '--address', 'http://127.0.0.1:1')).toEqual([
        2,
        '',
        expect.stringMatching(/nothing listens at/),
      ])
    } finally {
      await gateway.stop()
    }
  })

  test('a path with dots is refused, as by Node', async () => {
    const gateway = await startGateway(onDeno(deno), { cwd: repository, env })
    try {
      const url = `${gateway.env.VAULT_ADDR}/v1/keymgmt/../sys/health`
      const args = ['-sS', '--path-as-is', '-o', '/dev/null', '-w', '%{http_code}', url]
      expect(spawnSync('curl', args, { encoding: 'utf8' }).stdout).toBe('400')
    } finally {
      await gateway.stop()
    }
  })

  test('a port in use is one sentence, and exit code 69', async () => {
    const other = createServer()
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening))
    const address = other.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const [program = '', ...args] = [...onDeno(deno), 'dev', '--listen', `127.0.0.1:${port}`]
    const { status, stderr } = spawnSync(program, args, { cwd: repository, env, encoding: 'utf8' })
    other.close()
    expect(stderr).toBe(
      `keyferry: cannot listen on 127.0.0.1:${port}: the port is in use by another program. Stop that one, or choose another port with --listen HOST:PORT\n`,
    )
    expect(status).toBe(69)
  })
})
