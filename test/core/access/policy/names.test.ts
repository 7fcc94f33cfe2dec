import { describe, expect, it } from 'vitest'
import { defaultPolicyText } from '../../../../src/core/access/policy/defaults.ts'
import {
  deletablePolicyName,
  normalisePolicyName,
  writablePolicyName,
} from '../../../../src/core/access/policy/names.ts'
import { parsePolicy } from '../../../../src/core/access/policy/parse.ts'

describe('the name of a policy', () => {
  it.each([
    ['orders', 'orders'],
    ['Orders-Read_2', 'orders-read_2'],
    ['ROOT', 'root'],
    ['team/App.v1', 'team/app.v1'],
    ['a@b:c', 'a@b:c'],
    ['a..b', 'a..b'],
    ['x'.repeat(128), 'x'.repeat(128)],
  ])('%s is %s', (name, normal) => {
    expect(normalisePolicyName(name)).toBe(normal)
    expect(normalisePolicyName(normal)).toBe(normal)
  })

  it.each([
    ...['', ' ', ' root', 'root ', '\troot', 'root\n', 'ro\u0000ot', 'root\u200b', 'root\u00a0', '\uFEFFroot', 'r oot'],
    ...[
      'ｒｏｏｔ',
      'rοot',
      'ro\u0301ot',
      'tea\u212a',
      '.',
      '..',
      '../root',
      'a/../root',
      'a/./b',
      '/root',
      'root/',
      'a//b',
    ],
    ...['a*', '+', 'a,b', 'a"b', 'a\\b', 'root%20', '-a', '.a', '{{a}}', 'x'.repeat(129)],
  ])('%j is none', (name) => {
    for (const check of [normalisePolicyName, writablePolicyName, deletablePolicyName]) {
      expect(() => check(name)).toThrow(
        /^invalid policy name ".*": allowed are 1 to 128 letters and digits of ASCII, "_", "-", "\.", ":" and "@", in parts between "\/" that begin with a letter, a digit or "_"$/,
      )
    }
  })

  it('is never root or response-wrapping for a policy that is written, in any case', () => {
    for (const name of ['root', 'Root', 'ROOT', 'rOOt']) {
      expect(() => writablePolicyName(name)).toThrow(
        'cannot update "root" policy: allowed are all names but root or response-wrapping',
      )
    }
    expect(() => writablePolicyName('Response-Wrapping')).toThrow('cannot update "response-wrapping" policy')
    expect(writablePolicyName('Default')).toBe('default')
    expect(writablePolicyName('root/x')).toBe('root/x')
  })

  it('stays where Vault keeps it', () => {
    expect(() => deletablePolicyName('DEFAULT')).toThrow(
      'cannot delete "default" policy: allowed are all names but default, root or response-wrapping',
    )
    expect(() => deletablePolicyName('root')).toThrow('cannot delete "root" policy')
    expect(deletablePolicyName('Orders')).toBe('orders')
  })
})

it('the default policy can be read', () => {
  expect(parsePolicy(defaultPolicyText)).toHaveLength(7)
})
