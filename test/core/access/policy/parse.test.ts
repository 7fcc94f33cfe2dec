import { describe, expect, it } from 'vitest'
import { mostCharacters, mostPaths, parsePolicy } from '../../../../src/core/access/policy/parse.ts'
import { KeyferryError } from '../../../../src/core/errors.ts'

function refusal(text: string): string {
  try {
    parsePolicy(text)
  } catch (error) {
    if (error instanceof KeyferryError && error.code === 'invalid') return error.message
    throw error
  }
  return 'not refused'
}

describe('HCL', () => {
  it('takes a policy as people write it', () => {
    expect(
      parsePolicy(`
# a comment
// another
/* and
   one more */
name = "orders"
path "keymgmt/key/*" {
  capabilities = ["create", "read", "update", "read",] # trailing comma
  comment = "for the orders service"
}
path "/keymgmt/kms/+/key/orders" {
  "capabilities" = [
    "update", // one
    "delete"
  ],
  allowed_parameters = {
    "purpose" = ["encrypt", "wrap*"]
    Protection = ["hsm"],
    "*" = []
  }
  denied_parameters { "force" = [true, 1, -1.5e2, 0x10] }
  required_parameters = ["Purpose", "purpose"]
  min_wrapping_ttl = "1m30s"
  max_wrapping_ttl = 3600
}
path "old" { policy = "write" }
path "secret" { capabilities = ["read", "deny"] allowed_parameters = { "x" = [] } }
path "nothing" {}
`),
    ).toEqual([
      { pattern: 'keymgmt/key/*', capabilities: ['create', 'read', 'update'] },
      {
        pattern: 'keymgmt/kms/+/key/orders',
        capabilities: ['delete', 'update'],
        allowedParameters: new Map([
          ['purpose', ['encrypt', 'wrap*']],
          ['protection', ['hsm']],
          ['*', []],
        ]),
        deniedParameters: new Map([['force', [true, 1, -150, 16]]]),
        requiredParameters: ['purpose'],
        minWrappingTtl: 90,
        maxWrappingTtl: 3600,
      },
      { pattern: 'old', capabilities: ['create', 'delete', 'list', 'read', 'update'] },
      { pattern: 'secret', capabilities: ['deny'] },
      { pattern: 'nothing', capabilities: [] },
    ])
  })

  it.each([
    ['', []],
    ['  # only a comment', []],
    ['\uFEFFpath "a" { capabilities = ["read"] }', [{ pattern: 'a', capabilities: ['read'] }]],
    ['path "a" {\r\n  capabilities = ["read"]\r\n}\r\n', [{ pattern: 'a', capabilities: ['read'] }]],
    ['"path" "a" { "policy" = "deny" }', [{ pattern: 'a', capabilities: ['deny'] }]],
    ['path a { policy = "read" }', [{ pattern: 'a', capabilities: ['list', 'read'] }]],
    ['path { "a" { policy = "read" } }', [{ pattern: 'a', capabilities: ['list', 'read'] }]],
    ['path = { "a" = { policy = "read" } }', [{ pattern: 'a', capabilities: ['list', 'read'] }]],
    [
      'path "a" { policy = <<EOT\nsudo\nEOT\n}',
      'line 1, column 21: unknown policy "sudo?": allowed are deny, read, write or sudo',
    ],
    ['path "a" { comment = <<-EOT\n  x\n  EOT\n policy = "deny" }', [{ pattern: 'a', capabilities: ['deny'] }]],
    ['path "a\\u002fb\\"\\\\\\t" {}', 'line 1, column 6: the path "a/b"\\?" has control characters, which no path has'],
    ['path "a\\u002fb" {}', [{ pattern: 'a/b', capabilities: [] }]],
    ['path "a\\U0001F511" {}', [{ pattern: 'a\u{1F511}', capabilities: [] }]],
    [
      'path "a//*b" {}',
      'line 1, column 6: the path "a//*b" has a "*" inside: "*" is allowed only as the last character',
    ],
    [
      'path "a" {} path "a" { policy = "read" }',
      [
        { pattern: 'a', capabilities: [] },
        { pattern: 'a', capabilities: ['list', 'read'] },
      ],
    ],
  ])('reads %j', (text, rules) => {
    if (typeof rules === 'string') expect(refusal(text)).toBe(rules)
    else expect(parsePolicy(text)).toEqual(rules)
  })

  it('takes the indentation of the last line off a <<- heredoc that shares it', () => {
    const value = (heredoc: string) =>
      parsePolicy(`path "a" { allowed_parameters = { "x" = [${heredoc}\n] } }`)[0]?.allowedParameters?.get('x')
    expect(value('<<-E\n    one\n  two\n  E')).toEqual(['  one\ntwo\n'])
    expect(value('<<-E\n    one\ntwo\n  E')).toEqual(['    one\ntwo\n'])
    expect(value('<<E\n  one\n  E\n, "two"')).toEqual(['  one\n', 'two'])
    expect(value('<<E\nE')).toEqual([''])
  })
})

