import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type AzureGateway, azureGateway, refusedWith, versionsThere } from './gateway.ts'
import { type Bench, clientId, fivePermissions, startBench } from './harness.ts'
import { RawClient } from './raw-client.ts'

type Permission = (typeof fivePermissions)[number]

let bench: Bench
let gateway: AzureGateway
let raw: RawClient
let lives = 0
beforeAll(async () => {
  bench = await startBench()
  // Looks into the vault as somebody else, who may do everything.
  bench.emulator.addPrincipal({
    tenantId: bench.settings.credentials.tenant_id ?? '',
    clientId: 'auditor',
    clientSecret: 'x',
  })
  raw = new RawClient(bench.emulator, 'vault.azure.net', { clientId: 'auditor', clientSecret: 'x' })
  gateway = await azureGateway(bench, { callTimeoutMs: 3_000, settleMs: 100, newestAfterMs: 0 })
})
afterAll(async () => {
  await gateway.close()
  await bench.emulator.close()
})
afterEach(() => bench.emulator.restrict(clientId, null))

const without = (missing: Permission) => fivePermissions.filter((one) => one !== missing)
const allow = (permissions: readonly Permission[]) => bench.emulator.restrict(clientId, [...permissions])

/** A fresh vault, KMS and key: nothing of an earlier life is known there. */
async function begin(): Promise<{ key: string; kms: string; vault: string }> {
  const names = { key: `life-${++lives}`, kms: `kms-${lives}`, vault: `vault-${lives}` }
  await bench.emulator.addVault({ name: names.vault, kind: 'premium' })
  await gateway.makeKms(names.kms, names.vault)
  await gateway.makeKey(names.key)
  return names
}

const missing = (permission: Permission) =>
  `the vault's access policies do not give the identity the key permission "${permission}": add it to its access policy`

describe('the whole life of a key, through the whole gateway', () => {
  it('needs exactly create, delete, get, import and update', async () => {
    const { core, scope, soon } = gateway
    const { key, kms, vault } = await begin()
    allow(fivePermissions)
    bench.emulator.clearRequests()
    await gateway.rotate(key)
    expect(await gateway.distribute(key, kms)).toEqual([])
    expect(await gateway.rotate(key)).toEqual([])
    const copy = await core.distribution.read(scope, kms, key)
    expect(Object.keys(copy.versions)).toEqual(['1', '2', '3'])
    expect(copy.state).toBe('settled')
    const { warnings } = await core.keys.write(scope, key, { minEnabledVersion: 3 }, soon())
    expect(warnings).toEqual([])
    const there = await versionsThere(raw, copy.remoteName, vault)
    expect(there?.map(({ version, enabled }) => [version, enabled]).sort()).toEqual(
      Object.entries(copy.versions)
        .map(([number, id]) => [id, number === '3'])
        .sort(),
    )
    expect(await gateway.remove(key, kms)).toEqual([])
    expect(await versionsThere(raw, copy.remoteName, vault)).toBeUndefined()
    await core.keys.write(scope, key, { deletionAllowed: true }, soon())
    await core.keys.delete(scope, key)
    await core.kms.delete(scope, kms)
    const refused = bench.emulator.requests.filter((one) => one.status === 403).map(({ operation }) => operation)
    // Whether listing is permitted is asked, and its refusal taken for an answer.
    expect(new Set(refused)).toEqual(new Set(['list']))
  })

  it.each([
    'create',
    'get',
    'import',
  ] as const)('without %s, a first delivery is refused with the permission named, and nothing is left', async (permission) => {
    const { core, scope } = gateway
    const { key, kms, vault } = await begin()
    allow(without(permission))
    expect(await refusedWith(gateway.distribute(key, kms))).toContain(missing(permission))
    expect(await core.distribution.kmsOfKey(scope, key)).toEqual([])
    allow(fivePermissions)
    const imported = bench.emulator.requests.filter((one) => one.vault === vault && one.operation === 'import')
    expect(imported.filter(({ status }) => status === 200)).toEqual([])
    expect(await gateway.distribute(key, kms)).toEqual([])
  })

  it('without update, disabling a version is a warning that names it, and is made good later', async () => {
    const { core, scope, soon } = gateway
    const { key, kms, vault } = await begin()
    await gateway.rotate(key)
    allow(without('update'))
    expect(await gateway.distribute(key, kms)).toEqual([])
    const { warnings } = await core.keys.write(scope, key, { minEnabledVersion: 2 }, soon())
    expect(warnings).toEqual([expect.stringContaining(missing('update'))])
    const { remoteName, state, reason } = await core.distribution.read(scope, kms, key)
    expect([state, reason]).toEqual(['stopped', expect.stringContaining(missing('update'))])
    allow(fivePermissions)
    expect(await gateway.distribute(key, kms)).toEqual([])
    expect((await versionsThere(raw, remoteName, vault))?.filter(({ enabled }) => !enabled)).toHaveLength(1)
  })

  it('without delete, a removal is refused with the permission named, and the copy stays', async () => {
    const { core, scope } = gateway
    const { key, kms, vault } = await begin()
    expect(await gateway.distribute(key, kms)).toEqual([])
    allow(without('delete'))
    expect(await refusedWith(gateway.remove(key, kms))).toContain(missing('delete'))
    const { remoteName } = await core.distribution.read(scope, kms, key)
    expect(await versionsThere(raw, remoteName, vault)).toHaveLength(1)
    allow(fivePermissions)
    expect(await gateway.remove(key, kms)).toEqual([])
    expect(await versionsThere(raw, remoteName, vault)).toBeUndefined()
  })

  it('without get or import, a rotation is a warning, and made good once it is permitted', async () => {
    const { core, scope } = gateway
    for (const permission of ['get', 'import'] as const) {
      const { key, kms, vault } = await begin()
      expect(await gateway.distribute(key, kms)).toEqual([])
      allow(without(permission))
      expect(await gateway.rotate(key)).toEqual([expect.stringContaining(missing(permission))])
      allow(fivePermissions)
      expect(await gateway.distribute(key, kms)).toEqual([])
      const { remoteName } = await core.distribution.read(scope, kms, key)
      expect(await versionsThere(raw, remoteName, vault)).toHaveLength(2)
    }
  })

  it('and with list, finds versions by listing, in parallel', async () => {
    const { key, kms } = await begin()
    for (let number = 0; number < 5; number++) await gateway.rotate(key)
    bench.emulator.restrict(clientId, ['list', ...fivePermissions])
    expect(await gateway.distribute(key, kms)).toEqual([])
    expect(Object.keys((await gateway.core.distribution.read(gateway.scope, kms, key)).versions)).toHaveLength(6)
  })
})

