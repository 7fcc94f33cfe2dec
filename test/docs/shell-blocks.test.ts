import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Keyferry, temporaryFolders } from '../commands/keyferry.ts'
import { type Block, blocksOf, documents, repository } from './blocks.ts'
import { notRun, reasonFor } from './not-run.ts'

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
  // Where documents have the single binary, this is the same from source.
  const program = [process.execPath, '--', join(clone, 'bin/keyferry.mjs')].map((word) => `'${word}'`).join(' ')
  writeFileSync(join(clone, 'keyferry'), `#!/bin/sh\nexec ${program} "$@"\n`, { mode: 0o755 })
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

test('blocks marked sh run, in order, in one shell per document', { timeout: 240_000 }, () => {
  for (const file of new Set(run.map((block) => block.file))) {
    const script = run
      .filter((block) => block.file === file)
      .map((block) => `echo "at ${place(block)}" >&2\n${block.text}`)
      .join('\n')
    const { status, stderr } = spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
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
    expect(reasonFor(block.file, block.text)).toHaveLength(1)
  })

  test('nothing is listed that is not there', () => {
    for (const [file, beginnings] of Object.entries(notRun)) {
      for (const beginning of Object.keys(beginnings)) {
        const found = shown.filter(
          (block) => block.file === file && (beginning === '*' || block.text.startsWith(beginning)),
        )
        expect([file, beginning, beginning === '*' ? Math.min(1, found.length) : found.length]).toEqual([
          file,
          beginning,
          1,
        ])
      }
    }
  })
})

test('the quick start is on the first screen of README', () => {
  const commands = shown.filter(({ file }) => file === 'README.md').slice(0, 2)
  expect(commands.map(({ text }) => text)).toEqual(['npm ci && npm run demo\n', 'npm ci && npm test\n'])
  expect(commands.every(({ line }) => line <= 30)).toBe(true)
})
