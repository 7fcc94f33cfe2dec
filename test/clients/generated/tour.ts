// The tour with a client generated from the gateway's own OpenAPI document. That it compiles, with TypeScript's strictest rules for
// what comes back, says that the document's types fit; that it runs says that the answers fit them.
import assert from 'node:assert/strict'
import { client } from './client/client.gen.js'
import * as api from './client/index.js'

const { VAULT_ADDR, VAULT_TOKEN, KEY_VAULT_NAME, AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } =
  process.env as Record<string, string>
const credentials = {
  tenant_id: AZURE_TENANT_ID ?? '',
  client_id: AZURE_CLIENT_ID ?? '',
  client_secret: AZURE_CLIENT_SECRET ?? '',
}
client.setConfig({ baseUrl: VAULT_ADDR ?? '', auth: () => VAULT_TOKEN })

/** As whom a request is made. */
const as = (token: string) => ({ auth: () => token })
const mount = { keymgmt_mount_path: 'keymgmt' }
const approle = { approle_mount_path: 'approle' }
const list = 'true' as const

type Result<T> = { data?: T | undefined; error?: unknown; response?: Response }

/** The answer of a request that has to be met. */
async function met<T>(pending: Promise<Result<T>>): Promise<NonNullable<T>> {
  const { data, error, response } = await pending
  if (!response?.ok) throw new Error(`${response?.url} answered ${response?.status}: ${JSON.stringify(error)}`)
  return data as NonNullable<T>
}

/** That a request is met with nothing to say: 204. */
async function written(pending: Promise<Result<unknown>>): Promise<void> {
  const { error, response } = await pending
  assert.equal(response?.status, 204, JSON.stringify(error))
}

/** That a request is refused with this status, in words that match. */
async function refused(pending: Promise<Result<unknown>>, status: number, words: RegExp): Promise<void> {
  const { error, response } = await pending
  assert.equal(response?.status, status)
  assert.match((error as api.Errors).errors.join(), words)
}

const nothing = /^$/
const readKey = (name: string, more: object = {}) => api.keyManagementReadKey({ path: { ...mount, name }, ...more })
const writeKey = (name: string, body: api.KeyManagementWriteKeyRequest, more: object = {}) =>
  api.keyManagementWriteKey({ path: { ...mount, name }, body, ...more })
const deleteKey = (name: string, more: object = {}) => api.keyManagementDeleteKey({ path: { ...mount, name }, ...more })
const lookupSelf = (token: string, more: object = {}) => api.tokenReadLookupSelf({ ...as(token), ...more })
async function makeToken(body: api.TokenWriteCreateRequest, more: object = {}) {
  return (await met(api.tokenWriteCreate({ body, ...more }))).auth
}

