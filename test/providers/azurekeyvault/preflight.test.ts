import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Connection, Finding } from '../../../src/core/kms/provider.ts'
import type { FaultSpec } from '../../../src/emulator/azurekeyvault/index.ts'
import { clockFinding } from '../../../src/providers/azurekeyvault/preflight-tls.ts'
import { startDnsServer } from './dns-server.ts'
import {
  type Bench,
  clientId,
  clientSecret,
  fivePermissions,
  importRequest,
  MemoryRegister,
  openAnother,
  startBench,
} from './harness.ts'
import { RawClient } from './raw-client.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
  await bench.emulator.addVault({ name: 'rbac-keys', kind: 'premium', authorization: 'rbac' })
  await bench.emulator.addVault({ name: 'shut-keys', kind: 'premium', firewall: true })
})
afterAll(() => bench.emulator.close())
afterEach(() => {
  bench.emulator.clearFaults()
  bench.emulator.restrict(clientId, null)
})

async function diagnose(connection: Connection): Promise<Finding[]> {
  const findings = await connection.diagnose?.()
  if (!findings) throw new Error('there is no preflight')
  for (const { code, message, level, action } of findings) {
    expect([code, message]).toEqual([expect.stringMatching(/^[a-z][a-z_]+$/), expect.stringMatching(/^\S.{10,}[^.]$/s)])
    expect(`${message} ${action}`).not.toContain(clientSecret)
    if (level === 'error') expect([code, typeof action]).toEqual([code, 'string'])
  }
  return findings
}

async function at(keyCollection: string, more: Parameters<typeof openAnother>[1] = {}): Promise<Finding[]> {
  return await diagnose(await openAnother(bench, { settings: { ...bench.settings, keyCollection }, ...more }))
}

const brief = (findings: Finding[]) => Object.fromEntries(findings.map(({ code, level }) => [code, level]))
const one = (findings: Finding[], code: string) => findings.find((finding) => finding.code === code)

const sound = {
  dns_not_used: 'info',
  tls: 'ok',
  clock: 'ok',
  token: 'ok',
  permission_create: 'ok',
  permission_delete: 'ok',
  permission_get: 'ok',
  permission_import: 'ok',
  permission_update: 'ok',
  tier: 'ok',
  kek: 'info',
  imports: 'ok',
  throttling: 'ok',
}

describe('a preflight', () => {
  it('of a vault where all is well', async () => {
    const findings = await at('prod-keys')
    expect(brief(findings)).toEqual(sound)
    expect(one(findings, 'tls')?.message).toMatch(
      /^prod-keys\.vault\.azure\.net answers over TLSv1\.3 with a certificate that is trusted, .* good until 20\d\d-\d\d-\d\d$/,
    )
    expect(one(findings, 'tier')?.message).toContain('premium')
    expect(one(findings, 'kek')?.message).toContain('the first key with protection hsm makes one')
    expect(one(findings, 'throttling')?.message).toContain('its preflights included: 1, of the 300 that Azure takes')
  })

  it('changes nothing: no write of it succeeds, and nothing is there afterwards', async () => {
    await bench.emulator.addVault({ name: 'untouched', kind: 'premium' })
    bench.emulator.clearRequests()
    const register = new MemoryRegister()
    await at('untouched', { register })
    const writes = bench.emulator.requests.filter(
      ({ vault, method, operation }) => vault === 'untouched' && method !== 'GET' && operation !== 'challenge',
    )
    expect(writes.map(({ operation, status }) => `${operation} ${status}`).sort()).toEqual([
      'create 400',
      'delete 404',
      'import 400',
      'update 404',
    ])
    const raw = new RawClient(bench.emulator)
    for (const list of ['keys', 'deletedkeys'])
      expect((await raw.call('GET', `https://untouched.vault.azure.net/${list}`)).body.value).toEqual([])
    expect(register.rows).toEqual([])
  })

  it('says that a standard vault has no HSM, and what a Managed HSM is', async () => {
    expect(one(await at('plain-keys'), 'tier')).toMatchObject({
      level: 'warning',
      message: 'the vault is of the standard tier, which has no HSM: only keys with protection software can go there',
    })
    const findings = await at('hard-keys.managedhsm.azure.net')
    expect(brief(findings)).toEqual(sound)
    expect(one(findings, 'tier')?.message).toBe('it is a Managed HSM: protection hsm only')
  })
})

