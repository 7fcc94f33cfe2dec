// The tour with curl, as the documents of the API write it: --request LIST, --header, --data.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const { VAULT_ADDR, VAULT_TOKEN, KEY_VAULT_NAME, AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = process.env
const json = 'Content-Type: application/json'

/** What `curl ARGS ADDRESS/v1/PATH` answers: the status, and the body where there is one. Headers are given as curl has them. */
async function curl(method, path, { data, token = VAULT_TOKEN, headers = [] } = {}) {
  const all = [...(token === '' ? [] : [`X-Vault-Token: ${token}`]), ...headers]
  const { stdout } = await promisify(execFile)('curl', [
    '--silent',
    '--show-error',
    '--write-out',
    '\n%{http_code}',
    ...all.flatMap((header) => ['--header', header]),
    '--request',
    method,
    ...(data === undefined ? [] : ['--data', typeof data === 'string' ? data : JSON.stringify(data)]),
    `${VAULT_ADDR}/v1/${path}`,
  ])
  const end = stdout.lastIndexOf('\n')
  const body = stdout.slice(0, end)
  return { status: Number(stdout.slice(end + 1)), ...(body === '' ? {} : JSON.parse(body)) }
}

const get = async (path, options) => (await curl('GET', path, options)).data
const list = async (path, options) => (await curl('LIST', path, options)).data?.keys

/** That nothing was to be said: 204. */
async function written(method, path, data, options = {}) {
  assert.deepEqual(await curl(method, path, { ...options, ...(data === undefined ? {} : { data }) }), { status: 204 })
}

/** That a request is refused with this status, in words that match. */
async function refused(status, words, method, path, options) {
  const answer = await curl(method, path, options)
  assert.equal(answer.status, status)
  assert.match(answer.errors.join(), words)
}

