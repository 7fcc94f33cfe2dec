import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { createAzureKeyVaultProvider } from '../../../src/providers/azurekeyvault/index.ts'
import { selfSigned } from './certificates.ts'
import { type Bench, clientId, clientSecret, root, startBench, tenantId } from './harness.ts'

const issuer = 'https://kubernetes.example'
const subject = 'system:serviceaccount:keyferry:gateway'
const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const identities = {
  system: '11111111-0000-4000-8000-000000000001',
  byClient: '11111111-0000-4000-8000-000000000002',
  byResource: '11111111-0000-4000-8000-000000000003',
  byObject: '11111111-0000-4000-8000-000000000004',
}
const resourceId = '/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/three'
const objectId = '22222222-0000-4000-8000-000000000004'

let bench: Bench
let certificate: { certificate: string; privateKey: string }
let folder: string
let imdsHost: string
beforeAll(async () => {
  certificate = await selfSigned('keyferry')
  folder = await mkdtemp(join(tmpdir(), 'keyferry-test-'))
  bench = await startBench({
    emulator: {
      managedIdentity: true,
      principals: [
        { tenantId, clientId, clientSecret, certificates: [certificate.certificate] },
        {
          tenantId,
          clientId: 'federated',
          federatedCredentials: [
            {
              issuer,
              subject,
              jwks: { keys: [{ ...signer.publicKey.export({ format: 'jwk' }), kty: 'EC', kid: 'one' }] },
            },
          ],
        },
        { tenantId, clientId: identities.system, managedIdentity: { systemAssigned: true } },
        { tenantId, clientId: identities.byClient, managedIdentity: true },
        { tenantId, clientId: identities.byResource, managedIdentity: { resourceId } },
        { tenantId, clientId: identities.byObject, objectId, managedIdentity: true },
      ],
    },
  })
  imdsHost = new URL(bench.emulator.imdsUrl ?? '').host
})
afterAll(async () => {
  await bench.emulator.close()
  await rm(folder, { recursive: true })
})
beforeEach(() => bench.emulator.clearRequests())

/** Asks for a key that is not there, and gives who asked, as the emulator saw it. */
async function whoAsked(credentials: Record<string, string>, ambient?: object): Promise<string | undefined> {
  const provider = createAzureKeyVaultProvider({ ...bench.options, ...(ambient && { ambient }) })
  const settings = { keyCollection: 'prod-keys', credentials: { tenant_id: tenantId, ...credentials } }
  const connection = await provider.open(settings, root, bench.register)
  expect(await connection.describe('nothing-here')).toEqual({ state: 'absent' })
  return bench.emulator.requests.find(({ operation }) => operation === 'get')?.clientId
}

async function tokenFile(name: string, claims: { sub?: string; expires?: number } = {}): Promise<string> {
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(issuer)
    .setSubject(claims.sub ?? subject)
    .setAudience('api://AzureADTokenExchange')
    .setIssuedAt()
    .setExpirationTime(claims.expires ?? '10 minutes')
    .sign(signer.privateKey)
  const path = join(folder, name)
  await writeFile(path, `${token}\n`)
  return path
}

describe('each way to be somebody', () => {
  it('client secret', async () => {
    expect(await whoAsked({ client_id: clientId, client_secret: clientSecret })).toBe(clientId)
  })

  it('client certificate', async () => {
    const pem = certificate.certificate + certificate.privateKey
    expect(await whoAsked({ client_id: clientId, client_certificate: pem })).toBe(clientId)
  })

  it('the environment of the operator', async () => {
    const environment = { AZURE_TENANT_ID: tenantId, AZURE_CLIENT_ID: clientId, AZURE_CLIENT_SECRET: clientSecret }
    expect(await whoAsked({}, { environment })).toBe(clientId)
    expect(await whoAsked({ client_secret: clientSecret }, { environment: { AZURE_CLIENT_ID: clientId } })).toBe(
      clientId,
    )
  })

  it('workload identity, whose file is read again for each token', async () => {
    const federatedTokenFile = await tokenFile('token')
    expect(await whoAsked({ client_id: 'federated' }, { federatedTokenFile })).toBe('federated')
  })

  it.each([
    ['the system-assigned identity', {}, identities.system],
    ['client_id without a secret', { client_id: identities.byClient }, identities.byClient],
    ['managed_identity_client_id', { managed_identity_client_id: identities.byClient }, identities.byClient],
    ['managed_identity_resource_id', { managed_identity_resource_id: resourceId }, identities.byResource],
    ['managed_identity_object_id', { managed_identity_object_id: objectId }, identities.byObject],
  ])('managed identity: %s', async (_what, credentials, expected) => {
    expect(await whoAsked(credentials, { managedIdentity: true, imdsHost })).toBe(expected)
  })
})

