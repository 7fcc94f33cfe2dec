import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

const now = Date.UTC(2030, 0, 1)
let vault: Gateway
beforeAll(async () => {
  vault = await gateway({}, { context: { now: () => now } })
})
afterAll(() => vault.close())

const uuid = /^[0-9a-f-]{36}$/
describe('mounts', () => {
  const plain = {
    accessor: expect.stringMatching(/^keymgmt_[0-9a-f]{8}$/),
    config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0 },
    deprecation_status: 'supported',
    description: '',
    external_entropy_access: false,
    local: false,
    options: null,
    plugin_version: '',
    running_plugin_version: '',
    running_sha256: '',
    seal_wrap: false,
    type: 'keymgmt',
    uuid: expect.stringMatching(uuid),
  }

  it('are listed, with the data at the top level too', async () => {
    const body = JSON.parse((await vault.send('GET', 'sys/mounts')).text)
    expect(body.data).toEqual({ 'keymgmt/': { ...plain, description: 'key management' } })
    expect(body['keymgmt/']).toEqual(body.data['keymgmt/'])
    expect(body.mount_type).toBe('system')
  })

  it('are made as the command line and Terraform make them', async () => {
    const fromCommandLine = {
      type: 'keymgmt',
      description: 'for team a',
      config: { default_lease_ttl: '1h0m0s', max_lease_ttl: '', force_no_cache: false, options: null },
      local: false,
      seal_wrap: false,
      external_entropy_access: false,
      options: null,
    }
    expect(outcome(await vault.send('POST', 'sys/mounts/team/a', fromCommandLine))).toEqual([204])
    const body = JSON.parse((await vault.send('GET', 'sys/mounts/team/a/')).text)
    const config = { default_lease_ttl: 3600, force_no_cache: false, max_lease_ttl: 0 }
    expect(body.data).toEqual({ ...plain, description: 'for team a', config })
    expect(body.type).toBe('keymgmt')

    const fromTerraform = {
      type: 'keymgmt',
      config: { default_lease_ttl: '0s', max_lease_ttl: '3600s' },
      options: { version: '2' },
      seal_wrap: true,
    }
    expect(outcome(await vault.send('PUT', 'sys/mounts/b', fromTerraform))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'sys/mounts/b'))).toMatchObject({
      config: { default_lease_ttl: 0, max_lease_ttl: 3600 },
      options: { version: '2' },
      seal_wrap: true,
    })
  })

  it('are worlds of their own', async () => {
    await vault.send('PUT', 'team/a/key/k', { type: 'aes256-gcm96' })
    expect((await vault.send('GET', 'team/a/key/k')).status).toBe(200)
    expect(outcome(await vault.send('GET', 'b/key/k'))).toEqual([404])
    expect(outcome(await vault.send('GET', 'team/key/k'))).toEqual([
      404,
      'no handler for route "team/key/k". route entry not found.',
    ])
  })

  it('are tuned', async () => {
    expect(dataOf(await vault.send('GET', 'sys/mounts/b/tune'))).toEqual({
      default_lease_ttl: 2_764_800,
      description: '',
      force_no_cache: false,
      max_lease_ttl: 3600,
      options: { version: '2' },
    })
    const change = {
      description: 'new',
      default_lease_ttl: '1d',
      max_lease_ttl: 'system',
      listing_visibility: 'hidden',
    }
    expect(outcome(await vault.send('POST', 'sys/mounts/b/tune', change))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'sys/mounts/b'))).toMatchObject({
      description: 'new',
      config: { default_lease_ttl: 86_400, max_lease_ttl: 0, listing_visibility: 'hidden' },
      options: { version: '2' },
    })
    expect(outcome(await vault.send('POST', 'sys/mounts/b/tune', { default_lease_ttl: 'long' }))).toEqual([
      400,
      'Field validation failed: error converting input for field "default_lease_ttl": a number of seconds or a duration such as "1h30m" is expected',
    ])
  })

  it('are shown to user interfaces', async () => {
    const data = dataOf(await vault.send('GET', 'sys/internal/ui/mounts'))
    expect(Object.keys(data.secret as object)).toEqual(['b/', 'keymgmt/', 'team/a/'])
    expect(Object.keys(data.auth as object)).toEqual(['token/'])
    expect(dataOf(await vault.send('GET', 'sys/internal/ui/mounts/team/a/key/x'))).toMatchObject({
      path: 'team/a/',
      type: 'keymgmt',
    })
    expect(outcome(await vault.send('GET', 'sys/internal/ui/mounts/none'))).toEqual([
      403,
      '1 error occurred:\n\t* permission denied\n\n',
    ])
  })

  it('are removed with what is in them, and their paths are free again', async () => {
    expect(outcome(await vault.send('DELETE', 'sys/mounts/team/a'))).toEqual([204])
    expect(outcome(await vault.send('DELETE', 'sys/mounts/team/a'))).toEqual([204])
    expect(outcome(await vault.send('GET', 'team/a/key/k'))).toEqual([
      404,
      'no handler for route "team/a/key/k". route entry not found.',
    ])
    expect(outcome(await vault.send('POST', 'sys/mounts/team/a', { type: 'keymgmt' }))).toEqual([204])
    expect(outcome(await vault.send('GET', 'team/a/key/k'))).toEqual([404])
  })

  it.each([
    ['GET', 'sys/mounts/none', undefined, 'No secret engine mount at none/'],
    ['GET', 'sys/mounts/none/tune', undefined, 'No secret engine mount at none/'],
    ['POST', 'sys/mounts/none/tune', {}, 'No secret engine mount at none/'],
    ['POST', 'sys/mounts/new', {}, 'missing type: it says what to mount, keymgmt'],
    ['POST', 'sys/mounts/new', { type: 'kv' }, 'unsupported mount type "kv": allowed is keymgmt'],
    ['POST', 'sys/mounts/keymgmt', { type: 'keymgmt' }, 'path is already in use at keymgmt/'],
    ['POST', 'sys/mounts/sys/x', { type: 'keymgmt' }, 'cannot mount under "sys/": it is reserved'],
    [
      'POST',
      'sys/mounts/new',
      { type: 'keymgmt', config: [] },
      'Field validation failed: error converting input for field "config": an object is expected',
    ],
    [
      'POST',
      'sys/mounts/new',
      { type: 'keymgmt', config: { max_lease_ttl: -1 } },
      'Field validation failed: error converting input for field "max_lease_ttl": a number of seconds or a duration such as "1h30m" is expected',
    ],
  ])('%s %s with %j is refused', async (method, path, body, message) => {
    expect(outcome(await vault.send(method, path, body))).toEqual([400, message])
  })
})