const nothing = /^$/
const tour = {
  async login() {
    assert.deepEqual((await get('auth/token/lookup-self')).policies, ['root'])
    const bearer = { token: '', headers: [`Authorization: Bearer ${VAULT_TOKEN}`] }
    assert.deepEqual((await get('auth/token/lookup-self', bearer)).policies, ['root'])
    await refused(403, /permission denied/, 'GET', 'keymgmt/key/none', { token: 'wrong' })
    assert.equal((await curl('GET', 'sys/health', { token: '' })).sealed, false)
    assert.equal((await curl('GET', 'sys/seal-status', { token: '' })).sealed, false)
  },

  async mounts() {
    await written('POST', 'sys/mounts/tour', { type: 'keymgmt', description: 'a tour' })
    assert.equal((await get('sys/mounts'))['tour/'].description, 'a tour')
    await written('POST', 'sys/mounts/tour/tune', { description: 'tuned', max_lease_ttl: '2h' })
    const tuned = await get('sys/mounts/tour/tune')
    assert.deepEqual([tuned.description, tuned.max_lease_ttl], ['tuned', 7200])
    await written('DELETE', 'sys/mounts/tour')
    await refused(404, /no handler for route/, 'GET', 'tour/key/none')
  },

  async keys() {
    await refused(404, nothing, 'GET', 'keymgmt/key/none')
    await refused(404, nothing, 'LIST', 'keymgmt/key')
    await written('POST', 'keymgmt/key/orders', { type: 'rsa-3072' })
    await written('PUT', 'keymgmt/key/card', { type: 'ecdsa-p256' }, { headers: [json] })
    for (const path of ['keymgmt/key', 'keymgmt/key/']) assert.deepEqual(await list(path), ['card', 'orders'])
    assert.deepEqual((await get('keymgmt/key?list=true')).keys, ['card', 'orders'])
    const key = await get('keymgmt/key/orders')
    assert.deepEqual([key.type, key.latest_version, key.deletion_allowed], ['rsa-3072', 1, false])
    assert.match(key.versions[1].public_key, /^-----BEGIN PUBLIC KEY-----\n/)
    await written('POST', 'keymgmt/key/card/rotate')
    await written('POST', 'keymgmt/key/card', 'min_enabled_version=2')
    assert.deepEqual(Object.keys((await get('keymgmt/key/card')).versions), ['2'])
    await refused(400, /deletion_allowed/, 'DELETE', 'keymgmt/key/card')
    await written('POST', 'keymgmt/key/card', { deletion_allowed: true })
    await written('DELETE', 'keymgmt/key/card')
    await written('DELETE', 'keymgmt/key/card')
    await refused(400, /unsupported key type/, 'POST', 'keymgmt/key/odd', { data: { type: 'rsa-1024' } })
  },

  async kms() {
    const credentials = [
      `client_id=${AZURE_CLIENT_ID}`,
      `client_secret=${AZURE_CLIENT_SECRET}`,
      `tenant_id=${AZURE_TENANT_ID}`,
    ]
    await written('POST', 'keymgmt/kms/prod', {
      provider: 'azurekeyvault',
      key_collection: KEY_VAULT_NAME,
      credentials,
    })
    const shown = await get('keymgmt/kms/prod')
    assert.deepEqual([shown.provider, shown.key_collection], ['azurekeyvault', KEY_VAULT_NAME])
    assert(!JSON.stringify(shown).includes(AZURE_CLIENT_SECRET))
    assert.deepEqual(await list('keymgmt/kms'), ['prod'])
    await written('POST', 'keymgmt/kms/prod', { provider: 'azurekeyvault', credentials })
    await refused(400, /cannot be changed/, 'POST', 'keymgmt/kms/prod', { data: { key_collection: 'another' } })
  },

  async copies() {
    await written('POST', 'keymgmt/kms/prod/key/orders', { purpose: 'encrypt,decrypt', protection: 'hsm' })
    const copy = await get('keymgmt/kms/prod/key/orders')
    assert.deepEqual([copy.purpose, copy.protection, Object.keys(copy.versions)], ['decrypt,encrypt', 'hsm', ['1']])
    assert.match(copy.name, /^orders-\d+$/)
    assert.deepEqual(await list('keymgmt/kms/prod/key'), ['orders'])
    assert.deepEqual(await list('keymgmt/key/orders/kms'), ['prod'])
    await written('POST', 'keymgmt/key/orders/rotate')
    const rotated = await get('keymgmt/kms/prod/key/orders')
    assert.deepEqual([rotated.name, Object.keys(rotated.versions)], [copy.name, ['1', '2']])
    await refused(400, /1 key/, 'DELETE', 'keymgmt/kms/prod')
    await written('DELETE', 'keymgmt/kms/prod/key/orders')
    await refused(404, nothing, 'GET', 'keymgmt/kms/prod/key/orders')
    assert.equal((await get('keymgmt/key/orders')).latest_version, 2)
    await written('DELETE', 'keymgmt/kms/prod')
    await written('POST', 'keymgmt/key/orders', 'deletion_allowed=true')
    await written('DELETE', 'keymgmt/key/orders')
  },

  async tokens() {
    const data = { policies: ['default'], ttl: '1h', meta: { team: 'a' } }
    const { auth } = await curl('POST', 'auth/token/create', { data })
    const token = auth.client_token
    assert.equal(auth.lease_duration, 3600)
    const { data: found } = await curl('POST', 'auth/token/lookup', { data: { token } })
    assert.deepEqual([found.meta, found.policies, found.creation_ttl], [{ team: 'a' }, ['default'], 3600])
    const accessor = { accessor: auth.accessor }
    assert.equal((await curl('POST', 'auth/token/lookup-accessor', { data: accessor })).data.id, '')
    assert((await list('auth/token/accessors')).includes(auth.accessor))
    const renewed = await curl('POST', 'auth/token/renew', { data: { token, increment: '30m' } })
    assert.equal(renewed.auth.client_token, token)
    assert.equal((await curl('POST', 'auth/token/renew-self', { token })).auth.renewable, true)
    await written('POST', 'auth/token/revoke', { token })
    await refused(403, /permission denied/, 'GET', 'auth/token/lookup-self', { token })
    const { auth: other } = await curl('POST', 'auth/token/create-orphan', { data })
    await written('POST', 'auth/token/revoke-accessor', { accessor: other.accessor })
    await refused(403, /permission denied/, 'GET', 'auth/token/lookup-self', { token: other.client_token })
  },

  async policies() {
    const policy = `
      path "keymgmt/key/*" { capabilities = ["read", "create"] }
      path "keymgmt/key/closed" { capabilities = ["deny"] }`
    await written('PUT', 'sys/policies/acl/tour', { policy })
    assert((await list('sys/policies/acl')).includes('tour'))
    assert.equal((await get('sys/policies/acl/tour')).policy.trim(), policy.trim())
    const data = { policies: ['tour'], ttl: '5m' }
    const child = { token: (await curl('POST', 'auth/token/create', { data })).auth.client_token }
    await written('POST', 'keymgmt/key/open', { type: 'aes256-gcm96' }, child)
    await written('POST', 'keymgmt/key/closed', { type: 'aes256-gcm96' })
    assert.equal((await get('keymgmt/key/open', child)).name, 'open')
    await refused(403, /permission denied/, 'GET', 'keymgmt/key/closed', child)
    await refused(403, /permission denied/, 'DELETE', 'keymgmt/key/open', child)
    await refused(403, /permission denied/, 'POST', 'keymgmt/key/open', { ...child, data: { deletion_allowed: true } })
    const able = await curl('POST', 'sys/capabilities-self', { ...child, data: { paths: ['keymgmt/key/closed'] } })
    assert.deepEqual(able.data['keymgmt/key/closed'], ['deny'])
    await written('DELETE', 'sys/policies/acl/tour')
    await refused(403, /permission denied/, 'GET', 'keymgmt/key/open', child)
  },

  async namespaces() {
    assert.equal((await curl('POST', 'sys/namespaces/team')).data.path, 'team/')
    assert.deepEqual(await list('sys/namespaces'), ['team/'])
    const inside = { headers: ['X-Vault-Namespace: team'] }
    await written('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' }, inside)
    await written('POST', 'team/keymgmt/key/theirs', { type: 'aes256-gcm96' })
    await refused(404, nothing, 'GET', 'keymgmt/key/theirs')
    assert.equal((await get('keymgmt/key/theirs', inside)).name, 'theirs')
    assert.deepEqual(await list('team/keymgmt/key'), ['theirs'])
    assert.deepEqual((await curl('DELETE', 'sys/namespaces/team')).data, { status: 'in-progress' })
    await refused(404, /no handler for route/, 'GET', 'team/keymgmt/key/theirs')
  },

  async wrapping() {
    await written('POST', 'keymgmt/key/wrapped', { type: 'ecdsa-p384' })
    const { wrap_info } = await curl('GET', 'keymgmt/key/wrapped', { headers: ['X-Vault-Wrap-TTL: 60'] })
    assert.deepEqual([wrap_info.ttl, wrap_info.creation_path], [60, 'keymgmt/key/wrapped'])
    const { token } = wrap_info
    assert.equal((await curl('POST', 'sys/wrapping/lookup', { data: { token } })).data.creation_ttl, 60)
    assert.equal((await curl('POST', 'sys/wrapping/unwrap', { token })).data.type, 'ecdsa-p384')
    await refused(400, /wrapping token/, 'POST', 'sys/wrapping/unwrap', { data: { token } })
  },

  async approle() {
    await written('POST', 'sys/auth/approle', { type: 'approle' })
    assert.equal((await get('sys/auth'))['approle/'].type, 'approle')
    await written('PUT', 'sys/policies/acl/robot', { policy: 'path "keymgmt/key" { capabilities = ["list"] }' })
    await written('POST', 'auth/approle/role/robot', { token_policies: 'robot', token_ttl: '10m' })
    assert.deepEqual(await list('auth/approle/role'), ['robot'])
    const { role_id } = await get('auth/approle/role/robot/role-id')
    const { secret_id } = (await curl('POST', 'auth/approle/role/robot/secret-id')).data
    const login = (data) => ['POST', 'auth/approle/login', { token: '', data }]
    await refused(400, /invalid role or secret ID/, ...login({ role_id, secret_id: 'wrong' }))
    const { auth } = await curl(...login({ role_id, secret_id }))
    assert.deepEqual([auth.lease_duration, auth.policies], [600, ['default', 'robot']])
    const robot = { token: auth.client_token }
    assert((await list('keymgmt/key', robot)).includes('wrapped'))
    await written('POST', 'auth/token/revoke-self', undefined, robot)
    await refused(403, /permission denied/, 'LIST', 'keymgmt/key', robot)
    await written('DELETE', 'sys/auth/approle')
  },

  async system() {
    await written('POST', 'sys/mounts/here', { type: 'keymgmt' })
    await written('POST', 'here/key/k', { type: 'aes256-gcm96' })
    const { migration_id } = (await curl('POST', 'sys/remount', { data: { from: 'here', to: 'moved/there' } })).data
    const deadline = Date.now() + 10_000
    const state = async () => (await get(`sys/remount/status/${migration_id}`)).migration_info.status
    while ((await state()) !== 'success' && Date.now() < deadline) await new Promise((go) => setTimeout(go, 50))
    assert.equal((await get('moved/there/key/k')).name, 'k')
    await refused(404, /no handler for route/, 'GET', 'here/key/k')
    assert.deepEqual(await get('sys/audit'), {})
    assert.equal(typeof (await get('sys/license/status')), 'object')
    assert.equal((await get('sys/internal/ui/mounts/keymgmt')).path, 'keymgmt/')
  },
}

for (const [step, walk] of Object.entries(tour)) {
  await walk()
  console.log('ok', step)
}
