import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseEnv } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { temporaryFolders } from '../commands/keyferry.ts'
import { blocksOf } from '../docs/blocks.ts'
import { binary } from './commands.ts'
import { connectToEmulator } from './emulator-client.ts'

const folders = temporaryFolders()
afterAll(() => folders.removeAll())

/** The commands of a block, of which one may go over several lines. */
const commandsIn = (text: string) => text.replaceAll('\\\n', ' ').trim().split('\n')

test('docs/start.md, word by word: the binary alone, an empty PATH, five commands, and the key is in the vault', async () => {
  const [begin, then] = blocksOf('docs/start.md')
  if (!begin || !then) throw new Error('docs/start.md has no commands')
  expect([begin.language, then.language]).toEqual(['console', 'sh'])
  expect(commandsIn(begin.text).length + commandsIn(then.text).length).toBe(5)

  const cwd = folders.make()
  copyFileSync(binary, join(cwd, 'keyferry'))
  const options = { cwd, env: { PATH: '' }, encoding: 'utf8' } as const
  // On any free port: the usual one may be taken on the machine that runs this.
  const gateway = spawn('/bin/bash', ['-c', `exec ${begin.text.trim()} --listen 127.0.0.1:0`], {
    ...options,
    stdio: 'ignore',
  })
  const ended = new Promise<number | null>((resolve) => gateway.once('close', (code) => resolve(code)))
  try {
    while (!existsSync(join(cwd, 'dev.env'))) {
      if (gateway.exitCode !== null) throw new Error(`the gateway ended with ${gateway.exitCode}`)
      await sleep(20)
    }
    const { status, stdout, stderr } = spawnSync('/bin/bash', ['--norc', '-euo', 'pipefail', '-c', then.text], options)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.split('\n').filter((line) => line.startsWith('Success!'))).toHaveLength(3)

    const env = parseEnv(readFileSync(join(cwd, 'dev.env'), 'utf8')) as Record<string, string>
    const read = ['read', '--field', 'name', 'keymgmt/kms/prod/key/orders']
    const name = spawnSync(join(cwd, 'keyferry'), read, { ...options, env: { ...options.env, ...env } }).stdout
    const vault = await connectToEmulator(env, env.KEY_VAULT_NAME ?? '')
    expect((await vault.read(`/keys/${name}`)).key?.kty).toBe('RSA-HSM')
    expect(readdirSync(cwd).sort()).toEqual(['dev.env', 'keyferry'])
  } finally {
    gateway.kill('SIGTERM')
    expect(await ended).toBe(0)
  }
})
