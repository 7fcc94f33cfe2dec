import { describe, expect, test } from 'vitest'
import { developmentGateway, run } from './client-gateway.ts'

developmentGateway()

describe('what goes wrong is one sentence that says what to do', () => {
  test.each<[string, string[], Record<string, string>, number, RegExp]>([
    [
      'no token',
      ['read', 'keymgmt/key/x'],
      { VAULT_TOKEN: '' },
      2,
      /\(403\): permission denied\. No token was sent: run "keyferry login", or set VAULT_TOKEN$/,
    ],
    [
      'a token that is none',
      ['read', 'keymgmt/key/x'],
      { VAULT_TOKEN: 'wrong' },
      2,
      /The token has ended, or may not do this here: .*"keyferry login" takes another$/,
    ],
    [
      'a token that cannot be one',
      ['read', 'x'],
      { VAULT_TOKEN: 'se\ncret' },
      78,
      /^keyferry: VAULT_TOKEN has characters that no token has: set it anew, or run "keyferry login"$/,
    ],
    [
      'nothing there',
      ['read', 'keymgmt/key/x'],
      {},
      2,
      /there is nothing at keymgmt\/key\/x: "keyferry list keymgmt\/key" shows what is there$/,
    ],
    [
      'no such mount',
      ['write', 'nowhere/key/x', 'a=b'],
      {},
      2,
      /no handler for route .*"keyferry read sys\/mounts" shows what is mounted where/,
    ],
    [
      'no such path',
      ['read', 'keymgmt/kyes/x'],
      {},
      2,
      /unsupported path: http:\/\/127\.0\.0\.1:\d+\/docs has every path$/,
    ],
    ['bad input', ['write', 'keymgmt/key/x', 'type=rsa-1024'], {}, 2, /\(400\): .*rsa-2048/],
    [
      'nobody listening',
      ['read', 'x'],
      { VAULT_ADDR: 'http://127.0.0.1:1' },
      2,
      /^keyferry: nothing listens at http:\/\/127\.0\.0\.1:1: is the gateway running/,
    ],
    [
      'an unknown host',
      ['read', 'x'],
      { VAULT_ADDR: 'http://nowhere.invalid:8200' },
      2,
      /^keyferry: the host "nowhere\.invalid" has no address: is its name right\?/,
    ],
    [
      'an address that is none',
      ['read', 'x'],
      { VAULT_ADDR: 'ftp://x' },
      78,
      /^keyferry: VAULT_ADDR "ftp:\/\/x" is not allowed: it must be an http or https URL/,
    ],
    [
      'an address with a path',
      ['read', 'x', '--address', 'http://x/v1'],
      {},
      78,
      /^keyferry: --address "http:\/\/x\/v1" is not allowed: it must be scheme, host and port alone/,
    ],
    [
      'a CA file that is not there',
      ['read', 'x', '--ca-cert', '/nowhere/ca'],
      {},
      78,
      /the CA file \/nowhere\/ca \(--ca-cert, VAULT_CACERT\) cannot be read: it does not exist$/,
    ],
    [
      'an unclear VAULT_SKIP_VERIFY',
      ['read', 'x'],
      { VAULT_SKIP_VERIFY: 'maybe' },
      78,
      /VAULT_SKIP_VERIFY "maybe" is not allowed: true and false are$/,
    ],
    [
      'a namespace that is none',
      ['read', 'x'],
      { VAULT_NAMESPACE: 'ä' },
      78,
      /the namespace \(--namespace, VAULT_NAMESPACE\) has characters that no namespace has$/,
    ],
    ['no path', ['read'], {}, 64, /PATH is missing: it is what stands behind \/v1\//],
    ['two paths', ['delete', 'a', 'b'], {}, 64, /"b" is not expected: the command takes one path/],
    [
      'a path that leads elsewhere',
      ['delete', 'keymgmt/../sys/x'],
      {},
      64,
      /the path "keymgmt\/\.\.\/sys\/x" is not allowed/,
    ],
    [
      'no fields',
      ['write', 'keymgmt/key/x'],
      {},
      64,
      /no field is given: NAME=VALUE behind the path, or --force to write without any/,
    ],
    ['a field that is none', ['write', 'keymgmt/key/x', 'hvs.secret'], {}, 64, /^keyferry: field 1 is not NAME=VALUE/],
    ['an unknown format', ['list', 'x', '--format', 'yaml'], {}, 64, /--format yaml is not known: table and json are/],
    ['an unknown flag', ['read', 'x', '--feild', 'y'], {}, 64, /unknown flag --feild \(did you mean --field\?\)/],
    [
      'a field that is not there',
      ['read', 'sys/health', '--field', 'x'],
      {},
      2,
      /the answer has no field "x": its fields are cluster_id, /,
    ],
  ])('%s', async (_what, args, more, code, sentence) => {
    const ended = await run(args, more)
    expect([ended.code, ended.stdout]).toEqual([code, ''])
    expect(ended.stderr.trimEnd()).toMatch(sentence)
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(ended.stderr).not.toMatch(/secret|wrong/)
  })
})