describe('JSON', () => {
  it.each([
    '{"path":{"a/*":{"capabilities":["read","list"]},"b":{"policy":"deny"}}}',
    '{"path":[{"a/*":{"capabilities":["read","list"]}},{"b":{"policy":"deny"}}]}',
    '{"path":[{"a/*":[{"capabilities":["read","list"]}],"b":[{"policy":"deny"}]}],"name":"x"}',
    ' \n{"path":{"a/*":{"capabilities":["read","list"]}},"path":{"b":{"policy":"deny"}}} \n',
    '\uFEFF{"path":{"a\\u002f*":{"capabilities":["list","read"],"comment":""},"/b":{"capabilities":["deny"]}}}',
  ])('reads %s', (text) => {
    expect(parsePolicy(text)).toEqual([
      { pattern: 'a/*', capabilities: ['list', 'read'] },
      { pattern: 'b', capabilities: ['deny'] },
    ])
  })

  it('keeps both of two equal paths, so that no deny gets lost', () => {
    expect(parsePolicy('{"path":{"a":{"policy":"deny"},"a":{"policy":"read"}}}')).toEqual([
      { pattern: 'a', capabilities: ['deny'] },
      { pattern: 'a', capabilities: ['list', 'read'] },
    ])
  })

  it('reads parameters, also in the form of lists of objects', () => {
    const rule = { pattern: 'a', capabilities: [], allowedParameters: new Map([['x', ['b*', 1, true, ['c']]]]) }
    expect(parsePolicy('{"path":{"a":{"allowed_parameters":{"X":["b*",1,true,["c"]]}}}}')).toEqual([rule])
    expect(parsePolicy('{"path":{"a":[{"allowed_parameters":[{"X":["b*",1,true,["c"]]}]}]}}')).toEqual([rule])
  })
})

