import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolders } from '../commands/keyferry.ts'
import { blocksOf } from '../docs/blocks.ts'
import { repository } from './commands.ts'
import { endToEnd } from './end-to-end.ts'

const folders = temporaryFolders()
afterAll(() => folders.removeAll())

/** A folder of somebody's own, with the package and what the example in docs/emulator.md asks for. */
let folder: string
const bin = (name: string) => join(folder, 'node_modules/.bin', name)

function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}\n${stderr}`)
  return stdout
}

beforeAll(() => {
  folder = folders.make()
  const packed =
    run('npm', ['pack', '--silent', '--pack-destination', folder], repository).trim().split('\n').at(-1) ?? ''
  const { devDependencies, dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>
    dependencies: Record<string, string>
  }
  const versions = { ...devDependencies, ...dependencies }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'somebody', private: true, type: 'module' }))
  const others = ['@azure/identity', '@azure/keyvault-keys', 'vitest', 'typescript', '@types/node'].map(
    (name) => `${name}@${versions[name]}`,
  )
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', `./${packed}`, ...others], folder)
})

describe('the npm package, installed in an empty folder', () => {
  test('has no TypeScript that would have to run, and none of the tests', () => {
    const files = readdirSync(join(folder, 'node_modules/keyferry'), { recursive: true, encoding: 'utf8' })
    expect(files.filter((name) => /\.ts$/.test(name) && !/\.d\.ts$/.test(name))).toEqual([])
    expect(files.filter((name) => /(^|\/)(test|src|bench)(\/|$)/.test(name))).toEqual([])
    expect(files).toContain('LICENSE')
  })

  test('brings the Azure SDK that does not lose the bodies of PUT requests', () => {
    const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/@azure/keyvault-common/package.json'), 'utf8'))
    expect(manifest.version).not.toBe('2.1.0')
  })

  test('npx keyferry', () => {
    expect(run('npx', ['keyferry', '--version'], folder)).toMatch(/^keyferry \d/)
  })

  test('is a gateway that does all that the sources do', async () => {
    const command = [process.execPath, '--', join(folder, 'node_modules/keyferry/bin/keyferry.mjs')]
    expect(await endToEnd(command, { cwd: folder })).toBeGreaterThan(50)
  })

  test('has the emulator as a library: the example of docs/emulator.md passes under vitest, and its types hold', () => {
    const [example] = blocksOf('docs/emulator.md').filter(({ text }) => text.includes("from 'keyferry/emulator'"))
    writeFileSync(join(folder, 'orders.test.ts'), example?.text ?? '')
    const compilerOptions = { strict: true, noEmit: true, module: 'nodenext', target: 'esnext', types: ['node'] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.test.ts'] }))
    expect(run(bin('tsc'), [], folder)).toBe('')
    expect(run(bin('vitest'), ['run', '--no-color'], folder)).toMatch(/Tests {2}2 passed/)
  })
})
