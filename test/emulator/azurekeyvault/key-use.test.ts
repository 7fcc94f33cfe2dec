import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { owner, sharedRsaKeyPairs, vaultCaller, versionOf } from './harness.ts'

let emulator: KeyVaultEmulator
let vault: Awaited<ReturnType<typeof vaultCaller>>
let hsm: typeof vault
const now = { value: Date.UTC(2026, 5, 1) }

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'premium', kind: 'premium' },
      { name: 'pool', kind: 'managedhsm' },
    ],
    principals: [owner],
    rsaKeyPairs: sharedRsaKeyPairs,
    now: () => now.value,
  })
  vault = await vaultCaller(emulator, 'premium.vault.azure.net')
  hsm = await vaultCaller(emulator, 'pool.managedhsm.azure.net')
  await vault('POST', '/keys/rsa/create', { kty: 'RSA' })
  for (const crv of ['P-256', 'P-384', 'P-521', 'P-256K'])
    await vault('POST', `/keys/${crv}/create`, { kty: 'EC', crv })
  for (const bits of [128, 192, 256]) await hsm('POST', `/keys/aes${bits}/create`, { kty: 'oct-HSM', key_size: bits })
})
afterAll(() => emulator.close())

const encoded = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
const use = (key: string, operation: string, body: unknown, caller = vault) =>
  caller('POST', `/keys/${key}//${operation}`, body)

describe('what a key may not do', () => {
  const digest = encoded(Buffer.alloc(32))
  const bodies: Record<string, unknown> = {
    encrypt: { alg: 'RSA-OAEP', value: 'AAAA' },
    decrypt: { alg: 'RSA-OAEP', value: 'AAAA' },
    wrapKey: { alg: 'RSA-OAEP', value: 'AAAA' },
    unwrapKey: { alg: 'RSA-OAEP', value: 'AAAA' },
    sign: { alg: 'RS256', value: digest },
    verify: { alg: 'RS256', digest, value: 'AAAA' },
  }
  const operations = Object.keys(bodies)
  const run = (key: string, operation: string) => use(key, operation.toLowerCase(), bodies[operation])

  test.each(operations)('only %s when that is all it was given', async (only) => {
    await vault('POST', `/keys/only-${only}/create`, { kty: 'RSA', key_ops: [only] })
    for (const operation of operations) {
      const answer = await run(`only-${only}`, operation)
      if (operation === only) {
        expect(answer.json.error?.innererror?.code).toBeUndefined()
        continue
      }
      expect([answer.status, answer.json.error]).toEqual([
        403,
        {
          code: 'Forbidden',
          message: `Operation ${operation} is not permitted on this key.`,
          innererror: { code: 'KeyOperationForbidden' },
        },
      ])
    }
  })

  test('nothing when it is disabled, with an empty list, or a KEK', async () => {
    await vault('POST', '/keys/disabled/create', { kty: 'RSA', attributes: { enabled: false } })
    await vault('POST', '/keys/empty/create', { kty: 'RSA', key_ops: [] })
    await vault('POST', '/keys/kek/create', { kty: 'RSA-HSM', key_ops: ['import'] })
    for (const operation of operations) {
      const disabled = await run('disabled', operation)
      expect([disabled.status, disabled.json.error]).toEqual([
        403,
        {
          code: 'Forbidden',
          message: `Operation ${operation} is not allowed on a disabled key.`,
          innererror: { code: 'KeyDisabled' },
        },
      ])
      for (const key of ['empty', 'kek']) {
        expect((await run(key, operation)).json.error?.innererror?.code).toBe('KeyOperationForbidden')
      }
    }
  })

  test('outside its time only decrypt, unwrapKey and verify', async () => {
    const seconds = now.value / 1000
    await vault('POST', '/keys/timed/create', { kty: 'RSA', attributes: { nbf: seconds + 100, exp: seconds + 200 } })
    const inner = async () =>
      Object.fromEntries(
        await Promise.all(
          operations.map(async (name) => [name, (await run('timed', name)).json.error?.innererror?.code ?? '']),
        ),
      )
    const outside = (code: string) => ({
      encrypt: code,
      wrapKey: code,
      sign: code,
      decrypt: '',
      unwrapKey: '',
      verify: '',
    })
    expect(await inner()).toEqual(outside('KeyNotYetValid'))
    now.value += 100_000
    expect(await inner()).toEqual(outside(''))
    now.value += 100_000
    expect(await inner()).toEqual(outside('KeyExpired'))
    expect((await vault('GET', '/keys/timed')).status).toBe(200)
  })

  test('an old version still works when the newest is disabled', async () => {
    const first = versionOf(await vault('POST', '/keys/turned/create', { kty: 'RSA' }))
    await vault('POST', '/keys/turned/create', { kty: 'RSA', attributes: { enabled: false } })
    expect((await vault('POST', `/keys/turned/${first}/sign`, bodies.sign)).status).toBe(200)
    expect((await run('turned', 'sign')).status).toBe(403)
  })
})

