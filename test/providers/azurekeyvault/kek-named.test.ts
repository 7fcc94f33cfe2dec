import { beforeAll, describe, expect, it } from 'vitest'
import { createAzureKeyVaultProvider } from '../../../src/providers/azurekeyvault/index.ts'
import { failure, importRequest, openAnother, root, rsaPair } from './harness.ts'
import { bench, collection, count, fingerprint, kekBench, raw, register } from './kek-bench.ts'

kekBench()

describe('one that the KMS names', () => {
  let named: { keyId: string; print: string; bundle: Record<string, object> }
  beforeAll(async () => {
    const { body } = await raw.call('POST', `${collection}/keys/made-elsewhere/create`, {
      kty: 'RSA-HSM',
      key_size: 3072,
      key_ops: ['import'],
    })
    named = { keyId: body.key.kid, print: fingerprint(body.key), bundle: body }
  })

  const settings = (kek_id: string, kek_fingerprint: string) => ({
    ...bench.settings,
    credentials: { ...bench.settings.credentials, kek_id, kek_fingerprint },
  })

  it('is used, and none is made', async () => {
    const connection = await openAnother(bench, {
      register,
      settings: settings(
        named.keyId.toUpperCase().replace('HTTPS', 'https'),
        named.print.toUpperCase().replace('SHA256', 'sha256'),
      ),
    })
    await connection.importVersion(importRequest())
    expect(count('create')).toBe(0)
    expect(register.rows).toEqual([])
  })

  const altered = (key: object, attributes: object = {}, more: object = {}) => ({
    ...named.bundle,
    key: { ...named.bundle.key, ...key },
    attributes: { ...named.bundle.attributes, ...attributes },
    ...more,
  })

  it.each<[string, () => object, string]>([
    [
      'of other material',
      () => altered({ n: rsaPair(2048, 99).privateKey.export({ format: 'jwk' }).n }),
      'it has another fingerprint than kek_fingerprint says: its fingerprint is sha256:',
    ],
    ['disabled', () => altered({}, { enabled: false }), 'it is disabled'],
    ['in software', () => altered({ kty: 'RSA' }), 'it is of type RSA, not RSA-HSM'],
    [
      'for more than import',
      () => altered({ key_ops: ['import', 'decrypt'] }),
      'it has other operations than import alone',
    ],
    ['for nothing', () => altered({ key_ops: [] }), 'it has other operations than import alone'],
    ['exportable', () => altered({}, { exportable: true }), 'it is exportable'],
    [
      'with a release policy',
      () => altered({}, {}, { release_policy: { data: 'eyJ9', contentType: 'application/json' } }),
      'it has a release policy',
    ],
    [
      'in another vault',
      () => altered({ kid: named.keyId.replace('prod-keys', 'evil-keys') }),
      'it is said to be in another vault',
    ],
    ['not valid yet', () => altered({}, { nbf: 2_100_000_000 }), 'it is not valid at this time'],
    [
      'too short',
      () => altered({ n: Buffer.alloc(128, 0xff).toString('base64url') }),
      'it is not an RSA key of 2048 bits or more',
    ],
    ['without a public key', () => altered({ n: undefined }), 'it is not an RSA key of 2048 bits or more'],
  ])('is refused when it is %s, and nothing is sent', async (_what, body, sentence) => {
    bench.emulator.injectFault({ match: { operation: 'get' }, action: { status: 200, body: body() } })
    const connection = await openAnother(bench, { register, settings: settings(named.keyId, named.print) })
    const error = await failure(connection.importVersion(importRequest()))
    expect(error).toMatchObject({ kind: 'refused', effect: 'none' })
    expect(error.message).toContain(`the key encryption key that kek_id names cannot be used: ${sentence}`)
    expect([count('import'), count('create')]).toEqual([0, 0])
  })

  it('is never replaced', async () => {
    const connection = await openAnother(bench, { register, settings: settings(named.keyId, named.print) })
    await connection.importVersion(importRequest())
    await raw.call('PATCH', named.keyId, { attributes: { enabled: false } })
    bench.emulator.clearRequests()
    const error = await failure(connection.importVersion(importRequest()))
    expect(error.message).toBe('the key encryption key that kek_id names cannot be used: it is disabled')
    expect([count('import'), count('create')]).toEqual([1, 0])
  })
})

it.each([
  ['RSA', 'The key exchange key of the key transfer blob cannot be used'],
  ['RSA-HSM', 'that was made in the vault is of type RSA, not RSA-HSM'],
] as const)('a cloud of the operator with kekType %s', async (kekType, sentence) => {
  const name = `soft-${kekType.length}`
  const { host } = await bench.emulator.addVault({ name, kind: 'premium', suffix: 'kv.corp.example' })
  const address = `127.0.0.1:${bench.emulator.port}`
  const cloud = {
    authorityHost: 'https://login.microsoftonline.com',
    vaultSuffix: 'kv.corp.example',
    connectTo: address,
    authorityConnectTo: address,
    ca: bench.emulator.caCertificate,
    kekType,
  }
  // The emulator, like Azure, makes no such key in software: a peer that does is played by a fault.
  const { n, e } = rsaPair(2048).privateKey.export({ format: 'jwk' })
  const kid = `https://${host}/keys/kek/${'0'.repeat(32)}`
  const key = { kid, kty: 'RSA', key_ops: ['import'], n, e }
  bench.emulator.injectFault({
    match: { operation: 'create', vault: name },
    action: { status: 200, body: { key, attributes: { enabled: true } } },
  })
  const provider = createAzureKeyVaultProvider({ clouds: { Corp: cloud } })
  const credentials = { ...bench.settings.credentials, environment: 'corp' }
  const connection = await provider.open({ keyCollection: name, credentials }, root, register)
  const error = await failure(connection.importVersion(importRequest()))
  expect(error).toMatchObject({ kind: 'refused', effect: 'none' })
  expect(error.message).toContain(sentence)
})