describe('the key encryption key of a KMS, through the whole gateway', () => {
  it('is shown once a key was delivered, and can be rotated for all', async () => {
    const { core, scope } = gateway
    const { key, kms, vault } = await begin()
    await gateway.makeKms(`${kms}-too`, vault)
    expect((await core.kms.read(scope, kms)).shown).toEqual({})
    await gateway.distribute(key, kms)
    const before = (await core.kms.read(scope, kms)).shown
    expect(before.kek_id).toMatch(new RegExp(`^https://${vault}\\.vault\\.azure\\.net/keys/keyferry-kek-[0-9a-f]{32}/`))
    const rotation = await core.kms.rotateWrappingKey(scope, `${kms}-too`)
    expect(rotation.formerKeyId).toBe(before.kek_id)
    expect((await core.kms.read(scope, kms)).shown).toEqual({
      kek_id: rotation.keyId,
      kek_fingerprint: rotation.fingerprint,
    })
    expect(await gateway.rotate(key)).toEqual([])
    await expect(core.kms.rotateWrappingKey(scope, kms)).rejects.toMatchObject({ code: 'refused' })
  })

  it('that the KMS names itself is shown, and is not ours to rotate', async () => {
    const { core, scope } = gateway
    const { kms, vault } = await begin()
    const kek = {
      kek_id: `https://${vault}.vault.azure.net/keys/mine/${'0'.repeat(32)}`,
      kek_fingerprint: `sha256:${'0'.repeat(64)}`,
    }
    await core.kms.write(scope, kms, { credentials: { ...bench.settings.credentials, ...kek } })
    expect((await core.kms.read(scope, kms)).shown).toEqual(kek)
    expect(await refusedWith(core.kms.rotateWrappingKey(scope, kms))).toContain('this KMS names its own')
  })

  it('and a preflight, with the worst level', async () => {
    const { core, scope } = gateway
    const { kms } = await begin()
    expect(await core.kms.diagnose(scope, kms)).toMatchObject({ level: 'info' })
    allow(without('delete'))
    expect(await core.kms.diagnose(scope, kms)).toMatchObject({ level: 'error' })
    await expect(core.kms.diagnose(scope, 'nothing')).rejects.toMatchObject({ code: 'not_found' })
  })
})
