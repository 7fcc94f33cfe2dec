import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { throughEmulator } from '../../src/commands/dev-emulator.ts'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../src/emulator/azurekeyvault/index.ts'
import { createApp } from '../../src/http/app.ts'
import { createAzureKeyVaultProvider } from '../../src/providers/azurekeyvault/index.ts'
import { type TestCore, testCore } from '../support/gateway.ts'
import { dataOf, outcome, type Reply } from './gateway.ts'

/**
 * What Terraform's provider for Vault (5.9 and later) sends and looks for, request by request: at start-up, for vault_mount and
 * vault_namespace, and for the vault_keymgmt_* resources, with the fragments of errors that its acceptance tests want.
 */
const principal = { tenantId: 'cd4bf224-d114-4f96-9bbc-b8f45751c43f', clientId: 'terraform', clientSecret: 's%=cret' }
const credentials = {
  tenant_id: principal.tenantId,
  client_id: principal.clientId,
  client_secret: principal.clientSecret,
}

let emulator: KeyVaultEmulator
let test: TestCore
let app: ReturnType<typeof createApp>
/** The token that the provider goes on with. */
let token: string

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [{ name: 'terraform', kind: 'premium' }],
    principals: [principal],
  })
  test = await testCore({ providers: [createAzureKeyVaultProvider(throughEmulator(emulator))] })
  app = createApp(test.core, { version: '1.2.3' })
  token = test.rootToken
})
afterAll(async () => {
  await test.close()
  await emulator.close()
})

