import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bench, clientId, failure, fivePermissions, importRequest, openAnother, startBench } from './harness.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.emulator.close())

describe('the five permissions', () => {
  it.each([
    ['policy', 'prod-keys', "the vault's access policies do not give the identity the key permission"],
    ['rbac', 'rbac-keys', 'the identity has no role on this vault with the permission'],
    [
      'managed HSM',
      'hard-keys.managedhsm.azure.net',
      'the identity has no role in this Managed HSM with the permission',
    ],
  ])('are enough for the whole life of a key, and each one that is missing is named (%s)', async (_kind, place, sentence) => {
    if (place === 'rbac-keys') await bench.emulator.addVault({ name: place, kind: 'premium', authorization: 'rbac' })
    const settings = { ...bench.settings, keyCollection: place }

    async function life(permissions: readonly (typeof fivePermissions)[number][]): Promise<void> {
      bench.emulator.restrict(clientId, [...permissions])
      // A register of its own: each life makes its own key encryption key.
      const fresh = await openAnother(bench, { settings })
      const request = importRequest()
      expect(await fresh.canListVersions()).toBe(false)
      expect(await fresh.describe(request.remoteName)).toEqual({ state: 'absent' })
      const first = await fresh.importVersion(request)
      const described = await fresh.describe(request.remoteName)
      expect(described).toEqual({ state: 'present', latest: first })
      await fresh.setVersionEnabled(request.remoteName, first.remoteVersion, false)
      await fresh.remove(request.remoteName)
    }

    await life(fivePermissions)
    for (const missing of fivePermissions) {
      const error = await failure(life(fivePermissions.filter((one) => one !== missing)))
      expect(error).toMatchObject({ kind: 'refused', effect: 'none', status: 403 })
      expect(error.message).toContain(`${sentence} "${missing}"`)
    }
  })

  it('are asked about listing once, and again after ten minutes', async () => {
    bench.emulator.restrict(clientId, [...fivePermissions])
    let now = Date.now()
    const patient = await openAnother(bench, { azure: { now: () => now } })
    const lists = () => bench.emulator.requests.filter(({ operation }) => operation.startsWith('list')).length
    const before = lists()
    expect(await patient.canListVersions()).toBe(false)
    expect(await patient.canListVersions()).toBe(false)
    await patient.describe('nothing')
    expect(lists() - before).toBe(1)
    bench.emulator.restrict(clientId, [...fivePermissions, 'list'])
    now += 10 * 60_000 + 1
    expect(await patient.canListVersions()).toBe(true)
    expect(lists() - before).toBe(2)
  })
})
