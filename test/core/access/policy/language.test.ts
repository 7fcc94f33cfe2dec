import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { capabilityNames } from '../../../../src/core/access/policy/capabilities.ts'
import { mostCharacters, parsePolicy } from '../../../../src/core/access/policy/parse.ts'
import { patternFault } from '../../../../src/core/access/policy/pattern.ts'
import { KeyferryError } from '../../../../src/core/errors.ts'

/** The refusal's message; undefined where the text is read. Any other error is thrown on. */
function refusal(text: string): string | undefined {
  try {
    parsePolicy(text)
    return undefined
  } catch (error) {
    if (error instanceof KeyferryError && error.code === 'invalid') return error.message
    throw error
  }
}

/** The text is read, or refused with a line and column that it has. */
function checkPlace(text: string): void {
  const message = refusal(text)
  if (message === undefined) return
  const [, line, column] = /^line (\d+), column (\d+): ./.exec(message) ?? []
  const length = text.split('\n')[Number(line) - 1]?.length
  if (length === undefined || !(Number(column) >= 1 && Number(column) <= length + 1)) {
    throw new Error(`no such place in ${JSON.stringify(text.slice(0, 200))}: ${message}`)
  }
}

const value = fc.oneof(
  fc.string().filter((text) => text !== '*'),
  fc.integer(),
  fc.boolean(),
  fc.array(
    fc.oneof(
      fc.string().filter((text) => text !== '*'),
      fc.integer(),
    ),
    { maxLength: 2 },
  ),
)
const parameters = fc.uniqueArray(
  fc.tuple(
    fc.string({ minLength: 1 }).filter((name) => name !== '*'),
    fc.array(value, { maxLength: 3 }),
  ),
  { maxLength: 3, selector: ([name]) => name.toLowerCase() },
)
const block = fc.record(
  {
    pattern: fc.oneof(
      fc.constantFrom('a', 'a/*', '+/b', 'a/+/c*', '*', '+'),
      fc.string({ minLength: 1 }).filter((text) => !text.startsWith('/') && patternFault(text) === undefined),
    ),
    capabilities: fc.subarray([...capabilityNames]),
    allowed_parameters: parameters,
    denied_parameters: parameters,
    required_parameters: fc.array(fc.string(), { maxLength: 3 }),
    min_wrapping_ttl: fc.integer({ min: 0, max: 100 }),
    max_wrapping_ttl: fc.integer({ min: 100, max: 200 }),
  },
  { requiredKeys: ['pattern', 'capabilities'] },
)
type Block = typeof block extends fc.Arbitrary<infer T> ? T : never

