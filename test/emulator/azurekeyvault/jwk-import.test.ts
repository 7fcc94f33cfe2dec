import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { owner, sharedRsaKeyPairs, vaultCaller } from './harness.ts'

let emulator: KeyVaultEmulator
let vault: Awaited<ReturnType<typeof vaultCaller>>
let standard: typeof vault
let hsm: typeof vault

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'premium', kind: 'premium' },
      { name: 'standard', kind: 'standard' },
      { name: 'pool', kind: 'managedhsm' },
    ],
    principals: [owner],
    rsaKeyPairs: sharedRsaKeyPairs,
  })
  vault = await vaultCaller(emulator, 'premium.vault.azure.net')
  standard = await vaultCaller(emulator, 'standard.vault.azure.net')
  hsm = await vaultCaller(emulator, 'pool.managedhsm.azure.net')
})
afterAll(() => emulator.close())

describe('import of a plain JWK', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  const put = (body: unknown, target = vault) => target('PUT', '/keys/plain', body)

  test('RSA and EC in software everywhere, as HSM keys with Hsm: true in a premium vault', async () => {
    const rsa = (await sharedRsaKeyPairs(2048)).privateKey.export({ format: 'jwk' })
    expect((await put({ key: rsa }, standard)).json.key).toMatchObject({ kty: 'RSA', n: rsa.n })
    expect((await put({ key: rsa }, vault)).json.key).toMatchObject({ kty: 'RSA', n: rsa.n, e: 'AQAB' })
    expect((await put({ key: rsa, Hsm: true })).json.key).toMatchObject({ kty: 'RSA-HSM', n: rsa.n })
    expect((await put({ key: ec, Hsm: true })).json.key).toMatchObject({ kty: 'EC-HSM', crv: 'P-256', x: ec.x })
    expect((await put({ key: rsa, Hsm: true }, hsm)).json.key).toMatchObject({ kty: 'RSA-HSM' })
    const answer = await put({ key: rsa })
    for (const secret of [rsa.d, rsa.p, rsa.q]) expect(answer.text).not.toContain(secret)
  })

  test('oct-HSM in a Managed HSM', async () => {
    const k = randomBytes(32).toString('base64url')
    const answer = await put({ key: { kty: 'oct-HSM', k } }, hsm)
    expect(answer.status).toBe(200)
    expect(answer.text).not.toContain(k)
    for (const [bytes, message] of [
      [65, /k property of oct key is too large, maximum size is 64/],
      [20, /must have 16, 24 or 32 bytes/],
    ] as const) {
      const bad = await put({ key: { kty: 'oct-HSM', k: randomBytes(bytes).toString('base64url') } }, hsm)
      expect(bad.json.error?.message).toMatch(message)
    }
  })

  test('what is wrong with it', async () => {
    const rsa = (await sharedRsaKeyPairs(2048)).privateKey.export({ format: 'jwk' })
    const another = (await sharedRsaKeyPairs(3072)).privateKey.export({ format: 'jwk' })
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'jwk' })
    const otherEc = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
    const notJwk = 'The property "key" must be a valid JsonWebKey object.'
    const cannot = 'key is not valid - cannot instantiate crypto service'
    const cases: [unknown, string][] = [
      [{}, notJwk],
      [{ key: 'text' }, notJwk],
      [{ key: [rsa] }, notJwk],
      [{ key: rsa, Hsm: 'yes' }, 'Property "Hsm" must be true or false.'],
      [{ key: { ...rsa, kty: undefined } }, 'Invalid kty value: undefined'],
      [
        { key: { ...rsa, d: undefined } },
        'JSON Web Key: property "d" of a private RSA key must be a base64url string.',
      ],
      [{ key: { ...rsa, p: 'a b' } }, 'JSON Web Key: property "p" of a private RSA key must be a base64url string.'],
      [{ key: { ...rsa, e: 'Aw' } }, `RSA ${cannot}: its private and public members do not belong together.`],
      [{ key: { ...rsa, n: another.n } }, `RSA ${cannot}: its members do not describe a key.`],
      [{ key: small }, `RSA ${cannot}: an RSA key has 2048, 3072 or 4096 bits, and this one 1024.`],
      [{ key: { ...ec, d: otherEc.d } }, `EC ${cannot}: its members do not describe a key.`],
      [{ key: { ...ec, y: ec.x } }, `EC ${cannot}: its members do not describe a key.`],
      [{ key: { ...ec, crv: 'P-384' } }, `EC ${cannot}: "x" has 32 bytes, the wrong length for P-384.`],
      [
        { key: { ...ec, key_ops: ['import'] } },
        'Unsupported key operation(s): "import". Supported values are "sign", "verify".',
      ],
    ]
    for (const [body, message] of cases) {
      const answer = await put(body)
      expect(answer.json.error?.message).toBe(message)
      expect([answer.status, answer.json.error?.code]).toEqual([400, 'BadParameter'])
    }
  })
})