describe('parameters: 400 BadParameter', () => {
  const digest = encoded(Buffer.alloc(32))
  test.each([
    ['rsa', 'encrypt', { alg: 'fast', value: 'AA' }, 'Unsupported encryption algorithm: fast.'],
    ['rsa', 'encrypt', { alg: 'toString', value: 'AA' }, 'Unsupported encryption algorithm: toString.'],
    ['rsa', 'wrapkey', { alg: 'A256GCM', value: 'AA' }, 'Unsupported wrapping algorithm: A256GCM.'],
    ['rsa', 'encrypt', { alg: 'A256KW', value: 'AA' }, 'Unsupported encryption algorithm: A256KW.'],
    ['rsa', 'sign', { alg: 'HS256', value: digest }, 'Unsupported signing algorithm: HS256.'],
    ['rsa', 'encrypt', { value: 'AA' }, 'Property "alg" must be a string.'],
    ['rsa', 'encrypt', { alg: 'RSA-OAEP' }, 'Property "value" must be a string in base64url.'],
    ['rsa', 'encrypt', { alg: 'RSA-OAEP', value: 'a b' }, 'Property "value" must be a string in base64url.'],
    ['rsa', 'verify', { alg: 'RS256', value: 'AA' }, 'Property "digest" must be a string in base64url.'],
    ['rsa', 'sign', { alg: 'RS256', value: 'AAAA' }, 'Invalid length of digest: 3 bytes. Algorithm RS256 needs 32.'],
    ['rsa', 'decrypt', { alg: 'RSA-OAEP', value: 'AAAA' }, 'The parameter is incorrect.'],
    ['rsa', 'encrypt', { alg: 'RSA-OAEP', value: encoded(Buffer.alloc(215)) }, 'The parameter is incorrect.'],
    [
      'P-256',
      'sign',
      { alg: 'ES384', value: encoded(Buffer.alloc(48)) },
      'Algorithm ES384 needs a key on curve P-384, and this one is on P-256.',
    ],
    [
      'P-256',
      'sign',
      { alg: 'RS256', value: digest },
      /^Key and signing algorithm are incompatible\. Key https:\/\/premium.* is of type 'EC', and algorithm 'RS256' can only be used with a key of type 'RSA'\.$/,
    ],
    [
      'rsa',
      'sign',
      { alg: 'ES256', value: digest },
      /is of type 'RSA', and algorithm 'ES256' can only be used with a key of type 'EC'\.$/,
    ],
  ])('%s %s %o', async (key, operation, body, message) => {
    const answer = await use(key, operation, body)
    expect([answer.status, answer.json.error?.code]).toEqual([400, 'BadParameter'])
    expect(answer.json.error?.message).toMatch(message)
  })

  test('of a Managed HSM', async () => {
    for (const [key, operation, body, message] of [
      ['aes128', 'encrypt', { alg: 'A256GCM', value: 'AA' }, /^Algorithm A256GCM needs a key of 256 bits\./],
      ['aes128', 'encrypt', { alg: 'RSA-OAEP', value: 'AA' }, /is of type 'oct-HSM', and algorithm 'RSA-OAEP'/],
      ['aes128', 'encrypt', { alg: 'A128CBC', value: 'AA', iv: 'AA' }, /^Property "iv" must have 16 bytes\./],
      [
        'aes128',
        'wrapkey',
        { alg: 'A128KW', value: 'AA' },
        /^Property "value" must have a multiple of 8 bytes, and at least 16\./,
      ],
      ['aes128', 'sign', { alg: 'RS256', value: digest }, /^Operation sign is not permitted on this key\./],
    ] as const) {
      expect((await use(key, operation, body, hsm)).json.error?.message).toMatch(message)
    }
  })

  test('an AES algorithm on an RSA key', async () => {
    const { error } = (await use('rsa', 'encrypt', { alg: 'A256GCM', value: 'AA' })).json
    expect(error?.message).toMatch(/can only be used with a key of type 'oct-HSM'\.$/)
  })
})