/** As HCL, with `gap` wherever white space may stand. */
function hcl(blocks: readonly Block[], gap: string): string {
  const text = (plain: string) =>
    `"${plain.replace(/["\\]|[^ -~]/gu, (char) => (/["\\]/.test(char) ? `\\${char}` : `\\U${(char.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`))}"`
  const any = (item: unknown): string =>
    Array.isArray(item) ? `[${item.map(any).join(`${gap},`)}]` : typeof item === 'string' ? text(item) : `${item}`
  return blocks
    .map(({ pattern, ...fields }) => {
      const lines = Object.entries(fields).map(([key, field]) => {
        if (!key.endsWith('ed_parameters') || key.startsWith('required')) return `${key}${gap}=${gap}${any(field)}`
        const entries = (field as [string, unknown][]).map(([name, values]) => `${text(name)} = ${any(values)}`)
        return `${key} = {${entries.join(`${gap}`)}}`
      })
      return `path ${text(pattern)}${gap}{${gap}${lines.join(gap)}${gap}}`
    })
    .join(gap)
}

function json(blocks: readonly Block[], space: number): string {
  const paths = blocks.map(({ pattern, ...fields }) => {
    const { allowed_parameters: allowed, denied_parameters: denied } = fields
    const pairs = Object.entries({
      ...fields,
      ...(allowed && { allowed_parameters: Object.fromEntries(allowed) }),
      ...(denied && { denied_parameters: Object.fromEntries(denied) }),
    })
    return Object.fromEntries([[pattern, Object.fromEntries(pairs)]])
  })
  return JSON.stringify({ path: paths }, undefined, space)
}

describe('HCL and JSON', () => {
  it('say the same', () => {
    fc.assert(
      fc.property(
        fc.array(block, { maxLength: 4 }),
        fc.constantFrom(' ', '\n', ' # note\n', ' /* note */ ', '\r\n\t', ' // note\n '),
        fc.constantFrom(0, 2),
        (blocks, gap, space) => {
          const rules = parsePolicy(json(blocks, space))
          expect(parsePolicy(hcl(blocks, gap))).toEqual(rules)
          expect(rules.map(({ pattern }) => pattern)).toEqual(blocks.map(({ pattern }) => pattern))
          for (const [index, { capabilities }] of blocks.entries()) {
            const sorted = [...capabilities].sort()
            expect(rules[index]?.capabilities).toEqual(sorted.includes('deny') ? ['deny'] : sorted)
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })
})

describe('whatever is sent', () => {
  const pieces = [
    ...['path', 'name', 'capabilities', 'policy', 'allowed_parameters', 'required_parameters', 'min_wrapping_ttl', 'x'],
    ...[
      '"a"',
      '"a/*"',
      '"a/+/b"',
      '"read"',
      '"deny"',
      '"',
      '\\',
      '"\\u12',
      '""',
      'true',
      'null',
      '1',
      '-',
      '0x',
      '1e9',
      '.',
    ],
    ...[
      '{',
      '}',
      '[',
      ']',
      ',',
      '=',
      ':',
      '\n',
      ' ',
      '#',
      '//',
      '/*',
      '*/',
      '<<E\n',
      '<<-E\n',
      '\nE\n',
      '\uFEFF',
      '\u0000',
      '\ud83d',
    ],
    ...['path "a" { capabilities = ["read"] }\n', '{"path":{"a":{"capabilities":["read"]}}}'],
  ]

  it('is read, or refused with line and column', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), checkPlace), { numRuns: 2_000 })
    const mix = fc.array(fc.constantFrom(...pieces), { maxLength: 30 }).map((list) => list.join(''))
    fc.assert(fc.property(mix, checkPlace), { numRuns: 8_000 })
    fc.assert(
      fc.property(mix, (text) => checkPlace(`{${text}`)),
      { numRuns: 4_000 },
    )
  })

  it('is read, or refused, with any one character of a good policy changed', () => {
    const good = [
      '# x\npath "a/+/b*" {\n  capabilities = ["read", "list"]\n  allowed_parameters = { "x" = ["y*", 1] }\n}\n',
      '{"path": {"a/+/b*": {"capabilities": ["read", "list"], "allowed_parameters": {"x": ["y*", 1]}}}}',
    ]
    for (const text of good) {
      for (let at = 0; at < text.length; at++) {
        for (const put of ['', '"', '{', '}', '[', ']', ',', '\\', '\n', '*', '+', 'é', '\u0000']) {
          checkPlace(text.slice(0, at) + put + text.slice(at + 1))
        }
        checkPlace(text.slice(0, at))
      }
    }
  })

  // Each of these would take minutes, or the stack, if the work were not in proportion to the text.
  it.each([
    ...[
      '[',
      '{',
      '{"path":',
      'path ',
      '"',
      '\\',
      '"\\',
      '/*',
      '/',
      '*/',
      '<<E\n',
      'a=[',
      'a{',
      'a,',
      '1',
      '1,',
      '-',
      '# \n',
      ',',
    ],
    ...[
      'path "a" {\n',
      'path "a" {}\n',
      '"a" = 1\n',
      '{"a":1},',
      'é',
      '\n',
      ' ',
      '\uFEFF',
      '<<E\nx\n',
      '0x0',
      '\ud83d',
    ],
  ])('comes to an end for %j over and over', (piece) => {
    const long = piece.repeat(Math.ceil(mostCharacters / piece.length)).slice(0, mostCharacters)
    for (const before of ['', '{', '{"path":{"', 'path "', 'path "a" { allowed_parameters = { "x" = [', 'name = ']) {
      checkPlace((before + long).slice(0, mostCharacters))
    }
  })
})
