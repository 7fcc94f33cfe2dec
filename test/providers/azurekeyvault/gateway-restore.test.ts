import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { AuditOptions } from '../../../src/core/audit/service.ts'
import { type AzureGateway, azureGateway, versionsThere } from './gateway.ts'
import { type Bench, clientId, fivePermissions, startBench } from './harness.ts'
import { RawClient } from './raw-client.ts'

let bench: Bench
let gateway: AzureGateway
let raw: RawClient
const lines: string[] = []
beforeAll(async () => {
  bench = await startBench()
  // Changes the vault as somebody else, who may do everything.
  const tenantId = bench.settings.credentials.tenant_id ?? ''
  bench.emulator.addPrincipal({ tenantId, clientId: 'auditor', clientSecret: 'x' })
  raw = new RawClient(bench.emulator, 'vault.azure.net', { clientId: 'auditor', clientSecret: 'x' })
  const sink = { name: 'test', write: async (more: string[]) => void lines.push(...more) }
  const audit: AuditOptions = { sinks: [{ ...sink, reopen: async () => {}, close: async () => {} }] }
  gateway = await azureGateway(bench, { callTimeoutMs: 3_000, settleMs: 100, newestAfterMs: 0 }, audit)
})
afterAll(async () => {
  await gateway.close()
  await bench.emulator.close()
})
afterEach(() => bench.emulator.restrict(clientId, null))

