import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv, promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { formatEnvFile } from '../../src/commands/env-file.ts'
import { call, Keyferry, temporaryFolders } from './keyferry.ts'

const shell = promisify(execFile)
const folders = temporaryFolders()
afterAll(() => folders.removeAll())

const names = [
  'VAULT_ADDR',
  'VAULT_TOKEN',
  'AZURE_TENANT_ID',
  'AZURE_CLIENT_ID',
  'AZURE_CLIENT_SECRET',
  'KEY_VAULT_NAME',
  'KEY_VAULT_STANDARD_NAME',
  'EMULATOR_URL',
  'EMULATOR_CA_FILE',
  'EMULATOR_ADMIN_TOKEN',
]

async function dev(args: string[] = [], env: Record<string, string> = {}) {
  const gateway = new Keyferry(['dev', '--listen', '127.0.0.1:0', ...args], { env })
  await gateway.says('stdout', /Ctrl-C stops it/)
  return gateway
}

const readEnvFile = (file: string) => parseEnv(readFileSync(file, 'utf8')) as Record<string, string>

test('prints what to copy, the copied commands work, and nothing is left when it stops', async () => {
  const TMPDIR = folders.make()
  // The shell's own credentials are none of the emulator's: were they used, nothing would be distributed.
  const gateway = await dev([], {
    TMPDIR,
    AZURE_TENANT_ID: 'elsewhere.example',
    AZURE_CLIENT_ID: 'x',
    AZURE_CLIENT_SECRET: 'x',
    AZURE_ENVIRONMENT: 'AzureChinaCloud',
  })
  try {
    const exports = gateway.stdout.match(/^ {2}export \w+=.*$/gm) ?? []
    const commands = gateway.stdout.match(/^ {2}curl .*$/gm) ?? []
    expect([exports.length, commands.length]).toEqual([2, 3])
    const { stdout, stderr } = await shell('sh', ['-euc', [...exports, ...commands].join('\n')])
    expect([stdout, stderr]).toEqual(['', ''])
    const [, url = ''] = /VAULT_ADDR='(.*)'/.exec(gateway.stdout) ?? []
    const [, token = ''] = /VAULT_TOKEN='(.*)'/.exec(gateway.stdout) ?? []
    expect(token.length).toBeGreaterThanOrEqual(24)
    const copy = await call(url, token, 'GET', 'keymgmt/kms/prod/key/orders')
    expect(copy.body?.data).toMatchObject({ purpose: 'decrypt,encrypt', protection: 'hsm' })
    expect(readdirSync(TMPDIR)).toEqual([expect.stringMatching(/^keyferry-dev-/)])
  } finally {
    expect(await gateway.stop()).toMatchObject({ code: 0, signal: null, stderr: '' })
  }
  expect(readdirSync(TMPDIR)).toEqual([])
})

test('the env file is private, complete, and read back by a shell as it was meant', async () => {
  const folder = folders.make()
  const file = join(folder, 'dev.env')
  writeFileSync(file, "VAULT_ADDR='http://stale'\n", { mode: 0o644 })
  const token = `it's-"$HOME"-\`id\`-\\-#`
  const gateway = await dev(['--env-file', file, '--dev-root-token-id', token])
  try {
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['dev.env'])
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => /^([A-Z_]+)='.*'$/.exec(line)?.[1])).toEqual(names)
    const print = `. "$1"; for name in ${names.join(' ')}; do eval "printf '%s\\n' \\"\\$$name\\""; done`
    const { stdout } = await shell('sh', ['-euc', print, 'sh', file])
    const values = Object.fromEntries(
      stdout
        .trimEnd()
        .split('\n')
        .map((value, index) => [names[index], value]),
    )
    expect(values.VAULT_TOKEN).toBe(token)
    expect(values.KEY_VAULT_NAME).toBe('keyferry-premium')
    expect(readFileSync(values.EMULATOR_CA_FILE ?? '', 'utf8')).toContain('BEGIN CERTIFICATE')
    expect((await call(values.VAULT_ADDR ?? '', token, 'GET', 'auth/token/lookup-self')).status).toBe(200)
    expect((await call(values.VAULT_ADDR ?? '', 'root', 'GET', 'auth/token/lookup-self')).status).toBe(403)
  } finally {
    await gateway.stop()
  }
})

