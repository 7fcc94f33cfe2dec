import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CloudError } from '../../src/core/kms/provider.ts'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
  await vault.send('PUT', 'keymgmt/key/orders', { type: 'ecdsa-p256' })
  await vault.send('PUT', 'keymgmt/key/signing', { type: 'ecdsa-p256', deletion_allowed: true })
  await vault.send('PUT', 'keymgmt/kms/prod', { provider: 'memory', key_collection: 'vault' })
})
afterAll(() => vault.close())

describe('kms/:name/key/:key_name', () => {
  it('brings a key there, shows it as Vault does, and takes it away', async () => {
    const body = { purpose: ['verify', 'sign'], protection: 'hsm', name: 'orders', backend: 'keymgmt' }
    expect(outcome(await vault.send('PUT', 'keymgmt/kms/prod/key/orders', body))).toEqual([204])
    const data = dataOf(await vault.send('GET', 'keymgmt/kms/prod/key/orders'))
    expect(data).toEqual({
      distribution_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      name: expect.stringMatching(/^orders-\d{10}$/),
      protection: 'hsm',
      purpose: 'sign,verify',
      versions: { 1: expect.stringMatching(/^[0-9a-f]{32}$/) },
    })
    expect(vault.cloud.keys.get(String(data.name))).toHaveLength(1)
    expect(dataOf(await vault.send('LIST', 'keymgmt/kms/prod/key')).keys).toEqual(['orders'])
    expect(dataOf(await vault.send('LIST', 'keymgmt/key/orders/kms')).keys).toEqual(['prod'])

    expect(outcome(await vault.send('PUT', 'keymgmt/key/orders/rotate', {}))).toEqual([204])
    const rotated = dataOf(await vault.send('GET', 'keymgmt/kms/prod/key/orders'))
    expect(Object.keys(rotated.versions as object)).toEqual(['1', '2'])
    expect(rotated.name).toBe(data.name)

    expect(outcome(await vault.send('DELETE', 'keymgmt/kms/prod'))).toEqual([
      400,
      'KMS "prod" still has 1 key: remove them first (DELETE kms/prod/key/:key)',
    ])
    expect(outcome(await vault.send('PUT', 'keymgmt/key/orders', { deletion_allowed: true }))).toEqual([204])
    expect(outcome(await vault.send('DELETE', 'keymgmt/key/orders'))).toEqual([
      400,
      'key "orders" is still in 1 KMS provider: remove it there first (DELETE kms/:name/key/orders)',
    ])

    expect(outcome(await vault.send('DELETE', 'keymgmt/kms/prod/key/orders'))).toEqual([204])
    expect(outcome(await vault.send('GET', 'keymgmt/kms/prod/key/orders'))).toEqual([404])
    expect(outcome(await vault.send('LIST', 'keymgmt/kms/prod/key'))).toEqual([404])
    expect(outcome(await vault.send('LIST', 'keymgmt/key/orders/kms'))).toEqual([404])
    expect(outcome(await vault.send('DELETE', 'keymgmt/kms/prod/key/orders'))).toEqual([204])
    expect(vault.cloud.keys.has(String(data.name))).toBe(false)
  })

  it('takes purposes as one string with commas, and hsm where no protection is named', async () => {
    expect(outcome(await vault.send('POST', 'keymgmt/kms/prod/key/signing', { purpose: ' verify, sign,' }))).toEqual([
      204,
    ])
    expect(
      outcome(
        await vault.send('POST', 'keymgmt/kms/prod/key/signing', 'purpose=sign,verify', {
          'content-type': 'application/x-www-form-urlencoded',
        }),
      ),
    ).toEqual([204])
    expect(dataOf(await vault.send('GET', 'keymgmt/kms/prod/key/signing'))).toMatchObject({
      purpose: 'sign,verify',
      protection: 'hsm',
    })
    expect(outcome(await vault.send('POST', 'keymgmt/kms/prod/key/signing', { purpose: 'sign' }))).toEqual([
      400,
      'the key is in this KMS already, with protection hsm and purpose sign,verify: these cannot be changed, remove the key there first',
    ])
    await vault.send('DELETE', 'keymgmt/kms/prod/key/signing')
  })

  it('takes a name, tags and times of the key there', async () => {
    const body = {
      purpose: 'sign',
      remote_name: 'chosen',
      tags: ['team=payments'],
      not_before: '2030-01-01T00:00:00Z',
      expires: '1924992000',
    }
    expect(outcome(await vault.send('POST', 'keymgmt/kms/prod/key/signing', body))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'keymgmt/kms/prod/key/signing'))).toMatchObject({
      name: 'chosen',
      tags: { team: 'payments' },
      not_before: '2030-01-01T00:00:00.000Z',
      expires: '2031-01-01T00:00:00.000Z',
    })
    await vault.send('DELETE', 'keymgmt/kms/prod/key/signing')
  })

  it('gives the reason of a cloud that refuses, and leaves nothing behind', async () => {
    const error = () => new CloudError('refused', 'the vault does not permit it')
    vault.cloud.faults = [{ call: 'import', error, times: 1 }]
    expect(outcome(await vault.send('PUT', 'keymgmt/kms/prod/key/signing', { purpose: 'sign' }))).toEqual([
      400,
      expect.stringContaining('the vault does not permit it'),
    ])
    expect(outcome(await vault.send('GET', 'keymgmt/kms/prod/key/signing'))).toEqual([404])
    expect(vault.cloud.keys.size).toBe(0)
  })

  it('answers a rotation with a warning, and shows why, where a cloud refuses it', async () => {
    await vault.send('PUT', 'keymgmt/kms/prod/key/signing', { purpose: 'sign' })
    const error = () => new CloudError('refused', 'the vault does not permit it')
    vault.cloud.faults = [{ call: 'import', error, times: 1 }]
    const reply = await vault.send('PUT', 'keymgmt/key/signing/rotate', {})
    expect(reply.status).toBe(200)
    const { data, warnings } = JSON.parse(reply.text)
    expect([data, warnings]).toEqual([
      null,
      [expect.stringMatching(/^operation \S+ \(rotate\) was refused by the KMS: .*does not permit/)],
    ])
    expect(dataOf(await vault.send('GET', 'keymgmt/kms/prod/key/signing'))).toMatchObject({
      state: 'stopped',
      reason: expect.stringContaining('does not permit'),
      versions: { 1: expect.any(String) },
    })
    await vault.send('DELETE', 'keymgmt/kms/prod/key/signing')
  })

  it.each([
    [{}, 'missing purpose: name at least one of encrypt, decrypt, sign, verify, wrap or unwrap'],
    [{ purpose: '' }, 'missing purpose: name at least one of encrypt, decrypt, sign, verify, wrap or unwrap'],
    [{ purpose: 'sing' }, 'unsupported purpose "sing": allowed are encrypt, decrypt, sign, verify, wrap or unwrap'],
    [
      { purpose: { a: 1 } },
      'Field validation failed: error converting input for field "purpose": a list of strings, or one string with commas, is expected',
    ],
    [
      { purpose: [['sign']] },
      'Field validation failed: error converting input for field "purpose": a list of strings, or one string with commas, is expected',
    ],
    [{ purpose: 'sign', protection: 'fort' }, 'unsupported protection "fort": allowed are hsm or software'],
    [{ purpose: 'sign', remote_name: 'Not_This' }, 'a remote name has lower-case letters, digits and "-"'],
    [
      { purpose: 'sign', expires: 'soon' },
      'Field validation failed: error converting input for field "expires": a time such as "2030-01-31T12:00:00Z", or seconds since 1970, is expected',
    ],
  ])('is refused for %j', async (body, message) => {
    expect(outcome(await vault.send('PUT', 'keymgmt/kms/prod/key/signing', body))).toEqual([400, message])
    expect(outcome(await vault.send('GET', 'keymgmt/kms/prod/key/signing'))).toEqual([404])
  })

  it('is refused for what the matrix does not allow', async () => {
    const [status, error] = outcome(await vault.send('PUT', 'keymgmt/kms/prod/key/signing', { purpose: 'encrypt' }))
    expect(status).toBe(400)
    expect(error).toMatch(/sign.*verify/)
  })

  it('names what is missing', async () => {
    const body = { purpose: 'sign' }
    expect(outcome(await vault.send('PUT', 'keymgmt/kms/none/key/signing', body))).toEqual([
      400,
      'KMS "none" not found',
    ])
    expect(outcome(await vault.send('PUT', 'keymgmt/kms/prod/key/none', body))).toEqual([400, 'key "none" not found'])
    expect(outcome(await vault.send('GET', 'keymgmt/kms/none/key/none'))).toEqual([404])
    expect(outcome(await vault.send('LIST', 'keymgmt/kms/none/key'))).toEqual([404])
    expect(outcome(await vault.send('DELETE', 'keymgmt/kms/none/key/none'))).toEqual([204])
  })
})

describe('kms/:name/key/:key_name/replicate', () => {
  it('is refused with a reason', async () => {
    await vault.send('PUT', 'keymgmt/key/regions', { type: 'aes256-gcm96', replica_regions: 'us-east-1' })
    expect(outcome(await vault.send('PUT', 'keymgmt/kms/prod/key/signing/replicate', {}))).toEqual([
      400,
      'key "signing" does not have replica_regions',
    ])
    expect(outcome(await vault.send('PUT', 'keymgmt/kms/prod/key/regions/replicate', 'null'))).toEqual([
      400,
      'replication is not supported by provider memory',
    ])
    expect(outcome(await vault.send('PUT', 'keymgmt/kms/none/key/regions/replicate'))).toEqual([
      400,
      'KMS "none" not found',
    ])
  })
})
