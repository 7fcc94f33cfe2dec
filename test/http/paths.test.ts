import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseTarget } from '../../src/http/vault/target.ts'
import { type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
})
afterAll(() => vault.close())

const nameRule =
  'allowed are 1 to 100 letters, digits, "_", "-" and ".", beginning and ending with a letter, digit or "_", without ".."'
const slash = 'invalid path: a part of the path must not contain an encoded slash ("%2f")'
const controls = 'invalid path: the path must not contain control characters'
const percent = 'invalid path: the path has a "%" that does not begin the code of a UTF-8 character'

describe('names', () => {
  const illegal: [string, string][] = [
    ['a%2fb', slash],
    ['a%2Fb', slash],
    ['%2e%2e%2fk', slash],
    ['..%2f..%2fsys', slash],
    ['a%00', controls],
    ['a%0d%0aX', controls],
    ['%7f', controls],
    ['%c2%85', controls],
    ['%e2%80%a8', controls],
    ['100%', percent],
    ['%zz', percent],
    ['%ff', percent],
    ['%c0%af', percent],
    ['a%252fb', `invalid key name "a%2fb": ${nameRule}`],
    ['a..b', `invalid key name "a..b": ${nameRule}`],
    ['.a', `invalid key name ".a": ${nameRule}`],
    ['a-', `invalid key name "a-": ${nameRule}`],
    ['-a', `invalid key name "-a": ${nameRule}`],
    ['a%20b', `invalid key name "a b": ${nameRule}`],
    ['caf%C3%A9', `invalid key name "café": ${nameRule}`],
    ['a%3fb', `invalid key name "a?b": ${nameRule}`],
    ['a;b', `invalid key name "a;b": ${nameRule}`],
    ['a*', `invalid key name "a*": ${nameRule}`],
    ['a%5cb', `invalid key name "a\\b": ${nameRule}`],
    ['k'.repeat(101), `invalid key name "${'k'.repeat(61)}...": ${nameRule}`],
    ['k'.repeat(1000), `invalid key name "${'k'.repeat(61)}...": ${nameRule}`],
  ]

  it.each(illegal)('%s is refused everywhere, without effect', async (name, message) => {
    for (const [method, path, body] of [
      ['PUT', `keymgmt/key/${name}`, { type: 'aes256-gcm96' }],
      ['GET', `keymgmt/key/${name}`],
      ['DELETE', `keymgmt/key/${name}`],
      ['PUT', `keymgmt/key/${name}/rotate`],
      ['LIST', `keymgmt/key/${name}/kms`],
      ['PUT', `keymgmt/kms/p/key/${name}`, { purpose: 'sign' }],
      ['GET', `keymgmt/kms/p/key/${name}`],
      ['DELETE', `keymgmt/kms/p/key/${name}`],
      ['PUT', `keymgmt/kms/p/key/${name}/replicate`],
    ] as const) {
      expect(outcome(await vault.send(method, path, body))).toEqual([400, message])
    }
    for (const [method, path, body] of [
      ['PUT', `keymgmt/kms/${name}`, { provider: 'memory', key_collection: 'vault' }],
      ['GET', `keymgmt/kms/${name}`],
      ['DELETE', `keymgmt/kms/${name}`],
      ['LIST', `keymgmt/kms/${name}/key`],
    ] as const) {
      expect(outcome(await vault.send(method, path, body))).toEqual([
        400,
        message.replace('invalid key name', 'invalid KMS name'),
      ])
    }
    expect(outcome(await vault.send('LIST', 'keymgmt/key'))).toEqual([404])
    expect(outcome(await vault.send('LIST', 'keymgmt/kms'))).toEqual([404])
  })

  it.each(['a', '_', 'A.b-c_9', '9', 'a%2eb', '%61', 'k'.repeat(100)])('%s is allowed', async (name) => {
    await vault.send('PUT', `keymgmt/key/${name}`, { type: 'aes256-gcm96', deletion_allowed: true })
    const reply = await vault.send('GET', `keymgmt/key/${name}`)
    expect(JSON.parse(reply.text).data.name).toBe(decodeURIComponent(name))
    expect(outcome(await vault.send('DELETE', `keymgmt/key/${decodeURIComponent(name)}`))).toEqual([204])
  })

  it('are told apart by case', async () => {
    await vault.send('PUT', 'keymgmt/key/Case', { type: 'aes256-gcm96', deletion_allowed: true })
    expect(outcome(await vault.send('GET', 'keymgmt/key/case'))).toEqual([404])
    await vault.send('DELETE', 'keymgmt/key/Case')
  })
})

describe('parseTarget', () => {
  const target = (path: string) => parseTarget(`https://gateway:8200${path}`)

  it('decodes each part once, and keeps what was sent', () => {
    expect(target('/v1/keymgmt/key/a%2eb/?list=true&x=%2f')).toEqual({
      segments: ['keymgmt', 'key', 'a.b'],
      path: 'keymgmt/key/a.b',
      raw: 'keymgmt/key/a%2eb/?list=true&x=%2f',
      query: 'list=true&x=%2f',
    })
    expect(target('/v1/')).toMatchObject({ segments: [], path: '', query: '' })
    expect(target('/v1/?a=/v1/b')).toMatchObject({ segments: [], path: '', query: 'a=/v1/b' })
    expect(target('/v1/a//')).toMatchObject({ segments: ['a'], path: 'a' })
    expect(target('/v1/a//b')).toMatchObject({ segments: ['a', '', 'b'] })
  })

  it('refuses parts that URLs take for directions', () => {
    for (const path of ['/v1/a/%252e/b', '/v1/a/x/b']) expect(target(path).segments).toHaveLength(3)
    for (const part of ['..', '.']) {
      expect(() => target(`/v1/a/${part}/b`)).toThrow(`invalid path: a path must not have the part "${part}"`)
    }
    expect(() => target('/v1/a/%2e%2E/b')).toThrow('invalid path: a path must not have the part ".."')
  })

  it('gives back any parts that hold no slash and no control character', () => {
    const part = fc
      .string({ minLength: 1, unit: 'grapheme' })
      .filter((text) => !/[\u0000-\u001f\u007f-\u009f\u2028\u2029/]/.test(text) && text !== '.' && text !== '..')
    fc.assert(
      fc.property(fc.array(part, { minLength: 1 }), (parts) => {
        expect(target(`/v1/${parts.map(encodeURIComponent).join('/')}`).segments).toEqual(parts)
      }),
    )
  })
})
