import { beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { dataOf, outcome } from './gateway.ts'
import { child, credentials, done, emulator, gone, send, session, startTerraform, test } from './terraform-provider.ts'

startTerraform()

/** As it goes on with after its start. */
beforeAll(async () => {
  session.token = JSON.parse((await send('POST', 'auth/token/create', child)).text).auth.client_token
})

describe('vault_keymgmt_key', () => {
  const path = 'keymgmt/key/tf'
  const read = async () => dataOf(await send('GET', path))

  it('is created in one write and allowed to be deleted in another', async () => {
    expect(outcome(await send('PUT', path, { type: 'aes256-gcm96' }))).toEqual(done)
    expect(await read()).toMatchObject({ deletion_allowed: false })
    expect(outcome(await send('PUT', path, { deletion_allowed: true }))).toEqual(done)
    const data = await read()
    expect(data).toMatchObject({
      type: 'aes256-gcm96',
      deletion_allowed: true,
      latest_version: 1,
      min_enabled_version: 1,
    })
    // It would not be what was planned if it came back where it was not set.
    expect(data).not.toHaveProperty('replica_regions')
  })

  it('is updated by what changed alone', async () => {
    expect(outcome(await send('PUT', 'keymgmt/key/tf/rotate', {}))).toEqual(done)
    expect(outcome(await send('PUT', path, { min_enabled_version: 2 }))).toEqual(done)
    expect(await read()).toMatchObject({ min_enabled_version: 2, deletion_allowed: true })
    expect(outcome(await send('PUT', path, { deletion_allowed: false }))).toEqual(done)
    expect(await read()).toMatchObject({ min_enabled_version: 2, deletion_allowed: false })
    expect(outcome(await send('PUT', path, { deletion_allowed: true, min_enabled_version: 1 }))).toEqual(done)
    expect(await read()).toMatchObject({ min_enabled_version: 1, deletion_allowed: true, latest_version: 2 })
  })

  it('is replaced: the name is free at once, for another type and with regions', async () => {
    expect(outcome(await send('DELETE', path))).toEqual(done)
    expect(
      outcome(await send('PUT', path, { type: 'aes256-gcm96', replica_regions: ['us-west-2', 'eu-west-1'] })),
    ).toEqual(done)
    expect(await read()).toMatchObject({ latest_version: 1, replica_regions: ['us-west-2', 'eu-west-1'] })
    await send('PUT', path, { deletion_allowed: true })
    expect(outcome(await send('DELETE', path))).toEqual(done)
    expect(outcome(await send('PUT', path, { type: 'ecdsa-p256' }))).toEqual(done)
    expect(await read()).toMatchObject({ type: 'ecdsa-p256', latest_version: 1, deletion_allowed: false })
  })

  it('is not deleted where that is not allowed', async () => {
    const [status, error] = outcome(await send('DELETE', path))
    expect([status, error]).toEqual([400, expect.stringContaining('deletion_allowed')])
    await send('PUT', path, { deletion_allowed: true })
  })

  it('that is gone reads as 404, and is deleted without complaint', async () => {
    expect(outcome(await send('DELETE', path))).toEqual(done)
    expect(outcome(await send('GET', path))).toEqual(gone)
    expect(outcome(await send('DELETE', path))).toEqual(done)
  })

  it.each([
    ['an unknown type', 'keymgmt/key/bad', { type: 'invalid-key-type' }, 400, /unsupported key type/],
    ['a mount that is not there', 'nonexistent/key/bad', { type: 'rsa-2048' }, 404, /no handler for route/],
  ])('is refused for %s', async (_, at, body, status, words) => {
    const reply = await send('PUT', at, body)
    expect([reply.status, outcome(reply)[1]]).toEqual([status, expect.stringMatching(words)])
    expect((await send('GET', at)).status).toBe(404)
  })

  it('is another one in each namespace', async () => {
    for (const namespace of ['one', 'two/', '/two/three']) {
      await send('PUT', `sys/namespaces/${namespace.replace(/^\/|\/$/g, '')}`, {})
      await send('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' }, { namespace })
      expect(outcome(await send('PUT', path, { type: 'aes256-gcm96' }, { namespace }))).toEqual(done)
      expect(outcome(await send('PUT', `${path}/rotate`, {}, { namespace }))).toEqual(done)
      expect(dataOf(await send('GET', path, undefined, { namespace })).latest_version).toBe(2)
    }
    expect(outcome(await send('GET', path))).toEqual(gone)
  })
})

