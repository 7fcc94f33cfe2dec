import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { keyferry, launcher } from './keyferry.ts'

const commands = [
  'dev',
  'init',
  'serve',
  'config',
  'login',
  'status',
  'read',
  'list',
  'write',
  'delete',
  'audit',
  'backup',
  'restore',
  'release',
  'rotate-root',
  'doctor',
  'emulator',
]

describe('help', () => {
  test('fits a screen, names every command, and says how to begin', async () => {
    const { code, stdout, stderr } = await keyferry(['--help'])
    expect([code, stderr]).toEqual([0, ''])
    const lines = stdout.trimEnd().split('\n')
    expect(lines.length).toBeLessThanOrEqual(24)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    for (const name of commands) {
      expect(stdout).toMatch(new RegExp(`^  (\\w+, )?${name}[, ]`, 'm'))
    }
    expect(stdout).toContain('Begin with "keyferry dev"')
  })

  test.concurrent.each(commands)('of %s fits a screen too', async (name) => {
    const [{ code, stdout }, viaHelp] = await Promise.all([keyferry([name, '--help']), keyferry(['help', name])])
    expect(code).toBe(0)
    expect(viaHelp).toMatchObject({ code: 0, stdout })
    const lines = stdout.trimEnd().split('\n')
    expect(lines.length).toBeLessThanOrEqual(30)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120)
    expect(stdout).toMatch(new RegExp(`\nExamples?:\n  .*keyferry ${name}\\b`))
  })

  test('no command at all is shown the help, as a mistake', async () => {
    const { code, stdout } = await keyferry([])
    expect(code).toBe(64)
    expect(stdout).toContain('Usage: keyferry COMMAND')
  })

  test('--version', async () => {
    expect(await keyferry(['--version'])).toMatchObject({
      code: 0,
      stdout: `keyferry ${manifest.version}\n`,
      stderr: '',
    })
  })
})

describe('wrong usage is one sentence and exit code 64', () => {
  const known = `commands are ${commands.join(', ')}. "keyferry --help" explains them`
  test.concurrent.each([
    [['sevre'], `unknown command "sevre" (did you mean "serve"?): ${known}`],
    [['explode'], `unknown command "explode": ${known}`],
    [['constructor'], `unknown command "constructor": ${known}`],
    [['--data', 'x'], `unknown flag "--data": ${known}`],
    [
      ['serve', '--dta', 'x'],
      'unknown flag --dta (did you mean --data?). "keyferry serve --help" shows what is allowed',
    ],
    [['dev', '--frobnicate'], 'unknown flag --frobnicate. "keyferry dev --help" shows what is allowed'],
    [['init', '--data'], '--data needs a value: --data=DIR. "keyferry init --help" shows what is allowed'],
    [['init', '--data='], '--data needs a value: --data=DIR. "keyferry init --help" shows what is allowed'],
    [
      ['init', '--data', '--format', 'json'],
      '--data needs a value: --data=DIR. "keyferry init --help" shows what is allowed',
    ],
    [['init'], '--data DIR is missing. "keyferry init --help" shows what is allowed'],
    [['serve'], '--data DIR is missing. "keyferry serve --help" shows what is allowed'],
    [['init', '--data', 'a', '--data', 'b'], '--data is given twice. "keyferry init --help" shows what is allowed'],
    [
      ['init', 'data'],
      '"data" is not expected: the command takes only flags. "keyferry init --help" shows what is allowed',
    ],
    [
      ['init', '--data', 'never-made', '--format', 'xml'],
      '--format xml is not known: table and json are. "keyferry init --help" shows what is allowed',
    ],
    [['dev', '--verbose=yes'], '--verbose takes no value. "keyferry dev --help" shows what is allowed'],
    [
      ['dev', '--listen', 'everywhere'],
      '--listen everywhere is not allowed: it must be HOST:PORT, with an IPv6 host in brackets and a port from 0 (any free ' +
        'one) to 65535. "keyferry dev --help" shows what is allowed',
    ],
  ])('%j', async (args, sentence) => {
    expect(await keyferry(args)).toMatchObject({ code: 64, stdout: '', stderr: `keyferry: ${sentence}\n` })
  })

  test('a mistake in the emulator command is one too', async () => {
    const { code, stdout, stderr } = await keyferry(['emulator', 'awskms'])
    expect([code, stdout]).toEqual([64, ''])
    expect(stderr).toMatch(/^keyferry: there is one emulator, azurekeyvault, and not "awskms"\./)
  })
})

describe('the launcher', () => {
  const olds = ['/usr/bin/node', '/usr/local/bin/node'].filter((path) => existsSync(path) && majorOf(path) < 24)

  test('refuses a Node below 24 in one sentence', (context) => {
    const [old] = olds
    if (old === undefined) return context.skip('this machine has no Node below 24 to try it with')
    const version = execFileSync(old, ['--version'], { encoding: 'utf8' }).trim().slice(1)
    const { status, stdout, stderr } = spawnSync(old, [launcher, 'dev'], { encoding: 'utf8' })
    expect([status, stdout]).toEqual([78, ''])
    expect(stderr).toBe(
      `keyferry needs Node 24 or newer, and this is Node ${version}: run it as "npx keyferry" in a clone, or install a newer Node.\n`,
    )
  })

  test('is what package.json names', () => {
    expect(join(import.meta.dirname, '../..', manifest.bin.keyferry)).toBe(launcher)
  })

  test('is started so that Node leaves our --env-file alone, which it otherwise takes even behind the script', () => {
    expect(readFileSync(launcher, 'utf8').split('\n')[0]).toBe(
      '#!/usr/bin/env -S node --max-semi-space-size=2 --v8-pool-size=1 --',
    )
    expect(manifest.scripts.start).toBe('node --max-semi-space-size=2 --v8-pool-size=1 -- bin/keyferry.mjs dev')
  })
})

function majorOf(path: string): number {
  return Number(/^v(\d+)/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1])
}
