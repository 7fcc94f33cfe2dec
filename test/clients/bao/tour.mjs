// The tour with OpenBao's command line, which is Vault's. Takes the program as its argument.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const { VAULT_ADDR, VAULT_TOKEN, KEY_VAULT_NAME, AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = process.env
const [, , program] = process.argv
/** The command line keeps a token in its user's home folder. */
const home = mkdtempSync(join(tmpdir(), 'keyferry-bao-'))
const credentials = [
  `credentials=client_id=${AZURE_CLIENT_ID}`,
  `credentials=client_secret=${AZURE_CLIENT_SECRET}`,
  `credentials=tenant_id=${AZURE_TENANT_ID}`,
]

/** What a command says, and its exit code. */
async function run(args, { token = VAULT_TOKEN, input = '' } = {}) {
  const env = { HOME: home, PATH: process.env.PATH, VAULT_ADDR, ...(token === '' ? {} : { VAULT_TOKEN: token }) }
  const child = spawn(program, args, { env })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdin.end(input)
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  return { code, stdout, stderr }
}

/** What a command says that has to succeed. */
async function says(words, args, options) {
  const { code, stdout, stderr } = await run(args, options)
  assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`)
  assert.match(stdout, words)
}

/** What a command gives as JSON. */
async function json(args, options) {
  const [command, ...rest] = args
  const words = ['read', 'write', 'list', 'unwrap', 'status', 'login'].includes(command) ? 1 : 2
  const all = [command, ...rest.slice(0, words - 1), '-format=json', ...rest.slice(words - 1)]
  const { code, stdout, stderr } = await run(all, options)
  assert.equal(code, 0, `${all.join(' ')}: ${stdout}${stderr}`)
  return JSON.parse(stdout)
}

/** That a command fails with exit code 2, in words that match. */
async function fails(words, args, options) {
  const { code, stdout, stderr } = await run(args, options)
  assert.equal(code, 2, `${args.join(' ')}: ${stdout}${stderr}`)
  assert.match(stdout + stderr, words)
}

const written = /^Success! Data written to: /
const deleted = /^Success! Data deleted \(if it existed\) at: /
const noValue = /^No value found at /

const tour = {
  async login() {
    assert.deepEqual((await json(['token', 'lookup'])).data.policies, ['root'])
    await says(/You are now authenticated/, ['login', VAULT_TOKEN], { token: '' })
    assert.deepEqual((await json(['token', 'lookup'], { token: '' })).data.policies, ['root'])
    await fails(/permission denied/, ['read', 'keymgmt/key/none'], { token: 'wrong' })
    assert.equal((await json(['status'])).sealed, false)
    await says(/key/, ['path-help', 'keymgmt/key/orders'])
  },

  async mounts() {
    await says(/^Success! Enabled the keymgmt secrets engine at: tour\/$/m, [
      'secrets',
      'enable',
      '-path=tour',
      '-description=a tour',
      'keymgmt',
    ])
    assert.equal((await json(['secrets', 'list']))['tour/'].description, 'a tour')
    await says(/^Success! Tuned/, ['secrets', 'tune', '-description=tuned', '-max-lease-ttl=2h', 'tour/'])
    await says(/^Success! Tuned/, ['secrets', 'tune', '-default-lease-ttl=1h', 'tour/'])
    const { description, config } = (await json(['secrets', 'list']))['tour/']
    assert.deepEqual([description, config.default_lease_ttl, config.max_lease_ttl], ['tuned', 3600, 7200])
    await says(/^Success! Disabled the secrets engine/, ['secrets', 'disable', 'tour'])
    await fails(/no handler for route/, ['write', 'tour/key/k', 'type=rsa-2048'])
  },

  async keys() {
    await fails(noValue, ['read', 'keymgmt/key/none'])
    await fails(noValue, ['list', 'keymgmt/key'])
    await says(written, ['write', '-f', 'keymgmt/key/orders', 'type=rsa-3072'])
    await says(written, ['write', 'keymgmt/key/card', 'type=ecdsa-p256'])
    assert.deepEqual(await json(['list', 'keymgmt/key/']), ['card', 'orders'])
    const { data: key } = await json(['read', 'keymgmt/key/orders'])
    assert.deepEqual([key.type, key.latest_version, key.deletion_allowed], ['rsa-3072', 1, false])
    assert.match(key.versions[1].public_key, /^-----BEGIN PUBLIC KEY-----\n/)
    await says(/^orders$/, ['read', '-field=name', 'keymgmt/key/orders'])
    await says(written, ['write', '-f', 'keymgmt/key/card/rotate'])
    await says(written, ['write', 'keymgmt/key/card', 'min_enabled_version=2'])
    assert.deepEqual(Object.keys((await json(['read', 'keymgmt/key/card'])).data.versions), ['2'])
    await fails(/deletion_allowed/, ['delete', 'keymgmt/key/card'])
    await says(written, ['write', 'keymgmt/key/card', 'deletion_allowed=true'])
    await says(deleted, ['delete', 'keymgmt/key/card'])
    await says(deleted, ['delete', 'keymgmt/key/card'])
    await fails(/unsupported key type/, ['write', 'keymgmt/key/odd', 'type=rsa-1024'])
  },

  async kms() {
    const collection = `key_collection=${KEY_VAULT_NAME}`
    await says(written, ['write', 'keymgmt/kms/prod', 'provider=azurekeyvault', collection, ...credentials])
    const { data } = await json(['read', 'keymgmt/kms/prod'])
    assert.deepEqual([data.provider, data.key_collection], ['azurekeyvault', KEY_VAULT_NAME])
    assert(!JSON.stringify(data).includes(AZURE_CLIENT_SECRET))
    assert.deepEqual(await json(['list', 'keymgmt/kms']), ['prod'])
    await says(written, ['write', 'keymgmt/kms/prod', 'provider=azurekeyvault', ...credentials])
    await fails(/cannot be changed/, ['write', 'keymgmt/kms/prod', 'key_collection=another'])
  },

  async copies() {
    const path = 'keymgmt/kms/prod/key/orders'
    await says(written, ['write', path, 'purpose=encrypt,decrypt', 'protection=hsm'])
    const { data: copy } = await json(['read', path])
    assert.deepEqual([copy.purpose, copy.protection, Object.keys(copy.versions)], ['decrypt,encrypt', 'hsm', ['1']])
    assert.match(copy.name, /^orders-\d+$/)
    assert.deepEqual(await json(['list', 'keymgmt/kms/prod/key/']), ['orders'])
    assert.deepEqual(await json(['list', 'keymgmt/key/orders/kms']), ['prod'])
    await says(written, ['write', '-f', 'keymgmt/key/orders/rotate'])
    const { data: rotated } = await json(['read', path])
    assert.deepEqual([rotated.name, Object.keys(rotated.versions)], [copy.name, ['1', '2']])
    await fails(/does not have replica_regions/, ['write', '-f', `${path}/replicate`])
    await fails(/1 key/, ['delete', 'keymgmt/kms/prod'])
    await says(deleted, ['delete', path])
    await fails(noValue, ['read', path])
    assert.equal((await json(['read', 'keymgmt/key/orders'])).data.latest_version, 2)
    await says(deleted, ['delete', 'keymgmt/kms/prod'])
    await says(written, ['write', 'keymgmt/key/orders', 'deletion_allowed=true'])
    await says(deleted, ['delete', 'keymgmt/key/orders'])
  },

  async tokens() {
    const { auth } = await json(['token', 'create', '-policy=default', '-ttl=1h', '-metadata=team=a'])
    assert.equal(auth.lease_duration, 3600)
    const { data } = await json(['token', 'lookup', auth.client_token])
    assert.deepEqual([data.meta, data.policies, data.creation_ttl], [{ team: 'a' }, ['default'], 3600])
    assert.equal((await json(['token', 'lookup', '-accessor', auth.accessor])).data.id, '')
    assert((await json(['list', 'auth/token/accessors'])).includes(auth.accessor))
    const renewed = await json(['token', 'renew', '-increment=30m', auth.client_token])
    assert.equal(renewed.auth.client_token, auth.client_token)
    assert.equal((await json(['token', 'renew'], { token: auth.client_token })).auth.renewable, true)
    await says(/^Success! Revoked token/, ['token', 'revoke', auth.client_token])
    await fails(/permission denied/, ['token', 'lookup'], { token: auth.client_token })
    const { auth: other } = await json(['token', 'create', '-orphan', '-policy=default', '-ttl=1h'])
    await says(/^Success! Revoked token/, ['token', 'revoke', '-accessor', other.accessor])
    await fails(/permission denied/, ['token', 'lookup'], { token: other.client_token })
    const { auth: third } = await json(['token', 'create', '-policy=default'])
    await says(/^Success! Revoked token/, ['token', 'revoke', '-self'], { token: third.client_token })
  },

  async policies() {
    const input = `
      path "keymgmt/key/*" { capabilities = ["read", "create"] }
      path "keymgmt/key/closed" { capabilities = ["deny"] }`
    await says(/^Success! Uploaded policy: tour$/m, ['policy', 'write', 'tour', '-'], { input })
    await says(/^tour$/m, ['policy', 'list'])
    await says(/"keymgmt\/key\/closed" \{ capabilities = \["deny"\] \}/, ['policy', 'read', 'tour'])
    const child = { token: (await json(['token', 'create', '-policy=tour', '-ttl=5m'])).auth.client_token }
    await says(written, ['write', 'keymgmt/key/open', 'type=aes256-gcm96'], child)
    await says(written, ['write', 'keymgmt/key/closed', 'type=aes256-gcm96'])
    assert.equal((await json(['read', 'keymgmt/key/open'], child)).data.name, 'open')
    await fails(/permission denied/, ['read', 'keymgmt/key/closed'], child)
    await fails(/permission denied/, ['delete', 'keymgmt/key/open'], child)
    await fails(/permission denied/, ['write', 'keymgmt/key/open', 'deletion_allowed=true'], child)
    await says(/^create, read$/m, ['token', 'capabilities', 'keymgmt/key/open'], child)
    await says(/^deny$/m, ['token', 'capabilities', child.token, 'keymgmt/key/closed'])
    await says(/^Success! Deleted policy: tour$/m, ['policy', 'delete', 'tour'])
    await fails(/permission denied/, ['read', 'keymgmt/key/open'], child)
  },

  async namespaces() {
    const { path } = await json(['namespace', 'create', '-custom-metadata=team=a', 'team'])
    assert.equal(path, 'team/')
    assert.deepEqual(await json(['namespace', 'list']), ['team/'])
    assert.deepEqual((await json(['namespace', 'lookup', 'team'])).custom_metadata, { team: 'a' })
    const patched = await json(['namespace', 'patch', '-custom-metadata=team=b', 'team'])
    assert.deepEqual(patched.custom_metadata, { team: 'b' })
    await says(/^Success! Enabled/, ['secrets', 'enable', '-namespace=team', 'keymgmt'])
    await says(written, ['write', '-namespace=team', 'keymgmt/key/theirs', 'type=aes256-gcm96'])
    await fails(noValue, ['read', 'keymgmt/key/theirs'])
    assert.equal((await json(['read', 'team/keymgmt/key/theirs'])).data.name, 'theirs')
    await says(/Success! Namespace deletion scheduled: team/, ['namespace', 'delete', 'team'])
    await fails(/no handler for route/, ['write', 'team/keymgmt/key/theirs', 'type=aes256-gcm96'])
  },

  async wrapping() {
    await says(written, ['write', 'keymgmt/key/wrapped', 'type=ecdsa-p384'])
    const { wrap_info } = await json(['read', '-wrap-ttl=60s', 'keymgmt/key/wrapped'])
    assert.deepEqual([wrap_info.ttl, wrap_info.creation_path], [60, 'keymgmt/key/wrapped'])
    assert.equal((await json(['unwrap', wrap_info.token])).data.type, 'ecdsa-p384')
    await fails(/wrapping token/, ['unwrap', wrap_info.token])
    const { wrap_info: own } = await json(['token', 'create', '-policy=default', '-wrap-ttl=60s'])
    const { auth } = await json(['unwrap'], { token: own.token })
    assert.equal(auth.accessor, own.wrapped_accessor)
  },

  async approle() {
    await says(/^Success! Enabled approle auth method at: approle\/$/m, ['auth', 'enable', 'approle'])
    assert.equal((await json(['auth', 'list']))['approle/'].type, 'approle')
    await says(/^Success! Tuned/, ['auth', 'tune', '-max-lease-ttl=3h', 'approle/'])
    assert.equal((await json(['auth', 'list']))['approle/'].config.max_lease_ttl, 10_800)
    const input = 'path "keymgmt/key" { capabilities = ["list"] }'
    await says(/^Success!/, ['policy', 'write', 'robot', '-'], { input })
    await says(written, ['write', 'auth/approle/role/robot', 'token_policies=robot', 'token_ttl=10m'])
    assert.deepEqual(await json(['list', 'auth/approle/role']), ['robot'])
    const { role_id } = (await json(['read', 'auth/approle/role/robot/role-id'])).data
    const { secret_id } = (await json(['write', '-f', 'auth/approle/role/robot/secret-id'])).data
    const login = (secret) => ['write', 'auth/approle/login', `role_id=${role_id}`, `secret_id=${secret}`]
    await fails(/invalid role or secret ID/, login('wrong'), { token: '' })
    const { auth } = await json(login(secret_id), { token: '' })
    assert.deepEqual([auth.lease_duration, auth.policies], [600, ['default', 'robot']])
    const robot = { token: auth.client_token }
    assert((await json(['list', 'keymgmt/key'], robot)).includes('wrapped'))
    await says(/^Success!/, ['token', 'revoke', '-self'], robot)
    await fails(/permission denied/, ['list', 'keymgmt/key'], robot)
    await says(/^Success! Disabled the auth method/, ['auth', 'disable', 'approle'])
  },

  async system() {
    await says(/^Success!/, ['secrets', 'enable', '-path=here', 'keymgmt'])
    await says(written, ['write', 'here/key/k', 'type=aes256-gcm96'])
    await says(/Success! Finished moving secrets engine here\/? to moved\/there\/?/, [
      'secrets',
      'move',
      'here',
      'moved/there',
    ])
    assert.equal((await json(['read', 'moved/there/key/k'])).data.name, 'k')
    await fails(/no handler for route/, ['write', 'here/key/k', 'type=aes256-gcm96'])
    await fails(/No audit devices are enabled/, ['audit', 'list'])
    assert.equal((await json(['read', 'sys/internal/ui/mounts/keymgmt'])).data.path, 'keymgmt/')
  },
}

try {
  for (const [step, walk] of Object.entries(tour)) {
    await walk()
    console.log('ok', step)
  }
} finally {
  rmSync(home, { recursive: true })
}
