import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfigFile } from '../../src/config/file.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-config-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function file(content: string | Buffer, name = 'keyferry.yaml'): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

describe('a configuration file', () => {
  const tree = { data: '/var/lib/keyferry', log: { level: 'warn' }, limits: { keys: 5 }, tls: { cert: 'a: b' } }
  const yaml = `# a comment
data: /var/lib/keyferry
log: { level: warn }
limits:
  keys: 5
tls:
  cert: 'a: b'
`
  test.each([
    ['YAML', yaml],
    ['YAML with its marks', `%YAML 1.2\n---\n${yaml}...\n`.replace('%YAML 1.2\n', '')],
    ['YAML behind a byte order mark', `\uFEFF${yaml}`],
    ['YAML with CRLF', yaml.replaceAll('\n', '\r\n')],
    ['JSON', JSON.stringify(tree)],
    ['JSON, indented', JSON.stringify(tree, null, '\t')],
    ['JSON with comments, which is YAML', `# a comment\n${JSON.stringify(tree, null, 2)}`],
  ])('may be %s, whatever it is called', (_, text) => {
    for (const name of ['keyferry.yaml', 'keyferry.json', 'keyferry']) {
      expect(readConfigFile(file(text, name)).tree).toEqual(tree)
    }
  })

  test('knows the line of each setting, in JSON too', () => {
    for (const { lineOf } of [
      readConfigFile(file(yaml)),
      readConfigFile(file('{\n"data": "x",\n"log": {"level": "x"},\n"limits": {\n"keys": 5\n},\n"tls": {"cert": ""}}')),
    ]) {
      expect(lineOf(['data'])).toBe(2)
      expect(lineOf(['log', 'level'])).toBe(3)
      expect(lineOf(['limits'])).toBe(4)
      expect(lineOf(['limits', 'keys'])).toBe(5)
      expect(lineOf(['limits', 'none'])).toBe(4)
      expect(lineOf(['none', 'at', 'all'])).toBeLessThanOrEqual(2)
    }
    const lists = readConfigFile(file('a:\n  - x\n  -\n    b: 1\nc: &c\n  d: 1\ne: *c\n'))
    expect([['a', 0], ['a', 1, 'b'], ['a', 7], ['e'], ['e', 'd']].map((path) => lists.lineOf(path))).toEqual([
      2, 4, 1, 7, 6,
    ])
  })

  test('may repeat a part by an alias', () => {
    expect(readConfigFile(file('azure: {clouds: {a: &a {caFile: x}, b: *a}}')).tree).toEqual({
      azure: { clouds: { a: { caFile: 'x' }, b: { caFile: 'x' } } },
    })
  })

  test.each([
    ['a: 1\nlog:\n  level: info\n  level: warn\n', 4, 'level is given twice, and each setting may be given once'],
    ['{"a": 1,\n"b": {"c": 1},\n"a": 2}', 3, 'a is given twice, and each setting may be given once'],
    ['{"a": {"b-1": 1,\n\n"b-1": 1}}', 3, 'b-1 is given twice, and each setting may be given once'],
    ['{"a": ":",\n"a"  : 1}', 2, 'a is given twice, and each setting may be given once'],
    ['data: x\n---\ndata: y\n', 2, 'there is a second document ("---"), and only one is allowed'],
    ['{"data": "x"}\n---\n{}', 2, 'there is a second document ("---"), and only one is allowed'],
    ['data: !path x', 1, 'tags ("!name") are not allowed: unresolved tag: !path'],
    ['a: 1\ndata: !!binary x', 2, 'tags ("!name") are not allowed: unresolved tag: tag:yaml.org,2002:binary'],
    ['data: !<tag:x> y', 1, 'tags ("!name") are not allowed: unresolved tag: tag:x'],
    ['%YAML 1.1\n---\na: yes', 1, 'directives ("%YAML") are not allowed'],
    [
      'a: *none',
      1,
      'the aliases ("*name") are not allowed: unresolved alias (the anchor must be set before the alias): none',
    ],
    ['? [a, b]\n: 1', 1, 'the name of a setting must be a text'],
    ['a: 1\nb:\n\tc: 1', 3, 'this is neither JSON nor YAML: tabs are not allowed as indentation'],
    ['{"data": "x"', 1, 'this is neither JSON nor YAML: flow map must end with a }'],
    ['{\n"data": "x"\n"log": 1}', 3, /^this is neither JSON nor YAML: missing , /],
    ['a: 1\nlisten: [::1]:8200', 2, /^this is neither JSON nor YAML: unexpected scalar at node end$/],
    ['a: "x', 1, /^this is neither JSON nor YAML: missing closing "quote$/],
    ['a: 1\nhttpsProxy: http://me:secret@x: y\n', 2, /^this is neither JSON nor YAML: (?!.*secret)/],
    ['a: 1\n secret: x\nb', 1, /^this is neither JSON nor YAML: (?!.*secret)/],
    ['# nothing\n# at all\n', 1, 'there is nothing but comments: "{}" says that nothing is set'],
  ])('%j is refused', (text, line, problem) => {
    for (const name of ['keyferry.yaml', 'keyferry.json']) {
      const path = file(text, name)
      const thrown = refusal(() => readConfigFile(path).tree)
      expect(thrown.exitCode).toBe(78)
      const place = `${path}:${line}: `
      expect(thrown.message.slice(0, place.length)).toBe(place)
      if (typeof problem === 'string') expect(thrown.message.slice(place.length)).toBe(problem)
      else expect(thrown.message.slice(place.length)).toMatch(problem)
    }
  })

  test('that nests without an end is refused', () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
    for (const text of [`a: ${deep}`, `{"a": ${deep}}`, deep, '{"a":'.repeat(20_000)]) {
      const path = file(text)
      expect(refusal(() => readConfigFile(path)).message).toMatch(/^\S+:\d+: the settings nest too deep$/)
    }
  })

  test.each([
    ['a: &a\n  b: *a\n', 1],
    ['a: 1\nissuers: &a\n  allowedHosts: [*a]\n', 1],
    [`a: &a [${Array.from({ length: 40 }, () => '*a').join(', ')}]`, 1],
    ...[33, 40, 2_000, 3_000].map((deep): [string, number] => [`{"a": ${'['.repeat(deep)}${']'.repeat(deep)}}`, 1]),
  ])('%j, which has no end or a far one, is refused', (text, line) => {
    for (const name of ['keyferry.yaml', 'keyferry.json']) {
      const path = file(text, name)
      expect(refusal(() => readConfigFile(path))).toMatchObject({
        exitCode: 78,
        message: `${path}:${line}: the settings nest too deep`,
      })
    }
  })

  test('whose aliases would fill the memory is refused at once', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 12; level++) {
      const below = `*a${level - 1}`
      lines.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => below).join(', ')}]`)
    }
    const { exitCode, message } = refusal(() => readConfigFile(file(lines.join('\n'))))
    expect([exitCode, message]).toEqual([
      78,
      expect.stringMatching(/keyferry\.yaml:1: the aliases \("\*name"\) are not allowed: excessive alias count/),
    ])
  })

  test.each([
    ['nothing', '', 'is empty: "{}" says that nothing is set'],
    ['blanks', ' \n\n', 'is empty: "{}" says that nothing is set'],
    ['other bytes', Buffer.from([0x61, 0x3a, 0xff, 0xfe]), 'is not text in UTF-8'],
    ['too much', `# ${'x'.repeat(1024 * 1024)}`, 'is larger than 1048576 bytes'],
  ])('with %s in it is refused', (_, content, problem) => {
    const path = file(content)
    expect(refusal(() => readConfigFile(path))).toMatchObject({
      exitCode: 78,
      message: `the configuration file ${path} ${problem}`,
    })
  })

  test('that cannot be read is named', () => {
    expect(() => readConfigFile(folder)).toThrow(`the configuration file ${folder} cannot be read: it is a folder`)
    expect(() => readConfigFile(join(folder, 'x', 'y'))).toThrow(/cannot be read: it does not exist$/)
  })

  test('of any JSON gives what JSON.parse gives, unless a name comes twice', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(!text.includes('__proto__'))
        const { tree, lineOf } = readConfigFile(file(text))
        expect(tree).toEqual(JSON.parse(text))
        expect(lineOf(['any', 0])).toBe(1)
      }),
      { numRuns: 200 },
    )
  })
})

function refusal(work: () => unknown): { exitCode: unknown; message: string } {
  try {
    work()
  } catch (error) {
    if (error instanceof Error && 'exitCode' in error) return { exitCode: error.exitCode, message: error.message }
    throw error
  }
  throw new Error('this was not refused')
}
