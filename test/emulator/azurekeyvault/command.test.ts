import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { emulatorCommand } from '../../../src/emulator/azurekeyvault/command.ts'
import type { KeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { call, tokenOf } from './harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'keyferry-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

const command = fileURLToPath(new URL('../../../src/emulator/azurekeyvault/command.ts', import.meta.url))
const script = `import(process.argv[1]).then((m) => m.emulatorCommand(process.argv.slice(2)))`

/** Starts the command in a process of its own, and waits until it has said where it is. */
async function start(
  args: string[],
): Promise<{ child: ChildProcess; variables: Record<string, string>; text: string }> {
  const child = spawn(process.execPath, ['-e', script, '--', command, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    if (text.includes('AZURE_CLIENT_SECRET=')) break
  }
  const variables = Object.fromEntries(
    [...text.matchAll(/^([A-Z_]+)='(.*)'$/gm)].map(([, name, value]) => [name, value]),
  )
  return { child, variables, text }
}

const exit = (child: ChildProcess) => new Promise((resolve) => child.once('exit', (code) => resolve(code)))

describe('keyferry emulator azurekeyvault', () => {
  test('says where it is, serves, and stops on SIGTERM', async () => {
    const caFile = join(folder, 'ca.pem')
    const { child, variables, text } = await start([
      'azurekeyvault',
      '--listen',
      '127.0.0.1:0',
      '--vault',
      'one',
      '--vault',
      'two:managedhsm',
      '--ca-file',
      caFile,
      '--tenant-id',
      'my-tenant',
      '--client-id',
      'my-client',
      '--client-secret',
      "it's",
    ])
    expect(text).toContain('# Vault: https://one.vault.azure.net (premium)')
    expect(text).toContain('# Vault: https://two.managedhsm.azure.net (managedhsm)')
    expect(text).toContain(`AZURE_CLIENT_SECRET='it'\\''s'`)
    expect(variables.EMULATOR_CA_FILE).toBe(caFile)
    expect(variables.EMULATOR_PID).toBe(String(child.pid))
    const running = {
      port: Number(new URL(variables.EMULATOR_URL ?? '').port),
      caCertificate: readFileSync(caFile, 'utf8'),
    } as KeyVaultEmulator
    const token = await tokenOf(running, { tenantId: 'my-tenant', clientId: 'my-client', clientSecret: "it's" })
    const list = await call(running, { host: 'one.vault.azure.net', token, path: '/keys?api-version=7.6' })
    expect(list.status).toBe(200)
    const admin = await call(running, { path: '/_emulator/vaults', token: variables.EMULATOR_ADMIN_TOKEN })
    expect(admin.status).toBe(200)
    const exited = exit(child)
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
    expect(existsSync(caFile)).toBe(true)
  })

  test('by default two vaults, random credentials, and a temporary file that goes with it', async () => {
    const { child, variables, text } = await start(['--listen', '[::1]:0', '--managed-identity'])
    expect(text).toContain('# Vault: https://keyferry.vault.azure.net (premium)')
    expect(text).toContain('# Vault: https://keyferry-standard.vault.azure.net (standard)')
    expect(variables.EMULATOR_URL).toMatch(/^https:\/\/\[::1\]:\d+$/)
    expect(variables.AZURE_POD_IDENTITY_AUTHORITY_HOST).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect(variables.AZURE_CLIENT_SECRET).toHaveLength(32)
    const caFile = variables.EMULATOR_CA_FILE ?? ''
    expect(readFileSync(caFile, 'utf8')).toContain('BEGIN CERTIFICATE')
    const exited = exit(child)
    child.kill('SIGINT')
    expect(await exited).toBe(0)
    expect(existsSync(caFile)).toBe(false)
  })

  test.each([
    [['--colour', 'red'], /Unknown option '--colour'/],
    [['gcp'], /there is one emulator, azurekeyvault, and not "gcp"\./],
    [['azurekeyvault', 'more'], /and not "azurekeyvault more"\./],
    [['--listen', '8443'], /--listen takes HOST:PORT, for example 127\.0\.0\.1:8443, and not "8443"\./],
    [['--listen', '127.0.0.1:70000'], /--listen takes HOST:PORT/],
    [
      ['--vault', 'abc:gold'],
      /--vault takes NAME or NAME:KIND with KIND premium, standard or managedhsm, and not "abc:gold"\./,
    ],
    [['--vault', 'a:premium:x'], /--vault takes NAME or NAME:KIND/],
    [['--vault', 'a_b'], /Not a vault: name: must be 3 to 24 letters/],
    [['--vault', 'abc', '--vault', 'ABC'], /There is a vault abc\.vault\.azure\.net already\./],
    [['--tenant-id', 'a/b'], /Not a principal: tenantId: must be a tenant id/],
    [['--vault'], /Option '--vault <value>' argument missing/],
  ])('%o is refused with a sentence and the usage', async (args, message) => {
    const run = emulatorCommand(args)
    await expect(run).rejects.toThrow(message)
    await expect(run).rejects.toThrow(/^keyferry emulator: [\s\S]*\n\nUsage: keyferry emulator azurekeyvault/)
  })
})
