import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { blocksOf, documents, repository } from './blocks.ts'

/** GitHub's rule: lower case, punctuation out, spaces to hyphens. */
function anchorsOf(file: string): string[] {
  const text = readFileSync(join(repository, file), 'utf8')
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('links between documents lead somewhere', () => {
  const broken: string[] = []
  let seen = 0
  for (const file of documents()) {
    const text = readFileSync(join(repository, file), 'utf8')
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https:/.test(target)) continue
      seen++
      const [path = '', anchor] = target.split('#')
      const full = path === '' ? file : relative(repository, join(repository, dirname(file), path))
      if (!existsSync(join(repository, full))) broken.push(`${file}: ${target}`)
      else if (anchor !== undefined && !anchorsOf(full).includes(anchor)) broken.push(`${file}: ${target}`)
    }
  }
  expect(seen).toBeGreaterThan(4)
  expect(broken).toEqual([])
})

test('every page of docs/ is in the list in README', () => {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8')
  const pages = documents().filter((file) => file.startsWith('docs/'))
  expect(pages.length).toBeGreaterThan(15)
  expect(pages.filter((file) => !readme.includes(`](${file})`))).toEqual([])
})

test('every figure of docs/performance.md says what repeats it', () => {
  const text = readFileSync(join(repository, 'docs/performance.md'), 'utf8')
  const [, figures = ''] = /\| repeat with `--only` \|\n\|[-|]+\n((?:\|.*\n)+)/.exec(text) ?? []
  const rows = figures.trim().split('\n')
  expect(rows.length).toBeGreaterThan(10)
  const measured = [...text.matchAll(/^\| `([a-z-]+)` \| /gm)].map(([, name]) => name)
  for (const row of rows) {
    const names = [...(row.split('|').at(-2) ?? '').matchAll(/`([a-z-]+)`/g)].map(([, name]) => name)
    expect([row, names.length > 0 && names.every((name) => measured.includes(name))]).toEqual([row, true])
  }
})

test('npm scripts and paths that documents name exist', () => {
  const missing: string[] = []
  for (const file of documents()) {
    const text = readFileSync(join(repository, file), 'utf8')
    for (const [, name = ''] of text.matchAll(/npm run ([a-z:]+)/g)) {
      if (!(name in manifest.scripts)) missing.push(`${file}: npm run ${name}`)
    }
    for (const [, path = ''] of text.matchAll(/`((?:src|test|docs|bench|demo|migrations)\/[\w./-]*)`/g)) {
      if (!existsSync(join(repository, path))) missing.push(`${file}: ${path}`)
    }
  }
  expect(missing).toEqual([])
})

test('every dependency has its reason in docs/architecture.md', () => {
  const text = readFileSync(join(repository, 'docs/architecture.md'), 'utf8')
  const all = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)]
  const unexplained = all.filter((name) => !text.includes(`\`${name}\``) && !name.startsWith('@types/'))
  expect(unexplained).toEqual([])
  const inexact = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
  )
  expect(inexact).toEqual([])
})

test('blocks are found', () => {
  expect(blocksOf('x.md', 'a\n```sh\nls\n```\n')).toEqual([{ file: 'x.md', line: 3, language: 'sh', text: 'ls\n' }])
  expect(() => blocksOf('x.md', '```sh\nls\n')).toThrow('x.md: the block at line 2 is not closed')
})
