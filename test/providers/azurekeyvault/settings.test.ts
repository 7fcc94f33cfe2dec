import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { selfSigned } from './certificates.ts'
import { clientId, clientSecret, full, parseSettings as parse, refusal, team, tenantId } from './harness.ts'

describe('credentials', () => {
  it('says that the tenant is needed in every case', () => {
    const message = 'tenant_id is missing: it must be given in every case, also with a managed identity'
    const ambient = { managedIdentity: true, environment: {} }
    expect(refusal(() => parse({ client_id: clientId, client_secret: clientSecret }))).toBe(message)
    expect(refusal(() => parse({}, { options: { ambient } }))).toBe(message)
    expect(refusal(() => parse({ ...full, tenant_id: '' }))).toBe(message)
  })

  it.each([
    'common',
    'a/b',
    '../x',
    'x y',
    `${tenantId}/`,
    `${tenantId}?a`,
    'contoso',
    'a..b',
    '-a.example',
    'x'.repeat(300),
    'a.example:8443',
  ])('refuses the tenant %j', (tenant) => {
    expect(refusal(() => parse({ ...full, tenant_id: tenant }))).toMatch(
      /^tenant_id ".*" is not allowed: it must be a GUID or a domain name such as contoso\.onmicrosoft\.com$/,
    )
  })

  it('takes a domain name as tenant', () => {
    expect(parse({ ...full, tenant_id: 'Contoso.OnMicrosoft.com' }).warnings).toEqual([])
  })

  it('refuses unknown names with the known ones', () => {
    expect(refusal(() => parse({ ...full, tennant_id: 'x' }))).toBe(
      'unknown credential "tennant_id": allowed are tenant_id, client_id, client_secret, environment, client_certificate, ' +
        'managed_identity_client_id, managed_identity_resource_id, managed_identity_object_id, kek_id or kek_fingerprint',
    )
  })

  it.each<[Record<string, string>, string]>([
    [
      { tenant_id: tenantId },
      'credentials are incomplete: client_id and client_secret (or client_certificate) missing, and',
    ],
    [
      { tenant_id: tenantId, client_id: clientId },
      'credentials are incomplete: client_secret (or client_certificate) missing, and',
    ],
    [{ tenant_id: tenantId, client_secret: clientSecret }, 'credentials are incomplete: client_id missing, and'],
    [{ ...full, client_id: 'a b' }, 'client_id is not allowed: 1 to 512 visible ASCII characters are'],
    [{ ...full, client_secret: `${clientSecret}\n` }, 'client_secret is not allowed: up to 4096 characters'],
    [{ ...full, client_certificate: 'x' }, 'client_secret and client_certificate cannot both be given'],
    [{ tenant_id: tenantId, client_certificate: 'x' }, 'client_id is missing: client_certificate needs'],
    [
      { tenant_id: tenantId, client_id: clientId, client_certificate: 'x' },
      'client_certificate is not allowed: it must hold a certificate and',
    ],
    [{ tenant_id: tenantId, managed_identity_client_id: clientId }, 'a managed identity cannot be used here:'],
    [
      { tenant_id: tenantId, managed_identity_client_id: 'x', managed_identity_object_id: 'y' },
      'only one of managed_identity_client_id and managed_identity_object_id can be given',
    ],
    [{ ...full, kek_id: 'x' }, 'kek_fingerprint is missing: kek_id and kek_fingerprint must be given together'],
    [{ ...full, kek_fingerprint: 'x' }, 'kek_id is missing: kek_id and kek_fingerprint must be given together'],
    [{ ...full, kek_id: 'x', kek_fingerprint: 'y' }, 'kek_id "x" is not allowed: it must be the full id with version'],
    [
      { ...full, kek_id: `https://other.vault.azure.net/keys/k/${'a'.repeat(32)}`, kek_fingerprint: 'y' },
      'https://prod-keys.vault.azure.net/keys/<name>/<32 hex digits>',
    ],
    [
      { ...full, kek_id: `https://prod-keys.vault.azure.net/keys/k/${'a'.repeat(32)}`, kek_fingerprint: 'y' },
      'kek_fingerprint is not allowed: it must be "sha256:" and 64 hex digits',
    ],
  ])('refuses %j', (credentials, message) => {
    const said = refusal(() => parse(credentials))
    expect(said).toContain(message)
    expect(said).not.toContain(clientSecret)
  })

  it('takes a certificate with its key in any order, also with written-out line ends', async () => {
    const { certificate, privateKey } = await selfSigned('keyferry')
    const credentials = { tenant_id: tenantId, client_id: clientId }
    for (const pem of [
      certificate + privateKey,
      privateKey + certificate,
      (privateKey + certificate).replaceAll('\n', '\\n'),
    ]) {
      expect(parse({ ...credentials, client_certificate: pem }).warnings).toEqual([])
    }
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString()
    const said = refusal(() => parse({ ...credentials, client_certificate: certificate + other }))
    expect(said).toBe(
      'client_certificate is not allowed: its first certificate and its RSA private key must be readable and belong together',
    )
    expect(refusal(() => parse({ ...credentials, client_certificate: certificate }))).toContain(
      'its one unencrypted RSA private key',
    )
    const expired = await selfSigned('keyferry', { expired: true })
    expect(parse({ ...credentials, client_certificate: expired.certificate + expired.privateKey }).warnings).toEqual([
      expect.stringMatching(/^client_certificate has expired on 2001-/),
    ])
  })
})

