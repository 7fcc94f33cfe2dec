import { createPrivateKey, generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClientCertificateCredential, WorkloadIdentityCredential } from '@azure/identity'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { call, clientOf, owner, routed, tenantId } from './harness.ts'

const issuer = 'https://issuer.example'
const federation = generateKeyPairSync('rsa', { modulusLength: 2048 })
const otherTenant = '00000000-1111-2222-3333-444444444444'

let emulator: KeyVaultEmulator
let certificate: { pem: string; privateKey: KeyObject }

/** A self-signed certificate, as an application registers it. */
async function makeCertificate(): Promise<{ pem: string; privateKey: KeyObject }> {
  // An emulator has run by now, and has given the library what it needs to load.
  const x509 = await import('@peculiar/x509')
  const algorithm = {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=client',
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: algorithm,
    keys,
  })
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  return { pem: made.toString('pem'), privateKey: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) }
}

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [{ name: 'premium', kind: 'premium' }],
    principals: [owner],
  })
  certificate = await makeCertificate()
  emulator.addPrincipal({ tenantId, clientId: 'with-certificate', certificates: [certificate.pem] })
  emulator.addPrincipal({
    tenantId,
    clientId: 'workload',
    federatedCredentials: [
      {
        issuer,
        subject: 'system:serviceaccount:apps:orders',
        jwks: { keys: [federation.publicKey.export({ format: 'jwk' }) as { kty: string }] },
      },
    ],
  })
})
afterAll(() => emulator.close())

describe('client assertions', () => {
  const sign = (key: KeyObject, claims: Record<string, unknown>, header: Record<string, unknown> = {}) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', ...header })
      .setIssuedAt()
      .setExpirationTime(claims.expired === true ? '-1h' : '5m')
      .sign(key)

  const present = (clientId: string, assertion: string) =>
    call(emulator, {
      method: 'POST',
      host: 'login.microsoftonline.com',
      path: `/${tenantId}/oauth2/v2.0/token`,
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        scope: 'https://vault.azure.net/.default',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }).toString(),
    })

  const federated = { iss: issuer, sub: 'system:serviceaccount:apps:orders', aud: 'api://AzureADTokenExchange' }

  test('workload identity, with the genuine credential', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyferry-test-'))
    const tokenFilePath = join(folder, 'token')
    writeFileSync(tokenFilePath, await sign(federation.privateKey, federated))
    const credential = new WorkloadIdentityCredential({
      tenantId,
      clientId: 'workload',
      tokenFilePath,
      ...routed(emulator),
    })
    const client = clientOf(emulator, 'premium.vault.azure.net', credential)
    expect((await client.createEcKey('by-workload')).name).toBe('by-workload')
    expect(emulator.requests.at(-1)).toMatchObject({ clientId: 'workload', operation: 'create', status: 200 })
    rmSync(folder, { recursive: true })
  })

  test('a client certificate, with the genuine credential', async () => {
    const pem = `${certificate.privateKey.export({ format: 'pem', type: 'pkcs8' })}${certificate.pem}`
    const credential = new ClientCertificateCredential(
      tenantId,
      'with-certificate',
      { certificate: pem },
      routed(emulator),
    )
    const client = clientOf(emulator, 'premium.vault.azure.net', credential)
    expect((await client.createEcKey('by-certificate')).name).toBe('by-certificate')
    expect(emulator.requests.at(-1)).toMatchObject({ clientId: 'with-certificate', status: 200 })
  })

  test('a federated assertion that is wrong', async () => {
    const another = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const cases: [string, number][] = [
      ['nonsense', 50027],
      [await sign(another, federated), 700027],
      [await sign(federation.privateKey, { ...federated, sub: 'system:serviceaccount:apps:other' }), 700213],
      [await sign(federation.privateKey, { ...federated, iss: 'https://other.example' }), 700213],
      [await sign(federation.privateKey, { ...federated, aud: 'other' }), 700027],
      [await sign(federation.privateKey, { ...federated, expired: true }), 700027],
    ]
    for (const [assertion, code] of cases) {
      const answer = await present('workload', assertion)
      expect([answer.status, answer.json.error, answer.json.error_codes]).toEqual([401, 'invalid_client', [code]])
    }
    expect((await present('workload', await sign(federation.privateKey, federated))).status).toBe(200)
    expect((await present(owner.clientId, await sign(federation.privateKey, federated))).status).toBe(401)
  })

  test('a certificate assertion that is wrong', async () => {
    const { createHash, X509Certificate } = await import('node:crypto')
    const x5t = createHash('sha1').update(new X509Certificate(certificate.pem).raw).digest('base64url')
    const aud = `https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`
    const claims = { iss: 'with-certificate', sub: 'with-certificate', aud }
    const another = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const cases: [string, number][] = [
      [await sign(certificate.privateKey, claims, { x5t: 'AAAA' }), 700027],
      [await sign(certificate.privateKey, claims), 700027],
      [await sign(another, claims, { x5t }), 700027],
      [await sign(certificate.privateKey, { ...claims, aud: aud.replace(tenantId, otherTenant) }, { x5t }), 700023],
      [await sign(certificate.privateKey, { ...claims, expired: true }, { x5t }), 700027],
      [await sign(certificate.privateKey, { ...claims, sub: 'other' }, { x5t }), 700213],
    ]
    for (const [assertion, code] of cases) {
      const answer = await present('with-certificate', assertion)
      expect([answer.status, answer.json.error, answer.json.error_codes]).toEqual([401, 'invalid_client', [code]])
    }
    expect((await present('with-certificate', await sign(certificate.privateKey, claims, { x5t }))).status).toBe(200)
  })
})