describe('permissions', () => {
  it.each(['prod-keys', 'rbac-keys', 'hard-keys.managedhsm.azure.net'])('the five are enough in %s', async (place) => {
    bench.emulator.restrict(clientId, [...fivePermissions])
    const findings = await at(place)
    expect(brief(findings)).toEqual({ ...sound, imports: 'info' })
    expect(one(findings, 'imports')?.message).toContain('imported one at a time')
  })

  it.each(
    ['prod-keys', 'rbac-keys', 'hard-keys.managedhsm.azure.net'].flatMap((place) =>
      fivePermissions.map((missing) => [place, missing] as const),
    ),
  )('in %s, that %s is missing is told, and nothing else', async (place, missing) => {
    bench.emulator.restrict(clientId, ['list', ...fivePermissions.filter((permission) => permission !== missing)])
    const findings = await at(place)
    const { kek, ...rest } = sound
    // Whether there is a key encryption key is not told to whoever may not read it; the tier shows by a refusal to make a key.
    expect(brief(findings)).toEqual({
      ...rest,
      ...(missing === 'get' ? {} : { kek }),
      ...(missing === 'create' && !place.includes('managedhsm') ? { tier: 'info' } : {}),
      [`permission_${missing}`]: 'error',
    })
    expect(one(findings, `permission_${missing}`)?.action).toContain(
      `give the identity the key permission "${missing}"`,
    )
  })

  it('none at all', async () => {
    bench.emulator.restrict(clientId, [])
    const levels = brief(await at('prod-keys'))
    for (const permission of fivePermissions) expect(levels[`permission_${permission}`]).toBe('error')
  })

  it('are not guessed at where the service only has trouble', async () => {
    bench.emulator.injectFault({ match: { operation: 'create' }, action: { status: 500 } })
    bench.emulator.injectFault({ match: { operation: 'delete' }, action: { drop: 'before' } })
    bench.emulator.injectFault({ match: { operation: 'update' }, action: { status: 400 } })
    expect(brief(await at('prod-keys'))).toEqual({
      ...sound,
      permission_create: 'info',
      permission_delete: 'info',
      permission_update: 'info',
      tier: 'info',
    })
  })

  it('a vault that makes a key of anything is tidied up', async () => {
    const key = { kid: `https://prod-keys.vault.azure.net/keys/x/${'0'.repeat(32)}`, kty: 'RSA' }
    const made: FaultSpec = { match: { operation: 'import' }, action: { status: 200, body: { key, attributes: {} } } }
    bench.emulator.injectFault(made)
    const body = { ...(made.action.body as object), recoveryId: undefined }
    bench.emulator.injectFault({ match: { operation: 'delete' }, action: { status: 404 }, times: 1 })
    bench.emulator.injectFault({ match: { operation: 'delete' }, action: { status: 200, body } })
    const finding = one(await at('prod-keys'), 'made_a_key')
    expect(finding).toMatchObject({ level: 'warning', message: expect.stringContaining('it was deleted again') })
  })
})

