import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'
import { good } from './tenants.ts'

let vault: Gateway
beforeEach(async () => {
  vault = await gateway()
  await good(vault.send('POST', 'sys/mounts/team', { type: 'keymgmt' }))
  for (const mount of ['team', 'keymgmt']) {
    await good(vault.send('PUT', `${mount}/kms/v`, { provider: 'memory', key_collection: 'vault' }))
    for (const key of ['one', 'two']) {
      await good(vault.send('PUT', `${mount}/key/${key}`, { type: 'ecdsa-p256' }))
      await good(vault.send('PUT', `${mount}/kms/v/key/${key}`, { purpose: 'sign', protection: 'hsm' }))
    }
  }
})
afterEach(() => vault.close())

const names = () => [...vault.cloud.keys.keys()].sort()
const warnings = (reply: { text: string }) => JSON.parse(reply.text).warnings

describe('a mount with distributed keys', () => {
  it('is removed with its copies left where they are, and named', async () => {
    const reply = await good(vault.send('DELETE', 'sys/mounts/team'))
    expect(warnings(reply)).toEqual([
      expect.stringMatching(
        /^left in their KMSs, where you may want to delete them: memory:\/\/vault\/one-\d+, memory:\/\/vault\/two-\d+$/,
      ),
    ])
    expect(names()).toHaveLength(4)
    expect((await vault.send('LIST', 'sys/operation')).status).toBe(404)
  })

  it('is removed with remove_remote=true and its copies too, and no others', async () => {
    const before = names()
    const reply = await good(vault.send('DELETE', 'sys/mounts/team?remove_remote=true'))
    expect(warnings(reply)).toEqual([
      expect.stringMatching(
        /^being removed from their KMSs \(LIST sys\/operation shows how far\): memory:\/\/vault\/one-\d+, memory:\/\/vault\/two-\d+$/,
      ),
    ])
    expect((await vault.send('GET', 'team/key/one')).status).toBe(404)
    await expect.poll(() => names().length, { timeout: 10_000 }).toBe(2)
    expect(before).toEqual(expect.arrayContaining(names()))
    for (const key of ['one', 'two']) {
      expect(dataOf(await vault.send('GET', `keymgmt/kms/v/key/${key}`))).toMatchObject({ purpose: 'sign' })
    }
    // The path and the names are free at once.
    await good(vault.send('POST', 'sys/mounts/team', { type: 'keymgmt' }))
    await good(vault.send('PUT', 'team/key/one', { type: 'ecdsa-p256' }))
  })

  it('goes on with a removal that fails at first, as an operation that is shown', async () => {
    let failing = true
    vault.cloud.disturb = ({ call }) => {
      return failing && call === 'remove' ? { error: new Error('the cloud is away') } : undefined
    }
    await good(vault.send('DELETE', 'sys/mounts/team?remove_remote=true'))
    let id: string | undefined
    for (const one of dataOf(await vault.send('LIST', 'sys/operation')).keys as string[]) {
      const { kind, state } = dataOf(await vault.send('GET', `sys/operation/${one}`))
      if (kind === 'remove' && state === 'pending') id = one
    }
    expect(id).toBeDefined()
    expect(names()).toHaveLength(4)
    failing = false
    expect(dataOf(await good(vault.send('POST', `sys/operation/${id}/retry`)))).toEqual({ operation_id: id })
    await expect.poll(() => names().length, { timeout: 10_000 }).toBe(2)
    await expect
      .poll(async () => outcome(await vault.send('POST', `sys/operation/${id}/retry`)), { timeout: 10_000 })
      .toEqual([400, 'nothing is left to be tried again: it has ended (succeeded)'])
    expect(outcome(await vault.send('POST', 'sys/operation/nothing/retry'))).toEqual([
      400,
      'operation not found: those that ended are kept for seven days',
    ])
  })

  it('refuses a flag that is none, and changes nothing', async () => {
    for (const value of ['maybe', '2', 'yes']) {
      const reply = await vault.send('DELETE', `sys/mounts/team?remove_remote=${value}`)
      expect(outcome(reply)).toEqual([400, expect.stringMatching(/remove_remote/)])
    }
    expect((await vault.send('GET', 'sys/mounts/team')).status).toBe(200)
    expect(names()).toHaveLength(4)
  })

  it('without copies is removed in silence', async () => {
    await good(vault.send('POST', 'sys/mounts/empty', { type: 'keymgmt' }))
    expect(outcome(await vault.send('DELETE', 'sys/mounts/empty?remove_remote=true'))).toEqual([204])
    expect(outcome(await vault.send('DELETE', 'sys/mounts/missing?remove_remote=true'))).toEqual([204])
  })
})