describe('what goes wrong on the way to a token', () => {
  const secret = { client_id: clientId, client_secret: clientSecret }

  async function failure(credentials: Record<string, string>, ambient?: object) {
    const provider = createAzureKeyVaultProvider({ ...bench.options, ...(ambient && { ambient }) })
    const settings = { keyCollection: 'prod-keys', credentials: { tenant_id: tenantId, ...credentials } }
    const connection = await provider.open(settings, root, bench.register)
    return await connection.setVersionEnabled('key', '0'.repeat(32), true).then(
      () => undefined,
      (error) => error,
    )
  }

  it('a wrong secret', async () => {
    const error = await failure({ ...secret, client_secret: 'wrong-canary' })
    expect(error).toMatchObject({ kind: 'refused', effect: 'none', serviceCode: 'AADSTS7000215', status: undefined })
    expect(error.message).toMatch(
      /^no token for client_id .* of tenant .*: client_secret is wrong: is it the value of the secret, and not its id\? login\.microsoftonline\.com answered 401: "AADSTS7000215: /,
    )
  })

  it('an unknown application', async () => {
    const error = await failure({ ...secret, client_id: 'nobody' })
    expect(error).toMatchObject({ kind: 'refused', effect: 'none', serviceCode: 'AADSTS700016' })
    expect(error.message).toContain('there is no application with this client_id in the tenant')
  })

  it('an unknown tenant: the vault names its own before the authority is asked', async () => {
    const other = '99999999-0000-4000-8000-000000000009'
    const error = await failure({ ...secret, tenant_id: other })
    expect(error).toMatchObject({ kind: 'refused', effect: 'none' })
    expect(error.message).toBe(
      `the vault belongs to the tenant ${tenantId}, but tenant_id is ${other}: tenant_id must be the vault's tenant`,
    )
    const domain = await failure({ ...secret, tenant_id: 'nobody.example' })
    expect(domain).toMatchObject({ kind: 'refused', effect: 'none', serviceCode: 'AADSTS90002' })
    expect(domain.message).toContain('there is no such tenant in this cloud: check tenant_id and environment')
  })

  it('a certificate that nobody registered', async () => {
    const other = await selfSigned('stranger')
    const error = await failure({ client_id: clientId, client_certificate: other.certificate + other.privateKey })
    expect(error).toMatchObject({ kind: 'refused', effect: 'none', serviceCode: 'AADSTS700027' })
    expect(error.message).toContain('the certificate is not registered with the application')
  })

  it('a token file that is missing, stale or of somebody else', async () => {
    const missing = await failure({ client_id: 'federated' }, { federatedTokenFile: join(folder, 'no-such-file') })
    expect(missing).toMatchObject({ kind: 'unavailable', effect: 'none' })
    expect(missing.message).toBe(
      `no token for client_id federated of tenant ${tenantId}: the operator's federated token file cannot be read (ENOENT)`,
    )
    const stale = await failure(
      { client_id: 'federated' },
      { federatedTokenFile: await tokenFile('stale', { expires: 1 }) },
    )
    expect(stale).toMatchObject({ kind: 'refused', serviceCode: expect.stringMatching(/^AADSTS70002[47]$/) })
    const stranger = await failure(
      { client_id: 'federated' },
      { federatedTokenFile: await tokenFile('other', { sub: 'x' }) },
    )
    expect(stranger).toMatchObject({ kind: 'refused', serviceCode: 'AADSTS700213' })
    expect(stranger.message).toContain(
      'no federated credential of the application matches the subject of the token in the file',
    )
  })

  it('a managed identity that is not there, and an endpoint that does not answer', async () => {
    const unknown = await failure({ managed_identity_client_id: 'nobody' }, { managedIdentity: true, imdsHost })
    expect(unknown).toMatchObject({ kind: 'refused', effect: 'none' })
    expect(unknown.message).toContain('no token for the managed identity nobody')
    bench.emulator.injectFault({ match: { operation: 'managedIdentity' }, action: { drop: 'before' } })
    const nowhere = await failure({ managed_identity_client_id: 'nobody' }, { managedIdentity: true, imdsHost })
    bench.emulator.clearFaults()
    expect(nowhere).toMatchObject({ kind: 'unavailable', effect: 'none' })
    expect(nowhere.message).toContain('the managed identity endpoint of this machine does not answer')
  })

  it.each([
    [429, 'throttled'],
    [500, 'unavailable'],
    [503, 'unavailable'],
    [302, 'unavailable'],
  ])('an authority that answers %i', async (status, kind) => {
    bench.emulator.injectFault({
      match: { operation: 'token' },
      action: { status, headers: { location: 'https://evil.example/' } },
    })
    const error = await failure(secret)
    bench.emulator.clearFaults()
    expect(error).toMatchObject({ kind, effect: 'none', message: expect.stringContaining(`answered ${status}`) })
  })

  it('an authority that drops the connection, before a write: nothing happened', async () => {
    bench.emulator.injectFault({ match: { operation: 'token' }, action: { drop: 'before' } })
    const error = await failure(secret)
    bench.emulator.clearFaults()
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' })
    expect(error.message).toContain('the connection to login.microsoftonline.com was lost')
  })
})