describe('what is in the way', () => {
  it('a firewall: nothing is said of permissions', async () => {
    const findings = await at('shut-keys')
    expect(Object.keys(brief(findings))).toEqual(['dns_not_used', 'tls', 'clock', 'token', 'shut', 'not_checked'])
    expect(one(findings, 'shut')?.message).toContain("the vault's firewall does not let this address in")
  })

  it('a wrong secret', async () => {
    const credentials = { ...bench.settings.credentials, client_secret: 'wrong' }
    const findings = await diagnose(await openAnother(bench, { settings: { ...bench.settings, credentials } }))
    expect(brief(findings)).toEqual({
      dns_not_used: 'info',
      tls: 'ok',
      clock: 'ok',
      token: 'error',
      not_checked: 'info',
    })
    expect(one(findings, 'token')?.message).toContain('client_secret is wrong')
  })

  it('a secret that ran out while tokens made with it are still good', async () => {
    const connection = await openAnother(bench)
    await connection.describe('anything')
    bench.emulator.injectFault({
      match: { operation: 'token' },
      action: {
        status: 401,
        body: {
          error: 'invalid_client',
          error_description: 'AADSTS7000222: The provided client secret keys are expired.',
        },
      },
    })
    expect(await connection.describe('anything')).toEqual({ state: 'absent' })
    expect(one(await diagnose(connection), 'token')).toMatchObject({
      level: 'error',
      message: expect.stringContaining('client_secret has expired'),
    })
  })

  it('the vault of another tenant', async () => {
    await bench.emulator.addVault({
      name: 'their-keys',
      kind: 'premium',
      tenantId: '9f0e5a9e-3a0c-4d3e-8a51-6e2f6b1f0c99',
    })
    expect(one(await at('their-keys'), 'token')).toMatchObject({
      level: 'error',
      message: expect.stringContaining('the vault belongs to the tenant 9f0e5a9e-3a0c-4d3e-8a51-6e2f6b1f0c99'),
    })
  })

  it('a vault that is not reached', async () => {
    const clouds = { AzurePublicCloud: { ...bench.options.clouds?.AzurePublicCloud, connectTo: '127.0.0.1:1' } }
    const findings = await at('prod-keys', { azure: { clouds } })
    expect(brief(findings)).toEqual({ dns_not_used: 'info', unreachable: 'error', not_checked: 'info' })
    expect(one(findings, 'unreachable')?.message).toContain('ECONNREFUSED')
  })

  it('a CA that is not known', async () => {
    const clouds = { AzurePublicCloud: { ...bench.options.clouds?.AzurePublicCloud, ca: undefined } }
    expect(one(await at('prod-keys', { azure: { clouds } }), 'unreachable')?.message).toContain('is not trusted')
  })

  it('a vault that does not answer in time', async () => {
    bench.emulator.injectFault({ match: { operation: 'challenge' }, action: { delayMs: 60_000 } })
    expect(one(await at('prod-keys', { azure: { callTimeoutMs: 300 } }), 'unreachable')?.message).toContain(
      'did not answer within 0.3 s',
    )
  })

  it('a name that DNS does not know, by the name servers that the options name', async () => {
    const dns = await startDnsServer({ zone: {} })
    const clouds = { AzurePublicCloud: { ...bench.options.clouds?.AzurePublicCloud, connectTo: undefined } }
    const lookup = (_: string, __: object, done: (error: NodeJS.ErrnoException, address: string) => void) =>
      done(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), '')
    const azure = { clouds, lookup, dns: { servers: [dns.address] } }
    expect(brief(await at('prod-keys', { azure }))).toEqual({
      dns_unknown_name: 'error',
      unreachable: 'error',
      not_checked: 'info',
    })
    expect(dns.asked).toContain('CNAME prod-keys.vault.azure.net')
    await dns.close()
  })

  it('throttling', async () => {
    bench.emulator.injectFault({ match: { operation: 'import' }, action: { status: 429 } })
    const findings = await at('prod-keys')
    expect(brief(findings)).toEqual({ ...sound, permission_import: 'info', throttling: 'warning' })
    expect(one(findings, 'throttling')?.message).toContain("1 of the preflight's own requests were answered with 429")
  })

  it.each([
    [0, 'ok', 'clock', '0 s apart'],
    [59_000, 'ok', 'clock', '59 s apart'],
    [90_000, 'warning', 'clock_skew', 'is 90 s ahead of that of the vault'],
    [-90_000, 'warning', 'clock_skew', 'is 90 s behind that of the vault'],
    [3_600_000, 'error', 'clock_skew', 'is 3600 s ahead of that of the vault'],
  ])('a clock that is %i ms off', (off, level, code, words) => {
    const now = Date.UTC(2026, 0, 1)
    const found = clockFinding(new Date(now).toUTCString(), now + 500 + off)
    expect(found).toMatchObject({ level, code, message: expect.stringContaining(words) })
  })

  it("a clock that is off, by the vault's own header", async () => {
    const now = () => Date.now() + 1_000_000
    expect(one(await at('prod-keys', { azure: { now } }), 'clock_skew')?.level).toBe('error')
    expect(clockFinding(undefined, 0).code).toBe('clock_unknown')
  })
})

describe('the key encryption key', () => {
  it('is there and sound, with its attestation where an HSM gives one', async () => {
    for (const place of ['prod-keys', 'hard-keys.managedhsm.azure.net']) {
      const register = new MemoryRegister()
      const connection = await openAnother(bench, { register, settings: { ...bench.settings, keyCollection: place } })
      await connection.importVersion(importRequest())
      const findings = await diagnose(connection)
      expect(one(findings, 'kek')).toEqual({
        level: 'ok',
        code: 'kek',
        message: `the key encryption key ${register.rows[0]?.keyId} is there and as it was pinned`,
      })
      expect(one(findings, 'kek_attestation')?.level).toBe(place === 'prod-keys' ? 'info' : 'ok')
      expect(one(findings, 'throttling')?.message).toContain('its preflights included: 2, of the 300')
    }
  })

  it('is not as it was pinned: told, and left to the next import', async () => {
    const register = new MemoryRegister()
    const connection = await openAnother(bench, { register })
    await connection.importVersion(importRequest())
    const keyId = register.rows[0]?.keyId ?? ''
    await new RawClient(bench.emulator).call('PATCH', keyId, { attributes: { enabled: false } })
    expect(one(await diagnose(connection), 'kek')).toEqual({
      level: 'warning',
      code: 'kek',
      message: 'the key encryption key that was pinned is disabled: the next import makes a new one and uses that',
    })
    expect(register.rows.map(({ retired }) => retired)).toEqual([null])
  })

  it('that the KMS names is missing: an error', async () => {
    const kek = {
      kek_id: `https://prod-keys.vault.azure.net/keys/mine/${'0'.repeat(32)}`,
      kek_fingerprint: `sha256:${'0'.repeat(64)}`,
    }
    const settings = { ...bench.settings, credentials: { ...bench.settings.credentials, ...kek } }
    expect(one(await diagnose(await openAnother(bench, { settings })), 'kek')).toMatchObject({
      level: 'error',
      message: 'the key encryption key that kek_id names is not there any more',
    })
  })
})