describe('what is refused', () => {
  const capabilities = 'create, delete, deny, list, patch, read, sudo or update'
  const keys =
    'capabilities, policy, allowed_parameters, denied_parameters, required_parameters, min_wrapping_ttl, max_wrapping_ttl or comment'
  it.each([
    // the language
    ['path "a" {\n  capabilities = ["read"\n}', 'line 3, column 1: "}" where "," or "]" is expected'],
    ['path "a" {\n  capabilities = ["read"]\n', 'line 3, column 1: the end of the policy where a name is expected'],
    [
      'path "a" { capabilities = read }',
      'line 1, column 27: "read" where a value (text in double quotes, a number, true, false, a list or an object) is expected',
    ],
    ['path "a" { capabilities = ["read" "list"] }', 'line 1, column 35: "list" where "," or "]" is expected'],
    ['path "a" { capabilities ["read"] }', 'line 1, column 25: "[" where "=" or "{" is expected'],
    ['path "a" = { }', 'line 1, column 10: "=" where "{" is expected'],
    ['path "a', 'line 1, column 6: the string that begins here has no closing quote on its line'],
    ['path "a\nb" {}', 'line 1, column 6: the string that begins here has no closing quote on its line'],
    [
      'path "\\x41" {}',
      'line 1, column 7: unknown escape: allowed are \\", \\\\, \\n, \\r, \\t, \\uXXXX and \\UXXXXXXXX',
    ],
    [
      'path "\\ud83d" {}',
      'line 1, column 7: unknown escape: allowed are \\", \\\\, \\n, \\r, \\t, \\uXXXX and \\UXXXXXXXX',
    ],
    ['\n/* never closed', 'line 2, column 1: the comment that begins here has no "*/"'],
    ['name = <<EOT\ntext\n', 'line 1, column 8: the heredoc that begins here has no line "EOT"'],
    ['name = <EOT', 'line 1, column 8: a heredoc begins with <<NAME and a new line'],
    ['path "a" { max_wrapping_ttl = 1e999 }', 'line 1, column 31: the number is too large'],
    ['path "a" { max_wrapping_ttl = 12abc }', 'line 1, column 31: unexpected "1"'],
    ['path "a" { max_wrapping_ttl = 010 }', 'line 1, column 31: unexpected "0"'],
    ['}', 'line 1, column 1: "}" where a name is expected'],
    ['path "a" {} ;', 'line 1, column 13: unexpected ";"'],
    [`x = ${'['.repeat(20)}`, 'line 1, column 20: nested too deeply: allowed are 16 levels'],
    [`x ${'a '.repeat(20)}`, 'line 1, column 33: nested too deeply: allowed are 16 levels'],
    // JSON
    [
      '{"path": {"a": {"capabilities": ["read"]}}',
      'line 1, column 43: the end of the policy where "," or "}" is expected',
    ],
    ['{"path": {\n "a": {},\n}}', 'line 3, column 1: "}" where a name in double quotes is expected'],
    ['{"path": {"a": {"capabilities": ["read",]}}}', 'line 1, column 41: "]" where a JSON value is expected'],
    ['{"path" {}}', 'line 1, column 9: "{" where ":" is expected'],
    ['{} {}', 'line 1, column 4: "{" where the end of the policy is expected'],
    ['{"path": null}', 'line 1, column 10: null says nothing in a policy: leave the field out'],
    ["{'path': {}}", 'line 1, column 2: "\'" where a name in double quotes is expected'],
    ['{"path\u0001": {}}', 'line 1, column 2: the string that begins here is not a JSON string'],
    ['{"path": {"a": {"max_wrapping_ttl": 1e999}}}', 'line 1, column 37: the number is too large'],
    [`{"x":${'['.repeat(20)}`, 'line 1, column 21: nested too deeply: allowed are 16 levels'],
    // the policy
    ['paths "a" {}', 'line 1, column 1: unknown key "paths" in a policy: allowed are path or name'],
    ['name = ["x"]', 'line 1, column 8: "name" must be text in double quotes'],
    ['path = "a"', 'line 1, column 8: path must be a block in braces'],
    ['{"path":{"a":["read"]}}', 'line 1, column 15: path "a" must be a block in braces'],
    [
      'path "a" { capability = ["read"] }',
      `line 1, column 12: unknown key "capability" for path "a": allowed are ${keys}`,
    ],
    [
      'path "a" { control_group = {} }',
      `line 1, column 12: unknown key "control_group" for path "a": allowed are ${keys}`,
    ],
    ['path "a" { mfa_methods = [] }', `line 1, column 12: unknown key "mfa_methods" for path "a": allowed are ${keys}`],
    ['path "a" "b" {}', `line 1, column 10: unknown key "b" for path "a": allowed are ${keys}`],
    ['path "a" { policy = "read" policy = "deny" }', 'line 1, column 28: "policy" is set twice for the same path'],
    [
      'path "a" { capabilities = ["root"] }',
      `line 1, column 28: unknown capability "root": allowed are ${capabilities}`,
    ],
    [
      'path "a" {\n capabilities = ["read",\n "Write"] }',
      `line 3, column 2: unknown capability "Write": allowed are ${capabilities}`,
    ],
    [
      'path "a" { capabilities = ["toString"] }',
      `line 1, column 28: unknown capability "toString": allowed are ${capabilities}`,
    ],
    ['path "a" { capabilities = "read" }', 'line 1, column 27: capabilities must be a list such as ["read", "list"]'],
    ['path "a" { capabilities = [1] }', 'line 1, column 28: capabilities must be a list of texts in double quotes'],
    [
      'path "a" { policy = "admin" }',
      'line 1, column 21: unknown policy "admin": allowed are deny, read, write or sudo',
    ],
    ['path "a" { allowed_parameters = ["x"] }', 'line 1, column 34: allowed_parameters must be a block in braces'],
    [
      'path "a" { allowed_parameters = { "x" = "y" } }',
      'line 1, column 41: allowed_parameters "x" must be a list of values; [] is any value',
    ],
    [
      'path "a" { allowed_parameters = { "x" = [], "X" = [] } }',
      'line 1, column 45: "X" is in allowed_parameters twice (case is ignored)',
    ],
    [
      'path "a" { denied_parameters = { "x" = ["*"] } }',
      'line 1, column 41: the value "*" is no glob: allowed are "text*", "*text" and "*text*"; [] is any value',
    ],
    [
      'path "a" { denied_parameters = { "*" = ["x"] } }',
      'line 1, column 40: the parameter "*" takes only the empty list, []',
    ],
    [
      'path "a" { denied_parameters = { "x" = [{}] } }',
      'line 1, column 41: a value of a parameter must be text, a number, true, false or a list',
    ],
    [
      'path "a" { max_wrapping_ttl = "soon" }',
      'line 1, column 31: error converting input for field "max_wrapping_ttl": not a duration: allowed are seconds (3600) or "1h30m", "24h", "7d"',
    ],
    [
      'path "a" { max_wrapping_ttl = -1 }',
      'line 1, column 31: error converting input for field "max_wrapping_ttl": not a duration: allowed are seconds (3600) or "1h30m", "24h", "7d"',
    ],
    [
      'path "a" {\n min_wrapping_ttl = 2\n max_wrapping_ttl = 1 }',
      'line 1, column 10: max_wrapping_ttl must not be less than min_wrapping_ttl',
    ],
    // patterns
    [
      'path "" {}',
      'line 1, column 6: the path "" is empty: allowed is a path such as "keymgmt/key/orders" or "keymgmt/*"',
    ],
    [
      'path "/" {}',
      'line 1, column 6: the path "/" is empty: allowed is a path such as "keymgmt/key/orders" or "keymgmt/*"',
    ],
    [
      'path "a/*/b" {}',
      'line 1, column 6: the path "a/*/b" has a "*" inside: "*" is allowed only as the last character',
    ],
    ['path "a/**" {}', 'line 1, column 6: the path "a/**" has a "*" inside: "*" is allowed only as the last character'],
    [
      'path "a/+*" {}',
      'line 1, column 6: the path "a/+*" has a "+" inside a part: "+" is allowed only as a whole part, as in "a/+/b"',
    ],
    [
      'path "a/b+/c" {}',
      'line 1, column 6: the path "a/b+/c" has a "+" inside a part: "+" is allowed only as a whole part, as in "a/+/b"',
    ],
    ['path "a/../b" {}', 'line 1, column 6: the path "a/../b" has the part "..", which no path has'],
    [
      'path "a/{{identity.entity.id}}/*" {}',
      'line 1, column 6: the path "a/{{identity.entity.id}}/*" has a template ("{{"): templates are not supported, write the path out',
    ],
    [
      `path "${'a'.repeat(1_025)}" {}`,
      `line 1, column 6: the path "${'a'.repeat(61)}..." is too long: allowed are 1024 characters`,
    ],
  ])('%j', (text, message) => {
    expect(refusal(text)).toBe(message)
  })

  it('too much of it', () => {
    const paths = (count: number) => 'path "a" {}\n'.repeat(count)
    expect(parsePolicy(paths(mostPaths))).toHaveLength(mostPaths)
    expect(refusal(paths(mostPaths + 1))).toBe(`line ${mostPaths + 1}, column 6: too many paths: allowed are 1000`)
    expect(parsePolicy(`#${'x'.repeat(mostCharacters - 1)}`)).toEqual([])
    expect(refusal(`#${'x'.repeat(mostCharacters)}`)).toBe(
      'line 1, column 1: the policy is too long: allowed are 131072 characters',
    )
  })
})