/** A request of the provider's: what its client is set to puts these headers on each. */
async function send(
  method: string,
  path: string,
  body?: unknown,
  { namespace, ...more }: { namespace?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const response = await app.request(`http://gateway/v1/${path}`, {
    method,
    headers: {
      'X-Vault-Request': 'true',
      'X-Vault-Token': token,
      'X-Vault-Index': 'v1:eyJzIjoxfQ==',
      ...(namespace === undefined ? {} : { 'X-Vault-Namespace': namespace }),
      ...more.headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

const done = [204]
const gone = [404]

describe('the provider starts', () => {
  it('with a look at its token', async () => {
    expect(dataOf(await send('GET', 'auth/token/lookup-self'))).toMatchObject({ policies: ['root'], ttl: 0 })
  })

  it('with a version that it can compare: semantic, and at least 2.0.0', async () => {
    const { version } = JSON.parse((await send('GET', 'sys/seal-status')).text)
    const [, major] = /^v?(\d+)\.\d+\.\d+(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/.exec(version) ?? []
    expect(Number(major)).toBeGreaterThanOrEqual(2)
  })

  const child = { display_name: 'terraform', explicit_max_ttl: '1200s', renewable: false, ttl: '1200s' }

  it('with a child token of 20 minutes that cannot be renewed', async () => {
    const { auth } = JSON.parse((await send('POST', 'auth/token/create', child)).text)
    expect(auth).toMatchObject({ policies: ['root'], lease_duration: 1200, renewable: false, orphan: false })
    token = auth.client_token
    expect(dataOf(await send('GET', 'auth/token/lookup-self'))).toMatchObject({
      display_name: 'token-terraform',
      explicit_max_ttl: 1200,
      policies: ['root'],
    })
  })

  it("with the empty fields of Go's client for what was not chosen", async () => {
    const body = { ...child, type: '', entity_alias: '', num_uses: 0 }
    const { auth } = JSON.parse((await send('POST', 'auth/token/create', body)).text)
    expect(auth).toMatchObject({ token_type: 'service', lease_duration: 1200 })
  })

  it('with no more rights than these, where its own token is not root', async () => {
    const policy = 'path "keymgmt/*" { capabilities = ["create", "read", "update", "delete", "list"] }'
    await send('PUT', 'sys/policies/acl/terraform', {
      policy: `${policy}\npath "auth/token/create" { capabilities = ["update"] }`,
    })
    const root = token
    try {
      for (const step of [{ policies: ['terraform'], ttl: '1h' }, child]) {
        const { auth } = JSON.parse((await send('POST', 'auth/token/create', step)).text)
        expect(auth.policies).toEqual(['default', 'terraform'])
        token = auth.client_token
        expect((await send('GET', 'auth/token/lookup-self')).status).toBe(200)
      }
      expect(outcome(await send('PUT', 'keymgmt/key/least', { type: 'aes256-gcm96' }))).toEqual(done)
      expect((await send('GET', 'sys/mounts/keymgmt')).status).toBe(403)
    } finally {
      token = root
    }
  })
})

describe('vault_mount', () => {
  const body = {
    type: 'keymgmt',
    description: 'by terraform',
    config: {
      options: null,
      default_lease_ttl: '0s',
      max_lease_ttl: '0s',
      force_no_cache: false,
    },
    local: false,
    seal_wrap: false,
    external_entropy_access: false,
    options: null,
  }

  it('is created and read', async () => {
    expect(outcome(await send('POST', 'sys/mounts/tf/a', body))).toEqual(done)
    expect(dataOf(await send('GET', 'sys/mounts/tf/a'))).toMatchObject({
      type: 'keymgmt',
      description: 'by terraform',
      accessor: expect.stringMatching(/^keymgmt_/),
      local: false,
      options: null,
      seal_wrap: false,
      external_entropy_access: false,
      config: { default_lease_ttl: 0, max_lease_ttl: 0, force_no_cache: false },
    })
  })

  it('is tuned; what is empty or not sent stays as it is', async () => {
    const tune = { default_lease_ttl: '3600s', max_lease_ttl: '7200s', force_no_cache: false, options: {} }
    expect(outcome(await send('POST', 'sys/mounts/tf/a/tune', { ...tune, description: 'tuned' }))).toEqual(done)
    const empty = { options: null, default_lease_ttl: '', max_lease_ttl: '', force_no_cache: false }
    expect(outcome(await send('POST', 'sys/mounts/tf/a/tune', { ...empty, default_lease_ttl: '60s' }))).toEqual(done)
    expect(dataOf(await send('GET', 'sys/mounts/tf/a'))).toMatchObject({
      description: 'tuned',
      config: { default_lease_ttl: 60, max_lease_ttl: 7200 },
    })
  })

  it('is moved with what is in it', async () => {
    await send('PUT', 'tf/a/key/k', { type: 'aes256-gcm96' })
    const started = dataOf(await send('POST', 'sys/remount', { from: 'tf/a', to: 'tf/b' }))
    const status = dataOf(await send('GET', `sys/remount/status/${started.migration_id}`))
    expect(status).toEqual({
      migration_id: started.migration_id,
      migration_info: { source_mount: 'tf/a/', target_mount: 'tf/b/', status: 'success' },
    })
    expect((await send('GET', 'tf/b/key/k')).status).toBe(200)
  })

  it('is deleted with what is in it, and then is gone', async () => {
    expect(outcome(await send('DELETE', 'sys/mounts/tf/b'))).toEqual(done)
    expect(outcome(await send('GET', 'sys/mounts/tf/b'))).toEqual([400, 'No secret engine mount at tf/b/'])
    expect(outcome(await send('DELETE', 'sys/mounts/tf/b'))).toEqual(done)
  })
})

describe('vault_auth_backend', () => {
  it('is enabled, tuned and read by its path among the mounts, and disabled', async () => {
    const config = { options: null, default_lease_ttl: '', max_lease_ttl: '', force_no_cache: false }
    const body = {
      type: 'approle',
      description: 'robots',
      config: { ...config, max_lease_ttl: '2h' },
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      options: null,
    }
    expect(outcome(await send('POST', 'sys/auth/robots', body))).toEqual(done)
    const tune = { ...config, default_lease_ttl: '60s', token_type: 'batch', listing_visibility: 'unauth' }
    expect(outcome(await send('POST', 'sys/mounts/auth/robots/tune', tune))).toEqual(done)
    for (const path of ['sys/mounts/auth/robots/tune', 'sys/auth/robots/tune']) {
      expect(dataOf(await send('GET', path))).toMatchObject({
        default_lease_ttl: 60,
        max_lease_ttl: 7200,
        token_type: 'batch',
        description: 'robots',
      })
    }
    expect(dataOf(await send('GET', 'sys/mounts/auth/robots'))).toMatchObject({
      type: 'approle',
      description: 'robots',
    })
    expect(JSON.parse((await send('GET', 'sys/auth')).text)['robots/']).toMatchObject({ type: 'approle' })
    expect(outcome(await send('DELETE', 'sys/auth/robots'))).toEqual(done)
    expect((await send('GET', 'sys/mounts/auth/robots')).status).toBe(400)
  })
})

describe('vault_namespace', () => {
  it('is created, read, patched, deleted, and then is gone', async () => {
    const created = await send('PUT', 'sys/namespaces/tf', { custom_metadata: { team: 'a' } })
    expect(dataOf(created)).toMatchObject({ path: 'tf/', custom_metadata: { team: 'a' } })
    const { id } = dataOf(await send('GET', 'sys/namespaces/tf'))
    expect(id).toMatch(/./)
    const headers = { 'Content-Type': 'application/merge-patch+json' }
    const patched = await send('PATCH', 'sys/namespaces/tf', { custom_metadata: { team: 'b' } }, { headers })
    expect(patched.status).toBe(200)
    expect(dataOf(await send('GET', 'sys/namespaces/tf'))).toMatchObject({ id, custom_metadata: { team: 'b' } })
    expect((await send('DELETE', 'sys/namespaces/tf')).status).toBe(200)
    expect(outcome(await send('GET', 'sys/namespaces/tf'))).toEqual(gone)
    const again = await send('DELETE', 'sys/namespaces/tf')
    expect([again.status, JSON.parse(again.text).warnings]).toEqual([200, ['requested namespace does not exist']])
  })
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
      headers: { 'X-Vault-Token': token },
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

describe('whatever is wrong with a request', () => {
  it.each([
    ['PUT', 'keymgmt/key/bad', { type: ['rsa-2048'] }],
    ['PUT', 'keymgmt/key/bad', { type: 'rsa-2048', min_enabled_version: 'two' }],
    ['PUT', 'keymgmt/key/bad', { deletion_allowed: {} }],
    ['PUT', 'keymgmt/kms/bad', { provider: 'azurekeyvault' }],
    ['PUT', 'keymgmt/kms/bad', { provider: 'azurekeyvault', key_collection: 'no vault!', credentials }],
    ['PUT', 'keymgmt/kms/bad', { provider: 'othercloud', key_collection: 'x', credentials }],
    ['PUT', 'keymgmt/kms/none/key/none', { purpose: ['sign'] }],
    ['PUT', 'keymgmt/key/none/rotate', { surprise: true }],
    ['POST', 'sys/mounts/bad', { type: 'kv' }],
    ['POST', 'sys/mounts/bad/tune', { default_lease_ttl: 'long' }],
    ['POST', 'auth/token/create', { ttl: 'long' }],
    ['POST', 'sys/remount', { from: 'none', to: 'x' }],
  ])('%s %s with %j is not answered so that it is sent again', async (method, path, body) => {
    expect((await send(method, path, body)).status).toBe(400)
  })
})