describe('vault_keymgmt_azure_kms', () => {
  const path = 'keymgmt/kms/tf'
  const environments = ['AzurePublicCloud', 'AzureUSGovernmentCloud', 'AzureGermanCloud', 'AzureChinaCloud']

  it.each(environments)('is created, read and deleted in %s', async (environment) => {
    const body = {
      provider: 'azurekeyvault',
      key_collection: 'terraform',
      credentials: { ...credentials, environment },
    }
    expect(outcome(await send('PUT', path, body))).toEqual(done)
    expect(dataOf(await send('GET', path))).toMatchObject({ key_collection: 'terraform', provider: 'azurekeyvault' })
    expect(outcome(await send('DELETE', path))).toEqual(done)
    expect(outcome(await send('GET', path))).toEqual(gone)
    expect(outcome(await send('DELETE', path))).toEqual(done)
  })

  it('gets new credentials without its collection being named', async () => {
    const wrong = { ...credentials, client_secret: 'old' }
    await send('PUT', path, { provider: 'azurekeyvault', key_collection: 'terraform', credentials: wrong })
    expect(outcome(await send('PUT', path, { provider: 'azurekeyvault', credentials }))).toEqual(done)
    expect(outcome(await send('PUT', path, { provider: 'azurekeyvault' }))).toEqual(done)
    expect(dataOf(await send('GET', path))).toMatchObject({ key_collection: 'terraform', provider: 'azurekeyvault' })
  })

  it('is refused at a mount that is not there', async () => {
    const reply = await send('PUT', 'nonexistent/kms/tf', { provider: 'azurekeyvault', key_collection: 'terraform' })
    expect(outcome(reply)).toEqual([404, expect.stringContaining('no handler for route')])
  })
})

describe('vault_keymgmt_distribute_key, _key_rotate and _replicate_key', () => {
  const copy = 'keymgmt/kms/tf/key/dist'

  it('brings the key there with its purposes as a list, and reads it back', async () => {
    expect(outcome(await send('PUT', 'keymgmt/key/dist', { type: 'rsa-2048' }))).toEqual(done)
    expect(outcome(await send('PUT', copy, { purpose: ['encrypt', 'decrypt'], protection: 'hsm' }))).toEqual(done)
    expect(dataOf(await send('GET', copy))).toMatchObject({
      purpose: 'decrypt,encrypt',
      protection: 'hsm',
      versions: { 1: expect.stringMatching(/^[0-9a-f]{32}$/) },
    })
  })

  it('changes nothing when the same is sent again', async () => {
    const before = dataOf(await send('GET', copy))
    expect(outcome(await send('PUT', copy, { purpose: ['encrypt', 'decrypt'], protection: 'hsm' }))).toEqual(done)
    expect(dataOf(await send('GET', copy))).toEqual(before)
  })

  it('rotates, and reads the latest version of the key', async () => {
    expect(outcome(await send('PUT', 'keymgmt/key/dist/rotate', {}))).toEqual(done)
    expect(dataOf(await send('GET', 'keymgmt/key/dist')).latest_version).toBe(2)
    expect(Object.keys(dataOf(await send('GET', copy)).versions as object)).toEqual(['1', '2'])
  })

  it.each([
    403, 503,
  ])('rotates once where the vault answers %i: what has had its effect is not sent again', async (status) => {
    const key = `keymgmt/key/fault-${status}`
    const there = `keymgmt/kms/tf/key/fault-${status}`
    await send('PUT', key, { type: 'rsa-2048' })
    expect(outcome(await send('PUT', there, { purpose: ['sign'] }))).toEqual(done)
    emulator.injectFault({ match: { vault: 'terraform' }, action: { status } })
    const impatient = createApp(test.core, { version: '1.2.3', requestDeadlineMs: status === 403 ? 10_000 : 500 })
    const response = await impatient.request(`http://gateway/v1/${key}/rotate`, {
      method: 'PUT',
      headers: { 'X-Vault-Token': session.token },
      body: '{}',
    })
    expect(response.status).toBe(200)
    const { data, warnings } = (await response.json()) as { data: unknown; warnings: string[] }
    expect([data, warnings]).toEqual([null, [expect.stringContaining('rotate')]])
    expect(dataOf(await send('GET', key)).latest_version).toBe(2)
    emulator.clearFaults()
    expect(outcome(await send('DELETE', there))).toEqual(done)
  })

  it('does not replicate a key that is to be in one region', async () => {
    const reply = await send('PUT', `${copy}/replicate`, {})
    expect(outcome(reply)).toEqual([400, expect.stringMatching(/does not have replica_regions/)])
    expect(dataOf(await send('GET', 'keymgmt/kms/tf')).provider).toBe('azurekeyvault')
  })

  it('does not rotate a key that is not there', async () => {
    expect(outcome(await send('PUT', 'keymgmt/key/none/rotate', {}))).toEqual([
      400,
      expect.stringMatching(/key ".*" not found/),
    ])
    expect(outcome(await send('PUT', 'nonexistent/key/none/rotate', {}))).toEqual([
      404,
      expect.stringContaining('no handler for route'),
    ])
  })

  it('takes the copy away, again without complaint, and the key stays', async () => {
    expect(outcome(await send('DELETE', copy))).toEqual(done)
    expect(outcome(await send('GET', copy))).toEqual(gone)
    expect(outcome(await send('DELETE', copy))).toEqual(done)
    expect((await send('GET', 'keymgmt/key/dist')).status).toBe(200)
    expect(outcome(await send('DELETE', 'keymgmt/kms/tf'))).toEqual(done)
  })
})