describe('the environment and managed identity of the operator', () => {
  const environment = { AZURE_TENANT_ID: tenantId, AZURE_CLIENT_ID: 'operator', AZURE_CLIENT_SECRET: 'operator-secret' }
  const incomplete =
    "credentials are incomplete: client_id and client_secret (or client_certificate) missing, and the operator's own credentials " +
    '(environment, managed identity) do not serve this namespace and vault'

  it('serve the root namespace alone by default, and only when configured', () => {
    expect(parse({}, { options: { ambient: { environment } } }).warnings).toEqual([])
    expect(refusal(() => parse({ tenant_id: tenantId }, { options: { ambient: { environment } }, owner: team }))).toBe(
      incomplete,
    )
    expect(refusal(() => parse({ tenant_id: tenantId }))).toBe(incomplete)
  })

  it('serve exactly the listed namespaces, not their children', () => {
    const options = { ambient: { environment, namespaces: ['team-a'] } }
    expect(parse({}, { options, owner: team }).warnings).toEqual([])
    for (const namespacePath of ['', 'team-a/child', 'team', 'TEAM-A']) {
      expect(
        refusal(() => parse({ tenant_id: tenantId }, { options, owner: { namespaceId: 'x', namespacePath } })),
      ).toBe(incomplete)
    }
  })

  it('serve exactly the listed vaults', () => {
    const options = { ambient: { environment, vaults: ['Prod-Keys', 'one.managedhsm.azure.net'] } }
    for (const keyCollection of ['prod-keys', 'prod-keys.vault.azure.net', 'one.managedhsm.azure.net']) {
      expect(parse({}, { options, keyCollection }).warnings).toEqual([])
    }
    for (const keyCollection of ['other', 'one', 'prod-keys.managedhsm.azure.net']) {
      expect(refusal(() => parse({ tenant_id: tenantId }, { options, keyCollection }))).toBe(incomplete)
    }
  })

  it("serve only the operator's own cloud", () => {
    const options = { ambient: { environment } }
    expect(refusal(() => parse({ tenant_id: tenantId, environment: 'AzureChinaCloud' }, { options }))).toBe(incomplete)
    expect(parse({ environment: 'azurecloud' }, { options }).collection).toBe('https://prod-keys.vault.azure.net')
    const china = { ambient: { environment: { ...environment, AZURE_ENVIRONMENT: 'AzureChinaCloud' } } }
    expect(parse({ environment: 'AzurePublicCloud' }, { options: china })).toEqual({
      collection: 'https://prod-keys.vault.azure.cn',
      warnings: ['environment was written, but the environment variable AZURE_ENVIRONMENT takes precedence'],
    })
  })

  it('outrank what was written, value by value, with a warning that repeats no value', () => {
    const options = { ambient: { environment } }
    expect(parse(full, { options }).warnings).toEqual([
      'client_id was written, but the environment variable AZURE_CLIENT_ID takes precedence',
      'client_secret was written, but the environment variable AZURE_CLIENT_SECRET takes precedence',
    ])
    expect(parse(full, { options: { ambient: { environment: { AZURE_CLIENT_ID: clientId } } } }).warnings).toEqual([])
    expect(parse(full, { options, owner: team }).warnings).toEqual([])
  })

  it('leaves managed identity to the operator to allow', () => {
    const withIdentity = { ambient: { managedIdentity: true, environment: {} } }
    expect(parse({ tenant_id: tenantId }, { options: withIdentity }).warnings).toEqual([])
    expect(parse({ tenant_id: tenantId, managed_identity_object_id: 'x' }, { options: withIdentity }).warnings).toEqual(
      [],
    )
    expect(refusal(() => parse({ tenant_id: tenantId }, { options: { ambient: { environment: {} } } }))).toBe(
      'credentials are incomplete: client_id and client_secret (or client_certificate) missing, and the operator does not allow managed identity',
    )
    expect(
      refusal(() =>
        parse({ tenant_id: tenantId, managed_identity_object_id: 'x' }, { options: withIdentity, owner: team }),
      ),
    ).toBe(
      "a managed identity cannot be used here: the operator's own credentials (environment, managed identity) do not serve this namespace " +
        'and vault; give client_id and client_secret',
    )
  })

  it('says when an unknown cloud is in the environment', () => {
    const options = { ambient: { environment: { AZURE_ENVIRONMENT: 'Moon' } } }
    expect(refusal(() => parse(full, { options }))).toBe(
      'the environment variable AZURE_ENVIRONMENT names an unknown cloud, "Moon"',
    )
  })
})
