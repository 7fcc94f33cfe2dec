import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
  for (const path of ['a', 'taken/b']) await vault.send('POST', `sys/mounts/${path}`, { type: 'keymgmt' })
})
afterAll(() => vault.close())

const remount = (from: unknown, to: unknown, headers?: Record<string, string>) =>
  vault.send('POST', 'sys/remount', { from, to }, headers)

describe('sys/remount', () => {
  it('moves a mount with all that is in it, and tells how that went', async () => {
    await vault.send('POST', 'a/key/k', { type: 'ecdsa-p256' })
    const before = dataOf(await vault.send('GET', 'a/key/k'))
    const { accessor } = dataOf(await vault.send('GET', 'sys/mounts/a'))
    const reply = await remount('/a/', 'deep/er')
    const { migration_id } = dataOf(reply)
    expect(JSON.parse(reply.text).migration_id).toBe(migration_id)
    expect(dataOf(await vault.send('GET', `sys/remount/status/${migration_id}`))).toEqual({
      migration_id,
      migration_info: { source_mount: 'a/', target_mount: 'deep/er/', status: 'success' },
    })
    expect(dataOf(await vault.send('GET', 'deep/er/key/k'))).toEqual(before)
    expect(dataOf(await vault.send('GET', 'sys/mounts/deep/er')).accessor).toBe(accessor)
    expect(outcome(await vault.send('GET', 'a/key/k'))).toEqual([
      404,
      'no handler for route "a/key/k". route entry not found.',
    ])
    // Its old path is free, and it may come back, or go below itself.
    await remount('deep/er', 'deep')
    await remount('deep', 'a')
    expect(dataOf(await vault.send('GET', 'a/key/k'))).toEqual(before)
  })

  it.each([
    ['none', 'b', 'No secret engine mount at none/'],
    ['a', 'taken/b', 'path is already in use at taken/b/'],
    ['a', 'taken', 'path is already in use at taken/'],
    ['a', 'taken/b/c', 'path is already in use at taken/b/c/'],
    ['a', 'sys/x', 'cannot mount under "sys/": it is reserved'],
    ['a', 'a b', 'invalid mount path "a b": allowed are up to 8 parts of 1 to 64 letters, digits, "_", "-" and "."'],
    ['auth/approle', 'auth/other', 'ways to log in cannot be moved: enable another'],
    ['a', '/auth/other', 'ways to log in cannot be moved: enable another'],
    ['', 'b', 'missing from'],
    ['a', undefined, 'missing to'],
  ])('from "%s" to "%s" is refused', async (from, to, message) => {
    expect(outcome(await remount(from, to))).toEqual([400, message])
    expect((await vault.send('GET', 'sys/mounts/a')).status).toBe(200)
  })

  it('needs sudo', async () => {
    const policy = 'path "sys/remount" { capabilities = ["update"] }'
    await vault.send('PUT', 'sys/policies/acl/mover', { policy })
    const { auth } = JSON.parse((await vault.send('POST', 'auth/token/create', { policies: ['mover'] })).text)
    expect((await remount('a', 'b', { 'x-vault-token': auth.client_token })).status).toBe(403)
    await vault.send('PUT', 'sys/policies/acl/mover', { policy: policy.replace('"update"', '"update", "sudo"') })
    expect((await remount('a', 'a', { 'x-vault-token': auth.client_token })).status).toBe(200)
  })

  it('tells nothing of other namespaces', async () => {
    await vault.send('PUT', 'sys/namespaces/team')
    const { migration_id } = dataOf(await remount('a', 'a'))
    expect(outcome(await vault.send('GET', `team/sys/remount/status/${migration_id}`))).toEqual([404])
    expect(outcome(await vault.send('GET', 'sys/remount/status/none'))).toEqual([404])
    expect(outcome(await vault.send('POST', 'team/sys/remount', { from: 'a', to: 'b' }))).toEqual([
      400,
      'No secret engine mount at a/',
    ])
  })
})

describe('what there is to read for those who look', () => {
  it('sys/audit lists no devices', async () => {
    const reply = await vault.send('GET', 'sys/audit')
    expect([reply.status, dataOf(reply)]).toEqual([200, {}])
    expect(outcome(await vault.send('PUT', 'sys/audit/file', { type: 'file' }))).toEqual([404, 'unsupported path'])
  })

  it('sys/license/status names the features', async () => {
    const { autoloaded } = dataOf(await vault.send('GET', 'sys/license/status')) as {
      autoloaded: { features: string[] }
    }
    expect(autoloaded.features).toEqual(['Key Management Secrets Engine', 'Namespaces'])
  })

  it('sys/internal/ui/mounts names the ways to log in as well', async () => {
    await vault.send('POST', 'sys/auth/people', { type: 'jwt' })
    const { auth, secret } = dataOf(await vault.send('GET', 'sys/internal/ui/mounts')) as Record<string, object>
    expect([Object.keys(auth ?? {}), Object.keys(secret ?? {})]).toEqual([
      ['people/', 'token/'],
      ['a/', 'keymgmt/', 'taken/b/'],
    ])
  })
})