describe('tokens', () => {
  it('are asked for once by calls that start together, and kept', async () => {
    const connection = await bench.open()
    await Promise.all(Array.from({ length: 8 }, (_, n) => connection.describe(`nothing-${n}`)))
    await connection.describe('nothing-again')
    expect(bench.emulator.requests.filter(({ operation }) => operation === 'token')).toHaveLength(1)
  })

  it('are replaced when the vault refuses one that was good', async () => {
    const connection = await bench.open()
    await connection.describe('nothing')
    bench.emulator.advanceClock(7_200_000)
    expect(await connection.describe('nothing')).toEqual({ state: 'absent' })
    expect(bench.emulator.requests.filter(({ operation }) => operation === 'token')).toHaveLength(2)
  })

  it.each([
    429, 500, 503,
  ])('are asked for again after the authority answered %i: it is not held against it for a minute', async (status) => {
    const connection = await bench.open()
    bench.emulator.injectFault({ match: { operation: 'token' }, action: { status } })
    await expect(connection.describe('nothing')).rejects.toMatchObject({ effect: 'none' })
    bench.emulator.clearFaults()
    expect(await connection.describe('nothing')).toEqual({ state: 'absent' })
  })

  it('are not asked for before the time that the authority named', async () => {
    let now = Date.now()
    const provider = createAzureKeyVaultProvider({ ...bench.options, now: () => now })
    const connection = await provider.open(bench.settings, root, bench.register)
    const action = { status: 429, headers: { 'retry-after': '1' } }
    bench.emulator.injectFault({ match: { operation: 'token' }, action, times: 2 })
    const asked = () => bench.emulator.requests.filter(({ operation }) => operation === 'token').length
    for (const later of [0, 400]) {
      now += later
      await expect(connection.describe('nothing')).rejects.toMatchObject({ kind: 'throttled', retryAfterMs: 1_000 })
    }
    const before = asked()
    now += 600
    bench.emulator.clearFaults()
    expect(await connection.describe('nothing')).toEqual({ state: 'absent' })
    expect(asked()).toBe(before + 1)
  })

  it('are not asked for again and again when the vault refuses a fresh one', async () => {
    const emulator = await startKeyVaultEmulator({
      vaults: [{ name: 'prod-keys', kind: 'premium', tenantId: '33333333-0000-4000-8000-000000000003' }],
      principals: [{ tenantId: 'corp.example', clientId, clientSecret }],
    })
    const address = `127.0.0.1:${emulator.port}`
    const cloud = {
      connectTo: address,
      authorityConnectTo: address,
      ca: emulator.caCertificate,
      instanceDiscovery: false,
    }
    const provider = createAzureKeyVaultProvider({ clouds: { AzurePublicCloud: cloud } })
    const credentials = { tenant_id: 'corp.example', client_id: clientId, client_secret: clientSecret }
    const connection = await provider.open({ keyCollection: 'prod-keys', credentials }, root, bench.register)
    await expect(connection.describe('nothing')).rejects.toMatchObject({
      kind: 'refused',
      status: 401,
      message: expect.stringContaining('the vault belongs to another tenant'),
    })
    expect(emulator.requests.filter(({ operation }) => operation === 'token')).toHaveLength(1)
    await emulator.close()
  })
})
