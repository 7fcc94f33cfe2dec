// The tour with node-vault, which lists by the verb LIST.
import assert from 'node:assert/strict'
import nodeVault from 'node-vault'

const { VAULT_ADDR, VAULT_TOKEN, KEY_VAULT_NAME, AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = process.env
const credentials = { tenant_id: AZURE_TENANT_ID, client_id: AZURE_CLIENT_ID, client_secret: AZURE_CLIENT_SECRET }
const withToken = (token, namespace) => nodeVault({ endpoint: VAULT_ADDR, token, namespace })
const vault = withToken(VAULT_TOKEN)

/** That a call is refused with this status, in words that match. */
const refused = (call, status, words) =>
  assert.rejects(call, (error) => error.response?.statusCode === status && words.test(error.message))

/** A token made by a client of its own, since node-vault goes on with the token that it makes. */
const makeToken = async (options, namespace) => (await withToken(VAULT_TOKEN, namespace).tokenCreate(options)).auth

const tour = {
  async login() {
    assert.deepEqual((await vault.tokenLookupSelf()).data.policies, ['root'])
    await refused(withToken('wrong').read('keymgmt/key/none'), 403, /permission denied/)
    assert.equal((await vault.status()).sealed, false)
    assert.equal((await vault.initialized()).initialized, true)
    assert.equal((await vault.health()).sealed, false)
    assert.match((await vault.help('keymgmt/key/orders')).help, /key/)
  },

  async mounts() {
    await vault.mount({ mount_point: 'tour', type: 'keymgmt', description: 'a tour' })
    assert.equal((await vault.mounts())['tour/'].description, 'a tour')
    await vault.write('sys/mounts/tour/tune', { description: 'tuned', max_lease_ttl: '2h' })
    const { data } = await vault.read('sys/mounts/tour/tune')
    assert.deepEqual([data.description, data.max_lease_ttl], ['tuned', 7200])
    await vault.unmount({ mount_point: 'tour' })
    await refused(vault.read('tour/key/none'), 404, /no handler for route/)
  },

  async keys() {
    await refused(vault.read('keymgmt/key/none'), 404, /Status 404/)
    await refused(vault.list('keymgmt/key'), 404, /Status 404/)
    await vault.write('keymgmt/key/orders', { type: 'rsa-3072' })
    await vault.write('keymgmt/key/card', { type: 'ecdsa-p256' })
    assert.deepEqual((await vault.list('keymgmt/key')).data.keys, ['card', 'orders'])
    const { data } = await vault.read('keymgmt/key/orders')
    assert.deepEqual([data.type, data.latest_version, data.deletion_allowed], ['rsa-3072', 1, false])
    assert.match(data.versions[1].public_key, /^-----BEGIN PUBLIC KEY-----\n/)
    await vault.write('keymgmt/key/card/rotate')
    await vault.write('keymgmt/key/card', { min_enabled_version: 2 })
    assert.deepEqual(Object.keys((await vault.read('keymgmt/key/card')).data.versions), ['2'])
    await refused(vault.delete('keymgmt/key/card'), 400, /deletion_allowed/)
    await vault.write('keymgmt/key/card', { deletion_allowed: true })
    await vault.delete('keymgmt/key/card')
    await refused(vault.read('keymgmt/key/card'), 404, /Status 404/)
    await refused(vault.write('keymgmt/key/odd', { type: 'rsa-1024' }), 400, /unsupported key type/)
    const byQuery = nodeVault({ endpoint: VAULT_ADDR, token: VAULT_TOKEN, noCustomHTTPVerbs: true })
    assert.deepEqual((await byQuery.list('keymgmt/key')).data.keys, ['orders'])
  },

  async kms() {
    await vault.write('keymgmt/kms/prod', { provider: 'azurekeyvault', key_collection: KEY_VAULT_NAME, credentials })
    const { data } = await vault.read('keymgmt/kms/prod')
    assert.deepEqual([data.provider, data.key_collection], ['azurekeyvault', KEY_VAULT_NAME])
    assert(!JSON.stringify(data).includes(AZURE_CLIENT_SECRET))
    assert.deepEqual((await vault.list('keymgmt/kms')).data.keys, ['prod'])
    await vault.write('keymgmt/kms/prod', { provider: 'azurekeyvault', credentials })
    await refused(vault.write('keymgmt/kms/prod', { key_collection: 'another' }), 400, /cannot be changed/)
  },

  async copies() {
    await vault.write('keymgmt/kms/prod/key/orders', { purpose: 'encrypt,decrypt', protection: 'hsm' })
    const { data: copy } = await vault.read('keymgmt/kms/prod/key/orders')
    assert.deepEqual([copy.purpose, copy.protection, Object.keys(copy.versions)], ['decrypt,encrypt', 'hsm', ['1']])
    assert.match(copy.name, /^orders-\d+$/)
    assert.deepEqual((await vault.list('keymgmt/kms/prod/key')).data.keys, ['orders'])
    assert.deepEqual((await vault.list('keymgmt/key/orders/kms')).data.keys, ['prod'])
    await vault.write('keymgmt/key/orders/rotate')
    const { data: rotated } = await vault.read('keymgmt/kms/prod/key/orders')
    assert.deepEqual([rotated.name, Object.keys(rotated.versions)], [copy.name, ['1', '2']])
    await refused(vault.delete('keymgmt/kms/prod'), 400, /1 key/)
    await vault.delete('keymgmt/kms/prod/key/orders')
    await refused(vault.read('keymgmt/kms/prod/key/orders'), 404, /Status 404/)
    assert.equal((await vault.read('keymgmt/key/orders')).data.latest_version, 2)
    await vault.delete('keymgmt/kms/prod')
    await vault.write('keymgmt/key/orders', { deletion_allowed: 'true' })
    await vault.delete('keymgmt/key/orders')
  },

  async tokens() {
    const made = await makeToken({ policies: ['default'], ttl: '1h', display_name: 'tour', meta: { team: 'a' } })
    assert.equal(made.lease_duration, 3600)
    const { data } = await vault.tokenLookup({ token: made.client_token })
    assert.deepEqual([data.meta, data.policies, data.creation_ttl], [{ team: 'a' }, ['default'], 3600])
    assert.equal((await vault.tokenLookupAccessor({ accessor: made.accessor })).data.id, '')
    assert((await vault.tokenAccessors()).data.keys.includes(made.accessor))
    const renewed = await withToken(VAULT_TOKEN).tokenRenew({ token: made.client_token, increment: '30m' })
    assert.equal(renewed.auth.client_token, made.client_token)
    assert.equal((await withToken(made.client_token).tokenRenewSelf()).auth.renewable, true)
    await vault.tokenRevoke({ token: made.client_token })
    await refused(withToken(made.client_token).tokenLookupSelf(), 403, /permission denied/)
    const other = await makeToken({ policies: ['default'], ttl: '1h' })
    await vault.tokenRevokeAccessor({ accessor: other.accessor })
    await refused(withToken(other.client_token).tokenLookupSelf(), 403, /permission denied/)
  },

  async policies() {
    const rules = `
      path "keymgmt/key/*" { capabilities = ["read", "create"] }
      path "keymgmt/key/closed" { capabilities = ["deny"] }`
    await vault.addPolicy({ name: 'tour', rules })
    assert((await vault.policies()).policies.includes('tour'))
    assert.equal((await vault.getPolicy({ name: 'tour' })).data.rules.trim(), rules.trim())
    const child = withToken((await makeToken({ policies: ['tour'], ttl: '5m' })).client_token)
    await child.write('keymgmt/key/open', { type: 'aes256-gcm96' })
    await vault.write('keymgmt/key/closed', { type: 'aes256-gcm96' })
    assert.equal((await child.read('keymgmt/key/open')).data.name, 'open')
    await refused(child.read('keymgmt/key/closed'), 403, /permission denied/)
    await refused(child.delete('keymgmt/key/open'), 403, /permission denied/)
    await refused(child.write('keymgmt/key/open', { deletion_allowed: true }), 403, /permission denied/)
    await vault.removePolicy({ name: 'tour' })
    await refused(child.read('keymgmt/key/open'), 403, /permission denied/)
  },

  async namespaces() {
    await vault.write('sys/namespaces/team', {})
    assert.deepEqual((await vault.list('sys/namespaces')).data.keys, ['team/'])
    const inside = withToken(VAULT_TOKEN, 'team')
    await inside.mount({ mount_point: 'keymgmt', type: 'keymgmt' })
    await inside.write('keymgmt/key/theirs', { type: 'aes256-gcm96' })
    await refused(vault.read('keymgmt/key/theirs'), 404, /Status 404/)
    assert.equal((await vault.read('team/keymgmt/key/theirs')).data.name, 'theirs')
    const { client_token } = await makeToken({ policies: ['default'], ttl: '5m' }, 'team')
    assert.equal((await withToken(client_token, 'team').tokenLookupSelf()).data.namespace_path, 'team/')
    await vault.delete('sys/namespaces/team')
    await refused(vault.read('team/keymgmt/key/theirs'), 404, /no handler for route/)
  },

  async wrapping() {
    await vault.write('keymgmt/key/wrapped', { type: 'ecdsa-p384' })
    const { wrap_info } = await vault.read('keymgmt/key/wrapped', { headers: { 'X-Vault-Wrap-TTL': '60s' } })
    assert.deepEqual([wrap_info.ttl, wrap_info.creation_path], [60, 'keymgmt/key/wrapped'])
    assert.equal((await withToken(wrap_info.token).unwrap()).data.type, 'ecdsa-p384')
    await refused(vault.unwrap({ token: wrap_info.token }), 400, /wrapping token/)
  },

  async approle() {
    await vault.enableAuth({ mount_point: 'approle', type: 'approle' })
    assert.equal((await vault.auths())['approle/'].type, 'approle')
    await vault.addPolicy({ name: 'robot', rules: 'path "keymgmt/key" { capabilities = ["list"] }' })
    await vault.addApproleRole({ role_name: 'robot', policies: 'robot', token_ttl: 600 })
    assert.deepEqual((await vault.approleRoles()).data.keys, ['robot'])
    const { role_id } = (await vault.getApproleRoleId({ role_name: 'robot' })).data
    const { secret_id } = (await vault.getApproleRoleSecret({ role_name: 'robot' })).data
    const robot = nodeVault({ endpoint: VAULT_ADDR, token: 'none' })
    await refused(robot.approleLogin({ role_id, secret_id: 'wrong' }), 400, /invalid role or secret ID/)
    const { auth } = await robot.approleLogin({ role_id, secret_id })
    assert.deepEqual([auth.lease_duration, auth.policies], [600, ['default', 'robot']])
    assert((await robot.list('keymgmt/key')).data.keys.includes('wrapped'))
    await refused(robot.read('keymgmt/key/wrapped'), 403, /permission denied/)
    await robot.tokenRevokeSelf()
    await vault.disableAuth({ mount_point: 'approle' })
  },

  async system() {
    await vault.mount({ mount_point: 'here', type: 'keymgmt' })
    await vault.write('here/key/k', { type: 'aes256-gcm96' })
    await vault.remount({ from: 'here', to: 'moved/there' })
    const deadline = Date.now() + 10_000
    while (!(await vault.mounts())['moved/there/'] && Date.now() < deadline)
      await new Promise((go) => setTimeout(go, 50))
    assert.equal((await vault.read('moved/there/key/k')).data.name, 'k')
    await refused(vault.read('here/key/k'), 404, /no handler for route/)
    assert.deepEqual((await vault.audits()).data, {})
    assert.equal((await vault.read('sys/internal/ui/mounts/keymgmt')).data.path, 'keymgmt/')
  },
}

for (const [step, walk] of Object.entries(tour)) {
  await walk()
  console.log('ok', step)
}
