import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `src/${name}`)

/** What a file imports: paths below the root for its own files, package names for others. Type imports count as well. */
function importsOf(file: string, text = readFileSync(join(root, file), 'utf8')): string[] {
  const specifiers = [
    ...text.matchAll(/^\s*(?:import|export)\s[^'"]*?\bfrom\s+['"]([^'"]+)['"]/gm),
    ...text.matchAll(/^\s*import\s+['"]([^'"]+)['"]/gm),
    ...text.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g),
  ].map((match) => match[1] ?? '')
  return specifiers.map((name) => (name.startsWith('.') ? relative(root, resolve(root, dirname(file), name)) : name))
}

/** folder -> what its files may import: folders of ours, and packages by the beginning of their names. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'src/core/': ['src/core/', 'node:', 'jose'],
  'src/providers/azurekeyvault/': ['src/providers/azurekeyvault/', 'src/core/', 'node:', '@azure/'],
  'src/store/': ['src/store/', 'src/core/', 'node:', 'better-sqlite3', 'drizzle-orm'],
  'src/telemetry/': ['src/telemetry/', 'src/core/', 'node:', 'prom-client'],
  'src/emulator/azurekeyvault/': ['src/emulator/azurekeyvault/', 'node:', 'zod', '@peculiar/x509', 'jose'],
  'src/http/': ['src/http/', 'src/web/', 'src/core/', 'hono', 'zod'],
  'src/web/': ['src/web/', 'hono'],
  'src/client/': ['src/client/', 'src/config/exit-codes.ts', 'src/config/listen.ts', 'node:'],
  'src/serve/': ['src/serve/', 'src/http/', 'src/core/', 'node:', 'hono', '@hono/node-server'],
  'src/config/': ['src/config/', 'src/core/', 'src/providers/azurekeyvault/options.ts', 'node:', 'zod', 'yaml'],
}

function breaches(file: string, imports: readonly string[]): string[] {
  const folder = Object.keys(allowed).find((name) => file.startsWith(name))
  if (folder === undefined) return []
  return imports
    .filter((name) => !allowed[folder]?.some((prefix) => name === prefix || name.startsWith(withEnd(prefix))))
    .map((name) => `${file} imports ${name}`)
}

function withEnd(prefix: string): string {
  return /[:/]$/.test(prefix) ? prefix : `${prefix}/`
}

describe('imports point one way: main -> serve -> http -> core <- store, providers, emulator', () => {
  test('there are files to look at, and their imports are found', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(importsOf('src/core/core.ts')).toContain('src/core/keys/pool.ts')
    expect(importsOf('src/main.ts')).toContain('src/commands/serve.ts')
  })

  test('no file breaks the rule', () => {
    expect(files.flatMap((file) => breaches(file, importsOf(file)))).toEqual([])
  })

  test.each([
    ['src/core/keys/service.ts', "import { Hono } from 'hono'"],
    ['src/core/keys/service.ts', "import type { eq } from 'drizzle-orm'"],
    ['src/core/keys/service.ts', "const sdk = await import('@azure/keyvault-keys')"],
    ['src/core/keys/service.ts', "const Sqlite = require('better-sqlite3')"],
    ['src/core/keys/service.ts', "export { serveNode } from '../../serve/node.ts'"],
    ['src/core/core.ts', "import '../http/app.ts'"],
    ['src/core/core.ts', "import {\n  openStore,\n} from '../store/sqlite/index.ts'"],
    ['src/providers/azurekeyvault/client.ts', "import { x } from '../awskms/index.ts'"],
    ['src/emulator/azurekeyvault/byok.ts', "import { wrap } from '../../core/kms/wrapping.ts'"],
  ])('the rule would be seen broken: %s, %s', (file, line) => {
    expect(breaches(file, importsOf(file, line))).toHaveLength(1)
  })
})

test('no source file is longer than 250 lines', () => {
  const long = files.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length - 1 > 250)
  expect(long).toEqual([])
})