const vault = 'prod-keys.vault.azure.net'
const change = async (method: string, path: string, body?: unknown) => {
  const answer = await raw.call(method, `https://${vault}/${path}`, body)
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

const options = { tags: { team: 'pay' }, expires: 2_000_000_000, notBefore: 1_000_000_000 }
const times = { nbf: options.notBefore, exp: options.expires }

interface Copy {
  key: string
  kms: string
  name: string
  first: string
  newest: string
}

let copies = 0
/** A key with two versions in a vault, through the genuine SDK; the older one was changed last in a second of its own. */
async function begin(
  repair: 'report' | 'restore',
  more: { tags?: Record<string, string>; expires?: number } = options,
) {
  const { core, scope, soon } = gateway
  const [key, kms] = [`key-${++copies}`, `kms-${copies}`]
  await gateway.makeKms(kms)
  await core.keys.write(scope, key, { type: 'ecdsa-p256' }, soon())
  await core.keys.rotate(scope, key, soon())
  const input = { purpose: ['sign', 'verify'], ...more, repair }
  expect(await core.distribution.distribute(scope, kms, key, input, soon())).toEqual([])
  const { remoteName: name, versions } = await core.distribution.read(scope, kms, key)
  bench.emulator.advanceClock(2_000)
  return { key, kms, name, first: versions[1] ?? '', newest: versions[2] ?? '' }
}
const read = ({ kms, key }: Copy) => gateway.core.distribution.read(gateway.scope, kms, key)
const found = async ({ kms, key }: Copy) => {
  const { core, scope, soon } = gateway
  const { looked, failed, drift } = await core.looks.reconcile(scope, kms, soon())
  expect({ looked, failed }).toEqual({ looked: 1, failed: {} })
  return drift[key] ?? []
}
const kinds = async (copy: Copy) => (await found(copy)).map(({ kind }) => kind)
const settled = async (copy: Copy) => {
  const end = Date.now() + 15_000
  while ((await read(copy)).state === 'pending') {
    if (Date.now() > end) throw new Error(`it did not come to that: ${JSON.stringify(await read(copy))}`)
    await new Promise((go) => setTimeout(go, 10))
  }
}
/** All of a key in the vault, as another client sees it. */
const all = async ({ name }: Copy) => {
  const there = (await versionsThere(raw, name)) ?? []
  return await Promise.all(
    there.map(async ({ version }) => (await raw.call('GET', `https://${vault}/keys/${name}/${version}`)).body),
  )
}
const asItShouldBe = async (copy: Copy) => {
  const { state, remoteName, versions } = await read(copy)
  expect([state, remoteName]).toEqual(['settled', copy.name])
  const there = await all(copy)
  const ids = there.map(({ key }) => key.kid.slice(key.kid.lastIndexOf('/') + 1))
  expect(ids.sort()).toEqual(Object.values(versions).sort())
  expect(there).toHaveLength(2)
  const numbers = there.map(({ tags }) => /^v(\d+)-/.exec(tags.keyferry_import_id)?.[1]).sort()
  expect(numbers).toEqual(['1', '2'])
  for (const { key, attributes, tags } of there) {
    expect(key.key_ops.toSorted()).toEqual(['sign', 'verify'])
    expect(attributes).toMatchObject({ enabled: true, ...times })
    expect(tags).toMatchObject({ team: 'pay', key_name: copy.name })
  }
  // The newest is the current one.
  const current = (await raw.call('GET', `https://${vault}/keys/${copy.name}`)).body
  expect(current.key.kid.endsWith(`/${versions[2]}`)).toBe(true)
}

const path = ({ name }: Copy, version = '') => `keys/${name}/${version}`
/** What somebody does by hand, and what is seen of it. */
const doings: [string, (copy: Copy) => Promise<unknown>, string[]][] = [
  [
    'a version disabled',
    (copy) => change('PATCH', path(copy, copy.first), { attributes: { enabled: false } }),
    ['version_disabled'],
  ],
  ['operations of the newest', (copy) => change('PATCH', path(copy, copy.newest), { key_ops: ['sign'] }), ['purposes']],
  [
    'operations of an older one',
    (copy) => change('PATCH', path(copy, copy.first), { key_ops: ['verify'] }),
    ['purposes'],
  ],
  ['all tags taken away', (copy) => change('PATCH', path(copy, copy.first), { tags: {} }), ['tags']],
  [
    'a tag of ours changed',
    async (copy) => {
      const { tags } = (await raw.call('GET', `https://${vault}/${path(copy, copy.newest)}`)).body
      await change('PATCH', path(copy, copy.newest), { tags: { ...tags, key_name: 'another' } })
    },
    ['tags'],
  ],
  [
    'a given tag changed',
    async (copy) => {
      const { tags } = (await raw.call('GET', `https://${vault}/${path(copy, copy.newest)}`)).body
      await change('PATCH', path(copy, copy.newest), { tags: { ...tags, team: 'other' } })
    },
    ['tags'],
  ],
  [
    'its times moved',
    (copy) => change('PATCH', path(copy, copy.first), { attributes: { nbf: 1_100_000_000, exp: 1_900_000_000 } }),
    ['times', 'times'],
  ],
  ['the key deleted', (copy) => change('DELETE', path(copy).slice(0, -1)), ['deleted']],
  [
    'the key deleted and purged',
    async (copy) => {
      await change('DELETE', path(copy).slice(0, -1))
      await change('DELETE', `deletedkeys/${copy.name}`)
    },
    ['missing'],
  ],
]

describe('what somebody did in a vault', () => {
  it.each(doings)('is told, and not touched: %s', async (_, doing, expected) => {
    const copy = await begin('report')
    await doing(copy)
    const before = JSON.stringify(await all(copy))
    bench.emulator.clearRequests()
    const first = await found(copy)
    expect(first.map(({ kind }) => kind)).toEqual(expected)
    expect(await found(copy)).toEqual(first)
    expect(await read(copy)).toMatchObject({ state: 'settled', drift: first })
    expect(first.every(({ firstSeen, detail }) => firstSeen > 0 && detail.length > 20)).toBe(true)
    expect(bench.emulator.requests.filter(({ method }) => method !== 'GET' && method !== 'POST')).toEqual([])
    expect(JSON.stringify(await all(copy))).toBe(before)
  })

  it.each(doings)('is put right where that is wanted: %s', async (_, doing, expected) => {
    const copy = await begin('restore')
    await doing(copy)
    expect(await kinds(copy)).toEqual(expected)
    await settled(copy)
    await asItShouldBe(copy)
    expect(await found(copy)).toEqual([])
    expect((await read(copy)).drift).toEqual([])
  })

  it('is put right without the right to list as well, but for what needs one more', async () => {
    bench.emulator.restrict(clientId, [...fivePermissions])
    const copy = await begin('restore')
    await change('PATCH', path(copy, copy.first), { key_ops: ['verify'], tags: {}, attributes: { enabled: false } })
    await change('PATCH', path(copy, copy.newest), { key_ops: ['sign'] })
    expect((await kinds(copy)).sort()).toEqual(['purposes', 'purposes', 'tags', 'version_disabled'])
    await settled(copy)
    await asItShouldBe(copy)
    expect(await found(copy)).toEqual([])
  })

  it('is told with the permission that is missing, and the copy is not stopped', async () => {
    bench.emulator.restrict(clientId, [...fivePermissions])
    const copy = await begin('restore')
    await change('DELETE', path(copy).slice(0, -1))
    expect(await kinds(copy)).toEqual(['deleted'])
    await settled(copy)
    const { state, drift } = await read(copy)
    expect(state).toBe('settled')
    expect(drift).toHaveLength(1)
    expect(drift[0]?.notRestored).toMatch(
      /^Azure Key Vault refused to recover the deleted key ".*": .*permission "recover"/,
    )
    // With it, the same look puts it right.
    bench.emulator.restrict(clientId, [...fivePermissions, 'recover'])
    expect(await kinds(copy)).toEqual(['deleted'])
    await settled(copy)
    await asItShouldBe(copy)
    expect(await found(copy)).toEqual([])
  })

  it('is told with the role that is missing in a Managed HSM', async () => {
    const { core, scope, soon } = gateway
    const hsm = 'hard-keys.managedhsm.azure.net'
    await gateway.makeKms('hsm', hsm)
    await core.keys.write(scope, 'hsm', { type: 'aes256-gcm96' }, soon())
    const input = { purpose: ['encrypt', 'wrap'], repair: 'restore' as const }
    expect(await core.distribution.distribute(scope, 'hsm', 'hsm', input, soon())).toEqual([])
    const { remoteName: name, versions } = await core.distribution.read(scope, 'hsm', 'hsm')
    const copy = { key: 'hsm', kms: 'hsm', name, first: versions[1] ?? '', newest: versions[1] ?? '' }
    const auditor = new RawClient(bench.emulator, 'managedhsm.azure.net', { clientId: 'auditor', clientSecret: 'x' })
    const changed = await auditor.call('PATCH', `https://${hsm}/keys/${name}/${copy.first}`, { key_ops: ['encrypt'] })
    expect(changed.status).toBe(200)
    expect(await kinds(copy)).toEqual(['purposes'])
    await settled(copy)
    expect(await found(copy)).toEqual([])
    expect((await auditor.call('DELETE', `https://${hsm}/keys/${name}`)).status).toBe(200)
    bench.emulator.restrict(clientId, [...fivePermissions])
    expect(await kinds(copy)).toEqual(['deleted'])
    await settled(copy)
    expect((await read(copy)).drift[0]?.notRestored).toMatch(
      /permission "recover".* belongs to Managed HSM Crypto Officer/,
    )
    bench.emulator.restrict(clientId, null)
    expect(await kinds(copy)).toEqual(['deleted'])
    await settled(copy)
    expect(await found(copy)).toEqual([])
    expect((await read(copy)).versions).toEqual(versions)
  })

  it('is not taken away: a version of somebody else, beside which nothing is touched', async () => {
    const copy = await begin('restore')
    await change('PATCH', path(copy, copy.first), { attributes: { enabled: false } })
    await change('POST', `keys/${copy.name}/create`, { kty: 'EC-HSM', crv: 'P-256' })
    const before = JSON.stringify(await all(copy))
    const drift = await found(copy)
    expect(drift.map(({ kind }) => kind)).toEqual(['version_disabled', 'version_extra'])
    expect(drift.every(({ notRestored }) => notRestored !== undefined)).toBe(true)
    await settled(copy)
    expect(JSON.stringify(await all(copy))).toBe(before)
  })

  it('keeps the tags that others added, as long as there is room', async () => {
    const copy = await begin('restore')
    const others = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`other-${index}`, 'x']))
    await change('PATCH', path(copy, copy.newest), { tags: others })
    expect(await kinds(copy)).toEqual(['tags'])
    await settled(copy)
    await asItShouldBe(copy)
    expect((await all(copy)).some(({ tags }) => tags['other-11'] === 'x')).toBe(true)
    expect(await found(copy)).toEqual([])
    // Azure: 15 at most.
    await change('PATCH', path(copy, copy.newest), { tags: { ...others, 'other-12': 'x', 'other-13': 'x' } })
    expect(await kinds(copy)).toEqual(['tags'])
    await settled(copy)
    expect(await read(copy)).toMatchObject({
      state: 'settled',
      drift: [{ kind: 'tags', notRestored: expect.stringMatching(/at most 15 tags/) }],
    })
  })

  it('is an end where there should be none: told, since it cannot be taken away', async () => {
    const copy = await begin('restore', {})
    await change('PATCH', path(copy, copy.newest), { attributes: { exp: 1_900_000_000 } })
    expect(await found(copy)).toMatchObject([
      { kind: 'times', notRestored: 'a time can be changed there, and not taken away' },
    ])
    expect(await read(copy)).toMatchObject({ state: 'settled' })
  })

  it('waits while a deletion and a recovery take their time', async () => {
    await bench.emulator.addVault({ name: 'slow-keys', kind: 'premium', deletionSeconds: 3 })
    const { core, scope, soon } = gateway
    await gateway.makeKms('slow', 'slow-keys')
    await core.keys.write(scope, 'slow', { type: 'ecdsa-p256' }, soon())
    const input = { purpose: ['sign'], repair: 'restore' as const }
    expect(await core.distribution.distribute(scope, 'slow', 'slow', input, soon())).toEqual([])
    const { remoteName, versions } = await core.distribution.read(scope, 'slow', 'slow')
    const copy = { key: 'slow', kms: 'slow', name: remoteName, first: versions[1] ?? '', newest: '' }
    const answer = await raw.call('DELETE', `https://slow-keys.vault.azure.net/keys/${remoteName}`)
    expect(answer.status).toBe(200)
    // While it is being deleted it is nowhere to be seen, and its name cannot be used.
    expect(await kinds(copy)).toEqual(['missing'])
    await settled(copy)
    expect(await read(copy)).toMatchObject({
      versions,
      drift: [{ notRestored: expect.stringMatching(/being deleted/) }],
    })
    bench.emulator.advanceClock(3_000)
    expect(await kinds(copy)).toEqual(['deleted'])
    const asked = () => bench.emulator.requests.some(({ path }) => path.endsWith(`${remoteName}/recover`))
    while (!asked()) await new Promise((go) => setTimeout(go, 5))
    bench.emulator.advanceClock(3_000)
    await settled(copy)
    expect(await found(copy)).toEqual([])
    expect(await read(copy)).toMatchObject({ state: 'settled', versions, drift: [] })
    const seen = await versionsThere(raw, remoteName, 'slow-keys')
    expect(seen?.map(({ version }) => version)).toEqual(Object.values(versions))
  })
})

it('each change in a vault is in the audit log before it is sent, with what came of it, and no tag in the clear', async () => {
  const copy = await begin('restore', { tags: { team: 'c4n4ry-tag' } })
  await change('PATCH', path(copy, copy.newest), { tags: { reason: 'c4n4ry-other' }, key_ops: ['sign'] })
  lines.length = 0
  await found(copy)
  await settled(copy)
  await change('DELETE', path(copy).slice(0, -1))
  await found(copy)
  await settled(copy)
  const of = (operation: string) =>
    lines.map((line) => JSON.parse(line)).filter(({ request }) => request.operation === operation)
  expect(of('update').map(({ type, response }) => [type, response?.outcome])).toEqual([
    ['cloud-request', undefined],
    ['cloud-response', 'ok'],
  ])
  expect(of('update')[0].request.data).toMatchObject({
    purpose: ['sign', 'verify'],
    tags: [expect.any(String), expect.any(String)],
  })
  expect(of('recover').map(({ type, response }) => [type, response?.outcome])).toEqual([
    ['cloud-request', undefined],
    ['cloud-response', 'ok'],
  ])
  expect(lines.join('')).not.toMatch(/c4n4ry/)
})
