import { describe, expect, test } from 'vitest'
import { printable } from '../../src/client/refusals.ts'
import { fieldOf, list, rowsOf, table } from '../../src/client/show.ts'

describe('the table', () => {
  test('has names sorted, values as text, and what has several lines in its column', () => {
    const rows = rowsOf({
      data: { type: 'rsa-3072', a: null, n: 2, on: false, policies: ['x', 'y'], text: 'one\ntwo\n' },
    })
    expect(table(rows)).toBe(
      [
        'Key         Value',
        '---         -----',
        'a           <nil>',
        'n           2',
        'on          false',
        'policies    ["x","y"]',
        'text        one',
        '            two',
        'type        rsa-3072',
      ].join('\n'),
    )
  })

  test('shows a login, and a wrapped answer, as Vault does', () => {
    const auth = {
      client_token: 't',
      accessor: 'a',
      lease_duration: 5_400,
      renewable: true,
      token_policies: ['default'],
      metadata: { role: 'ci' },
    }
    expect(Object.fromEntries(rowsOf({ auth }))).toEqual({
      token: 't',
      token_accessor: 'a',
      token_duration: '1h30m',
      token_renewable: true,
      token_policies: ['default'],
      token_meta_role: 'ci',
    })
    const wrapped = { token: 'w', accessor: 'b', ttl: 300, creation_time: 'now', creation_path: 'x' }
    expect(Object.fromEntries(rowsOf({ wrap_info: wrapped }))).toMatchObject({
      wrapping_token: 'w',
      wrapping_token_ttl: '5m',
    })
    expect(Object.fromEntries(rowsOf({ auth: { ...auth, lease_duration: 0 } })).token_duration).toBe('∞')
  })

  test('obeys no character that a terminal would', () => {
    const evil = '\u001b[2J\u0007\u009b31m\r'
    expect(table(rowsOf({ data: { [evil]: evil } }))).not.toMatch(/[\u001b\u0007\u009b\r]/)
    expect(list([evil])).not.toMatch(/[\u001b\u0007\u009b\r]/)
    expect(printable('a\u001bb\n\tc é')).toBe('a\\u001bb\n\tc é')
  })
})

test('a field is found by its name, and by dots', () => {
  const rows = rowsOf({ data: { versions: { 1: { public_key: 'PEM' }, 'a.b': 3 }, 'x.y': 4, none: null } })
  expect(fieldOf(rows, 'versions.1.public_key')).toEqual({ value: 'PEM' })
  expect(fieldOf(rows, 'x.y')).toEqual({ value: 4 })
  expect(fieldOf(rows, 'none')).toEqual({ value: null })
  for (const name of [
    'version',
    'versions.2',
    'versions.1.public_key.x',
    'versions.__proto__',
    'none.x',
    '',
    '.',
    'versions.',
  ]) {
    expect([name, fieldOf(rows, name)]).toEqual([name, undefined])
  }
})