const tour: Record<string, () => Promise<void>> = {
  async login() {
    assert.deepEqual((await met(api.tokenReadLookupSelf())).data.policies, ['root'])
    await refused(readKey('none', as('wrong')), 403, /permission denied/)
    assert.equal((await met(api.systemReadSysHealth())).sealed, false)
    assert.equal((await met(api.systemReadSysSealStatus())).sealed, false)
    assert.equal((await met(api.systemReadSysInit())).initialized, true)
    assert.equal((await met(api.systemReadSysLeader())).ha_enabled, false)
  },

  async mounts() {
    const path = { path: 'tour' }
    await written(api.systemWriteMounts({ path, body: { type: 'keymgmt', description: 'a tour' } }))
    assert.equal((await met(api.systemReadMounts())).data['tour/']?.description, 'a tour')
    await written(api.systemWriteMountsTune({ path, body: { description: 'tuned', max_lease_ttl: 7200 } }))
    const { data } = await met(api.systemReadMountsTune({ path }))
    assert.deepEqual([data.description, data.max_lease_ttl], ['tuned', 7200])
    await written(api.systemDeleteMounts({ path }))
    const there = { keymgmt_mount_path: 'tour', name: 'none' }
    await refused(api.keyManagementReadKey({ path: there }), 404, /no handler for route/)
  },

  async keys() {
    await refused(readKey('none'), 404, nothing)
    await refused(api.keyManagementListKey({ path: mount, query: { list } }), 404, nothing)
    await written(writeKey('orders', { type: 'rsa-3072' }))
    await written(writeKey('card', { type: 'ecdsa-p256' }))
    const names = await met(api.keyManagementListKey({ path: mount, query: { list } }))
    assert.deepEqual(names.data.keys, ['card', 'orders'])
    const page = await met(api.keyManagementListKey({ path: mount, query: { list, after: 'card', limit: 1 } }))
    assert.deepEqual(page.data.keys, ['orders'])
    const { data: key } = await met(readKey('orders'))
    assert.deepEqual([key.type, key.latest_version, key.deletion_allowed], ['rsa-3072', 1, false])
    assert.match(key.versions['1']?.public_key ?? '', /^-----BEGIN PUBLIC KEY-----\n/)
    await written(api.keyManagementWriteKeyRotate({ path: { ...mount, name: 'card' } }))
    await written(writeKey('card', { min_enabled_version: 2 }))
    assert.deepEqual(Object.keys((await met(readKey('card'))).data.versions), ['2'])
    await refused(deleteKey('card'), 400, /deletion_allowed/)
    await written(writeKey('card', { deletion_allowed: true }))
    await written(deleteKey('card'))
    await refused(readKey('card'), 404, nothing)
    await refused(writeKey('odd', { type: 'rsa-1024' as 'rsa-2048' }), 400, /unsupported key type/)
  },

  async kms() {
    const path = { ...mount, name: 'prod' }
    const body = { provider: 'azurekeyvault', key_collection: KEY_VAULT_NAME ?? '', credentials }
    await written(api.keyManagementWriteKms({ path, body }))
    const { data } = await met(api.keyManagementReadKms({ path }))
    assert.deepEqual([data.provider, data.key_collection], ['azurekeyvault', KEY_VAULT_NAME])
    assert(!JSON.stringify(data).includes(credentials.client_secret))
    assert.deepEqual((await met(api.keyManagementListKms({ path: mount, query: { list } }))).data.keys, ['prod'])
    await written(api.keyManagementWriteKms({ path, body: { provider: 'azurekeyvault', credentials } }))
    await refused(api.keyManagementWriteKms({ path, body: { key_collection: 'another' } }), 400, /cannot be changed/)
  },

  async copies() {
    const path = { ...mount, name: 'prod', key_name: 'orders' }
    const kms = { ...mount, name: 'prod' }
    const key = { ...mount, name: 'orders' }
    await written(api.keyManagementWriteKmsKey({ path, body: { purpose: ['encrypt', 'decrypt'], protection: 'hsm' } }))
    const { data: copy } = await met(api.keyManagementReadKmsKey({ path }))
    assert.deepEqual([copy.purpose, copy.protection, Object.keys(copy.versions)], ['decrypt,encrypt', 'hsm', ['1']])
    assert.match(copy.name, /^orders-\d+$/)
    assert.deepEqual((await met(api.keyManagementListKmsKey({ path: kms, query: { list } }))).data.keys, ['orders'])
    assert.deepEqual((await met(api.keyManagementListKeyKms({ path: key, query: { list } }))).data.keys, ['prod'])
    await written(api.keyManagementWriteKeyRotate({ path: key }))
    const { data: rotated } = await met(api.keyManagementReadKmsKey({ path }))
    assert.deepEqual([rotated.name, Object.keys(rotated.versions)], [copy.name, ['1', '2']])
    await refused(api.keyManagementWriteKmsKeyReplicate({ path }), 400, /does not have replica_regions/)
    await refused(api.keyManagementDeleteKms({ path: kms }), 400, /1 key/)
    await written(api.keyManagementDeleteKmsKey({ path }))
    await refused(api.keyManagementReadKmsKey({ path }), 404, nothing)
    assert.equal((await met(readKey('orders'))).data.latest_version, 2)
    await written(api.keyManagementDeleteKms({ path: kms }))
    await written(writeKey('orders', { deletion_allowed: true }))
    await written(deleteKey('orders'))
  },

  async tokens() {
    const made = await makeToken({ policies: ['default'], ttl: 3600, display_name: 'tour', meta: { team: 'a' } })
    const { accessor, client_token: token } = made
    assert.equal(made.lease_duration, 3600)
    const { data } = await met(api.tokenWriteLookup({ body: { token } }))
    assert.deepEqual([data.meta, data.policies, data.creation_ttl], [{ team: 'a' }, ['default'], 3600])
    assert.equal((await met(api.tokenWriteLookupAccessor({ body: { accessor } }))).data.id, '')
    assert((await met(api.tokenListAccessors({ query: { list } }))).data.keys.includes(accessor))
    assert.equal((await met(api.tokenWriteRenew({ body: { token, increment: 1800 } }))).auth.client_token, token)
    assert.equal((await met(api.tokenWriteRenewSelf({ body: {}, ...as(token) }))).auth.renewable, true)
    await written(api.tokenWriteRevoke({ body: { token } }))
    await refused(lookupSelf(token), 403, /permission denied/)
    const other = await makeToken({ policies: ['default'], ttl: 3600 })
    await written(api.tokenWriteRevokeAccessor({ body: { accessor: other.accessor } }))
    await refused(lookupSelf(other.client_token), 403, /permission denied/)
  },

  async policies() {
    const path = { name: 'tour' }
    const policy = `
      path "keymgmt/key/*" { capabilities = ["read", "create"] }
      path "keymgmt/key/closed" { capabilities = ["deny"] }`
    await written(api.systemWritePoliciesAcl({ path, body: { policy } }))
    assert((await met(api.systemListPoliciesAcl({ query: { list } }))).data.keys.includes('tour'))
    assert.equal((await met(api.systemReadPoliciesAcl({ path }))).data.policy.trim(), policy.trim())
    const child = as((await makeToken({ policies: ['tour'], ttl: 300 })).client_token)
    await written(writeKey('open', { type: 'aes256-gcm96' }, child))
    await written(writeKey('closed', { type: 'aes256-gcm96' }))
    assert.equal((await met(readKey('open', child))).data.name, 'open')
    await refused(readKey('closed', child), 403, /permission denied/)
    await refused(deleteKey('open', child), 403, /permission denied/)
    await refused(writeKey('open', { deletion_allowed: true }, child), 403, /permission denied/)
    await written(api.systemDeletePoliciesAcl({ path }))
    await refused(readKey('open', child), 403, /permission denied/)
  },

  async namespaces() {
    const path = { path: 'team' }
    await met(api.systemWriteNamespaces({ path, body: { custom_metadata: { team: 'a' } } }))
    assert.deepEqual((await met(api.systemListNamespaces({ query: { list } }))).data.keys, ['team/'])
    assert.deepEqual((await met(api.systemReadNamespaces({ path }))).data.custom_metadata, { team: 'a' })
    const inside = { headers: { 'X-Vault-Namespace': 'team' } }
    await written(api.systemWriteMounts({ path: { path: 'keymgmt' }, body: { type: 'keymgmt' }, ...inside }))
    await written(writeKey('theirs', { type: 'aes256-gcm96' }, inside))
    await refused(readKey('theirs'), 404, nothing)
    assert.equal((await met(readKey('theirs', inside))).data.name, 'theirs')
    const { client_token } = await makeToken({ policies: ['default'], ttl: 300 }, inside)
    assert.equal((await met(lookupSelf(client_token, inside))).data.namespace_path, 'team/')
    assert.equal((await met(api.systemDeleteNamespaces({ path }))).data?.status, 'in-progress')
    await refused(readKey('theirs', inside), 404, /no handler for route/)
  },

  async wrapping() {
    await written(writeKey('wrapped', { type: 'ecdsa-p384' }))
    // The document says of all answers that they can be this one; a generated client knows it by name only.
    const answer: unknown = await met(readKey('wrapped', { headers: { 'X-Vault-Wrap-TTL': '60s' } }))
    const { wrap_info } = answer as api.Wrapped
    assert.deepEqual([wrap_info.ttl, wrap_info.creation_path], [60, 'keymgmt/key/wrapped'])
    const { token } = wrap_info
    assert.equal((await met(api.systemWriteWrappingLookup({ body: { token } }))).data.creation_ttl, 60)
    assert.equal((await met(api.systemWriteWrappingUnwrap({ body: { token } }))).data?.type, 'ecdsa-p384')
    await refused(api.systemWriteWrappingUnwrap({ body: { token } }), 400, /wrapping token/)
  },

  async approle() {
    await written(api.systemWriteAuth({ path: { path: 'approle' }, body: { type: 'approle' } }))
    assert.equal((await met(api.systemReadAuth())).data['approle/']?.type, 'approle')
    const policy = 'path "keymgmt/key" { capabilities = ["list"] }'
    await written(api.systemWritePoliciesAcl({ path: { name: 'robot' }, body: { policy } }))
    const path = { ...approle, role_name: 'robot' }
    await written(api.appRoleWriteRole({ path, body: { token_policies: ['robot'], token_ttl: 600 } }))
    assert.deepEqual((await met(api.appRoleListRole({ path: approle, query: { list } }))).data.keys, ['robot'])
    const { role_id } = (await met(api.appRoleReadRoleRoleId({ path }))).data
    const { secret_id } = (await met(api.appRoleWriteRoleSecretId({ path }))).data
    const login = (body: api.AppRoleWriteLoginRequest) => api.appRoleWriteLogin({ path: approle, body })
    await refused(login({ role_id, secret_id: 'wrong' }), 400, /invalid role or secret ID/)
    const { auth } = await met(login({ role_id, secret_id }))
    assert.deepEqual([auth.lease_duration, auth.policies], [600, ['default', 'robot']])
    const robot = as(auth.client_token)
    const names = await met(api.keyManagementListKey({ path: mount, query: { list }, ...robot }))
    assert(names.data.keys.includes('wrapped'))
    await written(api.tokenWriteRevokeSelf(robot))
    await refused(api.tokenReadLookupSelf(robot), 403, /permission denied/)
    await written(api.systemDeleteAuth({ path: { path: 'approle' } }))
  },

  async system() {
    await written(api.systemWriteMounts({ path: { path: 'here' }, body: { type: 'keymgmt' } }))
    const there = (mountPath: string) => ({ path: { keymgmt_mount_path: mountPath, name: 'k' } })
    await written(api.keyManagementWriteKey({ ...there('here'), body: { type: 'aes256-gcm96' } }))
    const { migration_id } = (await met(api.systemWriteRemount({ body: { from: 'here', to: 'moved' } }))).data
    const status = await met(api.systemReadRemountStatus({ path: { id: migration_id } }))
    assert.equal(status.data.migration_info.status, 'success')
    assert.equal((await met(api.keyManagementReadKey(there('moved')))).data.name, 'k')
    await refused(api.keyManagementReadKey(there('here')), 404, /no handler for route/)
    assert.deepEqual((await met(api.systemReadAudit())).data, {})
    assert.equal((await met(api.systemReadInternalUiMountsByPath({ path: { path: 'keymgmt' } }))).data.path, 'keymgmt/')
  },
}

for (const [step, walk] of Object.entries(tour)) {
  await walk()
  console.log('ok', step)
}
