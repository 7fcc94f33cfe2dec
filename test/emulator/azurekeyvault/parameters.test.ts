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

const repeat = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i))
const tags = (count: number) => Object.fromEntries(repeat(count, (i) => [`t${i}`, 'v']))

describe('names', () => {
  test.each(['a', 'A-1', '-', 'x'.repeat(127)])('%s is one', async (name) => {
    const answer = await vault('POST', `/keys/${name}/create`, { kty: 'EC' })
    expect(answer.status).toBe(200)
    expect(answer.json.key?.kid).toMatch(`https://premium.vault.azure.net/keys/${name}/`)
  })

  test.each(['a_b', 'a.b', 'a%20b', '%C3%A9', '..%2Fx', 'x'.repeat(128), '%00'])('%s is none', async (name) => {
    for (const [method, path] of [
      ['POST', `/keys/${name}/create`],
      ['PUT', `/keys/${name}`],
      ['GET', `/keys/${name}`],
      ['DELETE', `/keys/${name}`],
    ] as const) {
      const answer = await vault(method, path, method === 'GET' || method === 'DELETE' ? undefined : { kty: 'EC' })
      expect([answer.status, answer.json.error]).toEqual([
        400,
        {
          code: 'BadParameter',
          message: `The request URI contains an invalid name: ${decodeURIComponent(name)}`,
        },
      ])
    }
  })
})

describe('parameters of create: 400 BadParameter', () => {
  const rsaOps = '"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"'
  const cases: [string, Record<string, unknown>, string, string?][] = [
    ['no kty', {}, 'Invalid kty value: undefined', 'KeyTypeNotSupported'],
    ['unknown kty', { kty: 'DSA' }, 'Invalid kty value: DSA', 'KeyTypeNotSupported'],
    ['oct', { kty: 'oct' }, 'Invalid kty value: oct', 'KeyTypeNotSupported'],
    ['oct-HSM in a vault', { kty: 'oct-HSM' }, 'Invalid kty value: oct-HSM', 'KeyTypeNotSupported'],
    ['kty of another type', { kty: 7 }, 'Invalid kty value: 7', 'KeyTypeNotSupported'],
    [
      'RSA-1024',
      { kty: 'RSA', key_size: 1024 },
      'Key size is not supported: 1024. Supported values are 2048, 3072, 4096.',
      'KeySizeNotSupported',
    ],
    [
      'a size in a string',
      { kty: 'RSA', key_size: '2048x' },
      'Key size is not supported: 2048x. Supported values are 2048, 3072, 4096.',
      'KeySizeNotSupported',
    ],
    ['an even exponent', { kty: 'RSA', public_exponent: 4 }, 'The public exponent must be 3, 17 or 65537, not 4.'],
    [
      'an unknown curve',
      { kty: 'EC', crv: 'P-224' },
      'Unsupported curve: P-224. Supported values are P-256, P-384, P-521, P-256K.',
      'CurveNotSupported',
    ],
    [
      'a curve called like a method',
      { kty: 'EC', crv: 'toString' },
      'Unsupported curve: toString. Supported values are P-256, P-384, P-521, P-256K.',
      'CurveNotSupported',
    ],
    [
      'EC that wraps',
      { kty: 'EC', key_ops: ['wrapKey', 'unwrapKey'] },
      'Unsupported key operation(s): "wrapKey", "unwrapKey". Supported values are "sign", "verify".',
      'KeyOperationsInvalid',
    ],
    [
      'an unknown operation',
      { kty: 'RSA', key_ops: ['fly'] },
      `Unsupported key operation(s): "fly". Supported values are ${rsaOps}.`,
      'KeyOperationsInvalid',
    ],
    [
      'import on a software key',
      { kty: 'RSA', key_ops: ['import'] },
      `Unsupported key operation(s): "import". Supported values are ${rsaOps}.`,
      'KeyOperationsInvalid',
    ],
    [
      'import with another',
      { kty: 'RSA-HSM', key_ops: ['import', 'wrapKey'] },
      'Key operation "import" is mutually exclusive with all other key operations.',
      'KeyOperationsInvalid',
    ],
    [
      'operations that are no array',
      { kty: 'RSA', key_ops: 'sign' },
      'Property "key_ops" must be an array of strings.',
    ],
    [
      'operations of another type',
      { kty: 'EC', key_ops: [1] },
      'Unsupported key operation(s): "1". Supported values are "sign", "verify".',
      'KeyOperationsInvalid',
    ],
    ['attributes of another type', { kty: 'EC', attributes: [] }, 'Property "attributes" must be a JSON object.'],
    [
      'enabled of another type',
      { kty: 'EC', attributes: { enabled: 'yes' } },
      'Property "enabled" must be true or false.',
    ],
    [
      'the time that the SDK makes of 2040',
      { kty: 'EC', attributes: { exp: -2_085_978_496 } },
      'Property "exp" must be a whole number of seconds since 1970-01-01T00:00:00Z.',
    ],
    [
      'half a second',
      { kty: 'EC', attributes: { nbf: 1.5 } },
      'Property "nbf" must be a whole number of seconds since 1970-01-01T00:00:00Z.',
    ],
    [
      'exp before nbf',
      { kty: 'EC', attributes: { nbf: 2_000_000_000, exp: 1_999_999_999 } },
      'Property "exp" must be later than property "nbf".',
    ],
    [
      'exportable without policy',
      { kty: 'EC', attributes: { exportable: true } },
      'Exportable keys must have release policy.',
    ],
    [
      'a policy without exportable',
      { kty: 'EC', release_policy: { data: 'e30' } },
      'Non-exportable keys must not have release policy.',
    ],
    [
      'exportable with policy',
      { kty: 'EC', attributes: { exportable: true }, release_policy: { data: 'e30' } },
      'The emulator does not support Secure Key Release: no release policy is accepted.',
    ],
    ['16 tags', { kty: 'EC', tags: tags(16) }, 'A key can have at most 15 tags, not 16.', 'TagsInvalid'],
    [
      'a long tag name',
      { kty: 'EC', tags: { ['n'.repeat(257)]: '' } },
      'Tag names and values have at most 256 characters.',
      'TagsInvalid',
    ],
    [
      'a long tag value',
      { kty: 'EC', tags: { n: 'v'.repeat(257) } },
      'Tag names and values have at most 256 characters.',
      'TagsInvalid',
    ],
    ['a tag that is no string', { kty: 'EC', tags: { n: 1 } }, 'The value of tag "n" must be a string.', 'TagsInvalid'],
    ['tags that are no object', { kty: 'EC', tags: ['a'] }, 'Property "tags" must be a JSON object.'],
  ]

  test.each(cases)('%s', async (_what, body, message, inner) => {
    const answer = await vault('POST', '/keys/refused/create', body)
    expect(answer.json.error).toEqual({
      code: 'BadParameter',
      message,
      ...(inner === undefined ? {} : { innererror: { code: inner } }),
    })
    expect(answer.status).toBe(400)
    expect((await vault('GET', '/keys/refused')).status).toBe(404)
  })

  test('what is just allowed', async () => {
    const body = {
      kty: 'EC',
      crv: 'P-256K',
      key_ops: ['verify', 'sign', 'verify'],
      attributes: { enabled: false, nbf: 0, exp: 253_402_300_799, exportable: false },
      tags: { ...tags(14), ['n'.repeat(256)]: 'v'.repeat(256) },
    }
    const answer = await vault('POST', '/keys/allowed/create', body)
    expect(answer.status).toBe(200)
    expect(answer.json.key).toMatchObject({ kty: 'EC', crv: 'P-256K', key_ops: ['verify', 'sign'] })
    expect(answer.json.attributes).toMatchObject({ enabled: false, nbf: 0, exp: 253_402_300_799, recoverableDays: 90 })
    expect(answer.json.tags).toEqual(body.tags)
  })
})

