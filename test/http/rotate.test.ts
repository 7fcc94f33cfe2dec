import { afterAll, beforeAll, expect, it } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'
import { as, good, makeNamespace, tokenWith } from './tenants.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
})
afterAll(() => vault.close())

it('sys/rotate gives the namespace of the request a new data key, and no other', async () => {
  await makeNamespace(vault, 'team')
  const ids: Record<string, string> = { root: 'root', team: (await vault.core.namespace('team'))?.id ?? '' }
  const newest = async () => {
    const keys = { root: '', team: '' }
    for (const name of ['root', 'team'] as const)
      keys[name] = (await vault.store.namespaces.dataKeys(ids[name] ?? ''))[0]?.id ?? ''
    return keys
  }
  const sudo = as(
    vault,
    await tokenWith(vault, 'team', 'path "sys/rotate" { capabilities = ["update", "sudo"] }'),
    'team',
  )
  const team = as(vault, vault.rootToken, 'team')
  await good(team('POST', 'keymgmt/key/k', { type: 'ecdsa-p256' }))
  await good(team('PUT', 'keymgmt/kms/v', { provider: 'memory', key_collection: 'vault' }))
  const before = await newest()
  expect(outcome(await sudo('POST', 'sys/rotate'))).toEqual([204])
  const after = await newest()
  expect(after.root).toBe(before.root)
  expect(after.team).not.toBe(before.team)
  // What is under the key before it still opens.
  await good(team('PUT', 'keymgmt/kms/v/key/k', { purpose: 'sign', protection: 'hsm' }))
  await good(team('POST', 'keymgmt/key/k/rotate'))
  expect(dataOf(await team('GET', 'keymgmt/key/k'))).toMatchObject({ latest_version: 2 })
})

it('sys/rotate is refused to those without sudo', async () => {
  const send = as(vault, await tokenWith(vault, 'team', 'path "sys/rotate" { capabilities = ["update"] }'), 'team')
  expect((await send('POST', 'sys/rotate')).status).toBe(403)
})
