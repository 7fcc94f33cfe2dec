import { describe, expect, it } from 'vitest'
import { dataOf, outcome } from './gateway.ts'
import { child, credentials, done, gone, send, session, startTerraform } from './terraform-provider.ts'

startTerraform()

describe('the provider starts', () => {
  it('with a look at its token', async () => {
    expect(dataOf(await send('GET', 'auth/token/lookup-self'))).toMatchObject({ policies: ['root'], ttl: 0 })
  })

  it('with a version that it can compare: semantic, and at least 2.0.0', async () => {
    const { version } = JSON.parse((await send('GET', 'sys/seal-status')).text)
    const [, major] = /^v?(\d+)\.\d+\.\d+(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/.exec(version) ?? []
    expect(Number(major)).toBeGreaterThanOrEqual(2)
  })

  it('with a child token of 20 minutes that cannot be renewed', async () => {
    const { auth } = JSON.parse((await send('POST', 'auth/token/create', child)).text)
    expect(auth).toMatchObject({ policies: ['root'], lease_duration: 1200, renewable: false, orphan: false })
    session.token = auth.client_token
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
    const root = session.token
    try {
      for (const step of [{ policies: ['terraform'], ttl: '1h' }, child]) {
        const { auth } = JSON.parse((await send('POST', 'auth/token/create', step)).text)
        expect(auth.policies).toEqual(['default', 'terraform'])
        session.token = auth.client_token
        expect((await send('GET', 'auth/token/lookup-self')).status).toBe(200)
      }
      expect(outcome(await send('PUT', 'keymgmt/key/least', { type: 'aes256-gcm96' }))).toEqual(done)
      expect((await send('GET', 'sys/mounts/keymgmt')).status).toBe(403)
    } finally {
      session.token = root
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