test('--data keeps keys, and credentials that work again after a restart', { timeout: 60_000 }, async () => {
  const folder = folders.make()
  const [data, file] = [join(folder, 'kept'), join(folder, 'dev.env')]
  const args = ['--data', data, '--env-file', file]
  const first = await dev(args)
  const before = readEnvFile(file)
  const { VAULT_ADDR = '', VAULT_TOKEN = '' } = before
  const credentials = {
    tenant_id: before.AZURE_TENANT_ID,
    client_id: before.AZURE_CLIENT_ID,
    client_secret: before.AZURE_CLIENT_SECRET,
  }
  const kms = { provider: 'azurekeyvault', key_collection: before.KEY_VAULT_STANDARD_NAME, credentials }
  expect((await call(VAULT_ADDR, VAULT_TOKEN, 'POST', 'keymgmt/kms/soft', kms)).status).toBe(204)
  expect((await call(VAULT_ADDR, VAULT_TOKEN, 'POST', 'keymgmt/key/a', { type: 'rsa-2048' })).status).toBe(204)
  expect((await first.stop()).code).toBe(0)

  const second = await dev(args)
  try {
    const after = readEnvFile(file)
    expect(after.AZURE_CLIENT_SECRET).toBe(before.AZURE_CLIENT_SECRET)
    expect(after.VAULT_TOKEN).not.toBe(before.VAULT_TOKEN)
    const url = after.VAULT_ADDR ?? ''
    expect((await call(url, before.VAULT_TOKEN ?? '', 'GET', 'keymgmt/key/a')).status).toBe(403)
    const token = after.VAULT_TOKEN ?? ''
    expect((await call(url, token, 'GET', 'keymgmt/key/a')).status).toBe(200)
    const purpose = { purpose: 'sign', protection: 'software' }
    expect(await call(url, token, 'POST', 'keymgmt/kms/soft/key/a', purpose)).toEqual({ status: 204, body: undefined })
    expect(readdirSync(data).filter((name) => (statSync(join(data, name)).mode & 0o077) !== 0)).toEqual([])
  } finally {
    await second.stop()
  }
  expect(existsSync(join(data, 'keyferry.db'))).toBe(true)
})

test('a damaged dev folder is named', async () => {
  const data = join(folders.make(), 'kept')
  mkdirSync(data, { mode: 0o700 })
  writeFileSync(join(data, 'keyferry.db'), '')
  writeFileSync(join(data, 'dev.json'), '{}')
  const { code, stderr } = await new Keyferry(['dev', '--data', data, '--listen', '127.0.0.1:0']).ended
  expect(stderr).toBe(
    `keyferry: ${join(data, 'dev.json')} is damaged: take the folder away, and "keyferry dev" makes a new one\n`,
  )
  expect(code).toBe(78)
})

test('with the real Azure there is no emulator, and no credentials of one', async () => {
  const file = join(folders.make(), 'dev.env')
  const gateway = await dev(['--use-azure-environment', '--env-file', file], { AZURE_TENANT_ID: 'contoso.example' })
  try {
    expect(Object.keys(readEnvFile(file))).toEqual(['VAULT_ADDR', 'VAULT_TOKEN'])
    expect(gateway.stdout).toContain('No emulator: KMSs reach the real Azure')
  } finally {
    await gateway.stop()
  }
})

test('the emulator alone runs, says how to reach it, and stops when asked', async () => {
  const emulator = new Keyferry(['emulator', 'azurekeyvault', '--listen', '127.0.0.1:0'])
  await emulator.says('stdout', /^AZURE_CLIENT_SECRET='.+'$/m)
  expect(await emulator.stop()).toMatchObject({ code: 0, signal: null })
})

test.each([
  ['plain', "'plain'"],
  ["it's", `'it'\\''s'`],
  ['', "''"],
  ['$HOME `x` "y" \\', `'$HOME \`x\` "y" \\'`],
])('%j is quoted for the shell', (value, quoted) => {
  expect(formatEnvFile({ NAME: value })).toBe(`NAME=${quoted}\n`)
})