describe('kinds of vault', () => {
  test.each(['RSA', 'EC'])('a Managed HSM has no %s without HSM', async (kty) => {
    const { error } = (await hsm('POST', '/keys/k/create', { kty })).json
    expect(error?.message).toMatch(`Invalid kty value: ${kty}. A Managed HSM has only -HSM keys. (Activity ID: `)
    expect(error?.innererror?.code).toBe('KeyTypeNotSupported')
  })

  test.each(['RSA-HSM', 'EC-HSM', 'oct-HSM'])('a Managed HSM has %s', async (kty) => {
    const answer = await hsm('POST', '/keys/k/create', { kty })
    expect(answer.status).toBe(200)
    expect(answer.json.key?.kty).toBe(kty)
    expect(answer.json.attributes?.hsmPlatform).toBe('2')
  })

  test.each([100, 512])('no symmetric key of %i bits', async (key_size) => {
    const { error } = (await hsm('POST', '/keys/k/create', { kty: 'oct-HSM', key_size })).json
    expect(error?.message).toMatch(`Key size is not supported: ${key_size}. Supported values are 128, 192, 256.`)
  })

  test.each([
    ['RSA', '0'],
    ['EC', '0'],
  ])('a standard vault has %s in software', async (kty, platform) => {
    const answer = await standard('POST', `/keys/${kty}/create`, { kty })
    expect(answer.status).toBe(200)
    expect(answer.json.attributes?.hsmPlatform).toBe(platform)
  })

  test.each(['RSA-HSM', 'EC-HSM'])('a standard vault has no %s', async (kty) => {
    const answer = await standard('POST', '/keys/k/create', { kty })
    expect([answer.status, answer.json.error?.message]).toEqual([
      400,
      'Hardware key operation not allowed on standard vault',
    ])
  })

  test('attestation comes from a Managed HSM only', async () => {
    await hsm('POST', '/keys/attested/create', { kty: 'EC-HSM' })
    const answer = await hsm('GET', '/keys/attested//attestation')
    expect(Object.keys(answer.json.attributes?.attestation ?? {})).toEqual([
      'certificatePemFile',
      'privateKeyAttestation',
      'publicKeyAttestation',
      'version',
    ])
    await vault('POST', '/keys/attested/create', { kty: 'EC-HSM' })
    expect((await vault('GET', '/keys/attested//attestation')).status).toBe(400)
  })
})
