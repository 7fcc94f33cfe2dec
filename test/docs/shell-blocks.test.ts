import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Keyferry, temporaryFolders } from '../commands/keyferry.ts'
import { type Block, blocksOf, documents, repository } from './blocks.ts'

/**
 * Every block marked `sh` is run here, in order, as a newcomer would: in a folder that looks like a clone, with a gateway that was
 * started as README says. Those that cannot be run are marked `console` and listed with the reason; bash checks their syntax.
 */
const notRun: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'README.md': {
    'npm ci && npm run demo':
      'installs, and would in the folder that this test runs in; the demo has a test of its own',
    'npm ci && npm test': 'is what runs this test',
    'npm start -- --env-file dev.env': 'runs until it is stopped; this test starts it',
    'vault write keymgmt/kms/prod': 'needs the Vault command line',
    'npx keyferry serve --data ./data --listen 127.0.0.1:8200':
      'runs until it is stopped; test/commands/life.test.ts runs it',
    'npx keyferry emulator azurekeyvault': 'runs until it is stopped; test/commands/dev.test.ts runs it',
  },
  'CONTRIBUTING.md': { 'npm ci\nnpm run dev': 'installs, and runs until it is stopped' },
}

const blocks = documents().flatMap((file) => blocksOf(file))
const run = blocks.filter(({ language }) => language === 'sh')
const shown = blocks.filter(({ language }) => language === 'console')
const place = ({ file, line }: Block) => `${file}:${line}`

const folders = temporaryFolders()
let clone: string
let gateway: Keyferry

beforeAll(async () => {
  clone = folders.make()
  for (const name of readdirSync(repository)) {
    if (name === 'package.json') copyFileSync(join(repository, name), join(clone, name))
    else if (!name.startsWith('.git')) symlinkSync(join(repository, name), join(clone, name))
  }
  const args = ['dev', '--listen', '127.0.0.1:0', '--env-file', 'dev.env']
  gateway = new Keyferry(args, { cwd: clone })
  await gateway.says('stdout', /Ctrl-C stops it/)
})

afterAll(async () => {
  await gateway?.stop()
  folders.removeAll()
})

test('documents have no block for a shell that is neither run nor listed', () => {
  expect(run.length).toBeGreaterThan(3)
  const others = blocks.filter(({ language }) => /^(bash|shell|shellsession|zsh)$/.test(language))
  expect(others.map(place)).toEqual([])
})

test('blocks marked sh run, in order, in one shell per document', { timeout: 60_000 }, () => {
  for (const file of new Set(run.map((block) => block.file))) {
    const script = run
      .filter((block) => block.file === file)
      .map((block) => `echo "at ${place(block)}" >&2\n${block.text}`)
      .join('\n')
    const { status, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: clone,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: clone, npm_config_offline: 'true', npm_config_update_notifier: 'false' },
    })
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
    expect(stderr.match(/^at /gm)).toHaveLength(run.filter((block) => block.file === file).length)
  }
  expect(existsSync(join(clone, 'data', 'keyferry.db'))).toBe(true)
})

describe('blocks marked console', () => {
  test.each(shown.map((block) => [place(block), block] as const))('%s is good bash, and listed', (_, block) => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: block.text, encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
    const listed = Object.keys(notRun[block.file] ?? {}).filter((beginning) => block.text.startsWith(beginning))
    expect(listed).toHaveLength(1)
  })

  test('nothing is listed that is not there', () => {
    for (const [file, beginnings] of Object.entries(notRun)) {
      for (const beginning of Object.keys(beginnings)) {
        const found = shown.filter((block) => block.file === file && block.text.startsWith(beginning))
        expect([file, beginning, found.length]).toEqual([file, beginning, 1])
      }
    }
  })
})

test('the quick start is on the first screen of README', () => {
  const commands = shown.filter(({ file }) => file === 'README.md').slice(0, 2)
  expect(commands.map(({ text }) => text)).toEqual(['npm ci && npm run demo\n', 'npm ci && npm test\n'])
  expect(commands.every(({ line }) => line <= 30)).toBe(true)
})
