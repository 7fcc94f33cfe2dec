import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
  await vault.send('PUT', 'keymgmt/key/orders', { type: 'ecdsa-p256' })
  await vault.send('PUT', 'keymgmt/key/signing', { type: 'ecdsa-p256', deletion_allowed: true })
  await vault.send('PUT', 'keymgmt/kms/prod', { provider: 'memory', key_collection: 'vault' })
})
afterAll(() => vault.close())

describe('kms/:name', () => {
  it.each([
    ['an object', { client_id: 'a', client_secret: 'eR%=Hiz==', port: 7 }],
    ['a list of pairs', ['client_id=a', 'client_secret=eR%=Hiz==', 'port=7']],
    ['one pair', 'client_id=a'],
    ['nothing', undefined],
    ['null', null],
    ['an empty list', []],
  ])('is made with credentials as %s, which are never shown', async (form, credentials) => {
    const name = form.replaceAll(' ', '-')
    const body = { provider: 'memory', key_collection: 'vault', credentials }
    expect(outcome(await vault.send('POST', `keymgmt/kms/${name}`, body))).toEqual([204])
    const reply = await vault.send('GET', `keymgmt/kms/${name}`)
    expect(dataOf(reply)).toEqual({ key_collection: 'vault', provider: 'memory' })
    expect(reply.text).not.toContain('client')
    expect(outcome(await vault.send('DELETE', `keymgmt/kms/${name}`))).toEqual([204])
    expect(outcome(await vault.send('GET', `keymgmt/kms/${name}`))).toEqual([404])
  })

  it('hands the provider what was sent, split at the first equals sign', async () => {
    const sent: unknown[] = []
    const write = vault.core.kms.write.bind(vault.core.kms)
    vault.core.kms.write = async (scope, name, input) => {
      sent.push(input.credentials)
      return await write(scope, name, input)
    }
    try {
      for (const credentials of [
        { a: 'x=y==', b: '2' },
        ['a=x=y==', 'b=2'],
        'a=x=y==',
        { a: 1, b: true, c: null },
        [' a = b '],
      ]) {
        await vault.send('PUT', 'keymgmt/kms/split', { provider: 'memory', key_collection: 'vault', credentials })
      }
    } finally {
      vault.core.kms.write = write
    }
    expect(sent).toEqual([
      { a: 'x=y==', b: '2' },
      { a: 'x=y==', b: '2' },
      { a: 'x=y==' },
      { a: '1', b: '1' },
      { ' a ': ' b ' },
    ])
  })

  it('is changed in part', async () => {
    for (const body of [{ provider: 'memory' }, { credentials: 'a=b' }, { key_collection: 'vault' }, {}]) {
      expect(outcome(await vault.send('PUT', 'keymgmt/kms/prod', body))).toEqual([204])
    }
  })

  const pair = 'Field validation failed: error converting input for field "credentials":'
  it.each([
    [{ key_collection: 'vault' }, 'missing provider: allowed is memory'],
    [{ provider: 'memory' }, 'missing key_collection: it names where the provider keeps the keys'],
    [{ provider: 'acme', key_collection: 'vault' }, 'unsupported provider "acme": allowed is memory'],
    [{ provider: 'memory', key_collection: 'nowhere' }, 'unknown key_collection "nowhere"'],
    [
      { provider: 'memory', key_collection: 'vault', credentials: ['a=b', 'secret'] },
      `${pair} the pair at position 2 is not of the form "key=value"`,
    ],
    [
      { provider: 'memory', key_collection: 'vault', credentials: '=secret' },
      `${pair} the pair at position 1 is not of the form "key=value"`,
    ],
    [
      { provider: 'memory', key_collection: 'vault', credentials: { a: {} } },
      `${pair} an object of strings, a list of "key=value" strings, or one such string is expected`,
    ],
    [
      { provider: 'memory', key_collection: ['vault'] },
      'Field validation failed: error converting input for field "key_collection": a string is expected',
    ],
  ])('is not made with %j', async (body, message) => {
    expect(outcome(await vault.send('PUT', 'keymgmt/kms/never', body))).toEqual([400, message])
    expect(outcome(await vault.send('GET', 'keymgmt/kms/never'))).toEqual([404])
  })

  it.each([
    [{ provider: 'acme' }, 'provider cannot be changed: KMS "prod" is of provider memory'],
    [{ key_collection: 'other' }, 'key_collection cannot be changed: KMS "prod" has vault'],
  ])('is not changed by %j', async (body, message) => {
    expect(outcome(await vault.send('PUT', 'keymgmt/kms/prod', body))).toEqual([400, message])
  })

  it('is listed', async () => {
    await vault.send('PUT', 'keymgmt/kms/a-first', { provider: 'memory', key_collection: 'other' })
    expect(dataOf(await vault.send('LIST', 'keymgmt/kms')).keys).toEqual(['a-first', 'prod', 'split'])
    expect(dataOf(await vault.send('GET', 'keymgmt/kms/?list=true&after=a-first&limit=1')).keys).toEqual(['prod'])
  })
})
