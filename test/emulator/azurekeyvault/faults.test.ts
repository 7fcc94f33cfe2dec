import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { call, clientOf, credentialOf, failure, owner, tokenOf, vaultCaller } from './harness.ts'

const host = 'premium.vault.azure.net'
let emulator: KeyVaultEmulator
let vault: Awaited<ReturnType<typeof vaultCaller>>

beforeEach(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'premium', kind: 'premium' },
      { name: 'busy', kind: 'premium', throttle: true },
      { name: 'polite', kind: 'premium', throttle: true, retryAfterSeconds: 3 },
    ],
    principals: [owner],
  })
  vault = await vaultCaller(emulator, host)
})
afterEach(() => emulator.close())

const create = (name = 'k') => vault('POST', `/keys/${name}/create`, { kty: 'EC' })
const exists = async (name = 'k') => (await vault('GET', `/keys/${name}`)).status === 200
const versions = async () => ((await vault('GET', '/keys/k/versions')).json.value as unknown[] | undefined)?.length ?? 0

describe('faults', () => {
  test('a status in place of the operation, so many times', async () => {
    emulator.injectFault({ match: { operation: 'create' }, action: { status: 503 }, times: 2 })
    expect([(await create()).status, (await create()).status]).toEqual([503, 503])
    expect(await exists()).toBe(false)
    expect((await create()).status).toBe(200)
    expect(emulator.listFaults()).toMatchObject([{ hits: 2 }])
  })

  test('a status in place of the answer, with the effect', async () => {
    emulator.injectFault({ match: { operation: 'create' }, action: { status: 500, effect: true }, times: 1 })
    const answer = await create()
    expect([answer.status, answer.json.error?.code]).toEqual([500, 'InternalServerError'])
    expect(await versions()).toBe(1)
  })

  test('a body and headers', async () => {
    emulator.injectFault({
      action: { status: 429, headers: { 'Retry-After': '7' } },
      match: { operation: 'get' },
      times: 1,
    })
    emulator.injectFault({ action: { status: 418, body: { a: 1 } }, match: { operation: 'get' }, times: 1 })
    emulator.injectFault({ action: { status: 502, body: '<html>' }, match: { operation: 'get' }, times: 1 })
    emulator.injectFault({
      action: { status: 307, headers: { location: 'https://elsewhere.example/' } },
      match: { operation: 'get' },
      times: 1,
    })
    emulator.injectFault({ action: { headers: { 'x-extra': 'yes' } }, match: { operation: 'get' }, times: 1 })
    const first = await vault('GET', '/keys/k')
    expect([first.status, first.headers['retry-after'], first.json.error?.code]).toEqual([429, '7', 'Throttled'])
    expect((await vault('GET', '/keys/k')).json).toEqual({ a: 1 })
    expect((await vault('GET', '/keys/k')).text).toBe('<html>')
    expect((await vault('GET', '/keys/k')).headers.location).toBe('https://elsewhere.example/')
    const last = await vault('GET', '/keys/k')
    expect([last.status, last.headers['x-extra']]).toEqual([404, 'yes'])
  })

  test('a connection that is dropped before the effect, and after it', async () => {
    for (const [drop, expected] of [
      ['before', 0],
      ['after', 1],
    ] as const) {
      emulator.injectFault({ match: { operation: 'create' }, action: { drop }, times: 1 })
      await expect(create()).rejects.toThrow(/socket hang up|ECONNRESET/)
      expect(await versions()).toBe(expected)
      expect(emulator.requests.find(({ operation, status }) => operation === 'create' && status === 0)).toBeTruthy()
    }
  })

  test('with the SDK: a lost answer to an import has made a version', async () => {
    const client = clientOf(emulator, host)
    await client.createEcKey('k')
    emulator.injectFault({ match: { operation: 'create', vault: 'PREMIUM' }, action: { drop: 'after' }, times: 1 })
    expect((await failure(client.createEcKey('k'))).message).toMatch(/socket hang up|ECONNRESET/)
    expect(await versions()).toBe(2)
  })

  test('a delay before the effect, and one after it', async () => {
    const tenMinutes = 600_000
    emulator.injectFault({ match: { pathPattern: '/late/' }, action: { delayMs: tenMinutes } })
    emulator.injectFault({ match: { pathPattern: '/early/' }, action: { answerDelayMs: tenMinutes } })
    const answers = Promise.allSettled([create('late'), create('early')])
    while (emulator.listFaults().some(({ hits }) => hits === 0)) await new Promise((resolve) => setTimeout(resolve, 1))
    while (!(await exists('early'))) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(await exists('late')).toBe(false)
    // Closing does not wait for either.
    await emulator.close()
    expect((await answers).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  test('a delay ends', async () => {
    emulator.injectFault({ match: { operation: 'create' }, action: { delayMs: 1, answerDelayMs: 1 } })
    expect((await create()).status).toBe(200)
    expect(await exists()).toBe(true)
  })

  test('by method, path and host; the first that matches strikes', async () => {
    emulator.injectFault({ match: { method: 'get', pathPattern: '^/keys/a' }, action: { status: 500 } })
    emulator.injectFault({ match: { host }, action: { status: 501 } })
    expect((await vault('GET', '/keys/abc')).status).toBe(500)
    expect((await vault('GET', '/keys/bcd')).status).toBe(501)
    expect((await vault('DELETE', '/keys/abc')).status).toBe(501)
    expect(await tokenOf(emulator)).toBeTruthy()
    emulator.clearFaults()
    expect((await vault('GET', '/keys/abc')).status).toBe(404)
    expect(emulator.listFaults()).toEqual([])
  })

  test('the first request of the SDK, without a token, is spared unless asked for', async () => {
    emulator.injectFault({ match: { vault: 'premium' }, action: { status: 500 } })
    expect((await call(emulator, { host, path: '/keys?api-version=7.6' })).status).toBe(401)
    emulator.clearFaults()
    emulator.injectFault({ match: { operation: 'challenge' }, action: { status: 503 } })
    expect((await call(emulator, { host, path: '/keys?api-version=7.6' })).status).toBe(503)
    expect((await vault('GET', '/keys')).status).toBe(200)
  })

  test('the token authority can fail too', async () => {
    emulator.injectFault({ match: { operation: 'token' }, action: { status: 503 }, times: 1 })
    await expect(tokenOf(emulator)).rejects.toThrow('ServiceUnavailable')
    expect(await tokenOf(emulator)).toBeTruthy()
    emulator.injectFault({ match: { operation: 'token' }, action: { drop: 'before' } })
    const error = await failure(clientOf(emulator, host, credentialOf(emulator)).getKey('k'))
    expect(error.message).toMatch(/socket hang up|ECONNRESET|network/i)
  })

  test('a probability strikes some, and the same ones with the same seed', async () => {
    const run = async (seed: number) => {
      emulator.clearFaults()
      emulator.injectFault({ match: { operation: 'list' }, action: { status: 500 }, probability: 0.5, seed })
      const statuses: number[] = []
      for (let i = 0; i < 40; i++) statuses.push((await vault('GET', '/keys')).status)
      return statuses.join()
    }
    const first = await run(7)
    expect(first).toContain('200')
    expect(first).toContain('500')
    expect(await run(7)).toBe(first)
    expect(await run(8)).not.toBe(first)
    emulator.clearFaults()
    emulator.injectFault({ action: { status: 500 }, probability: 0 })
    expect((await vault('GET', '/keys')).status).toBe(200)
  })

  test.each([
    [{ action: {}, match: { colour: 'red' } }, /^Not a fault: match: Unrecognized key: "colour"/],
    [{}, /^Not a fault: action: /],
    [{ action: { status: 99 } }, /^Not a fault: action\.status: /],
    [{ action: { drop: 'now' } }, /^Not a fault: action\.drop: /],
    [{ action: {}, probability: 2 }, /^Not a fault: probability: /],
    [{ action: {}, times: 0 }, /^Not a fault: times: /],
    [{ action: {}, match: { pathPattern: '(' } }, /^Not a fault: match\.pathPattern: must be a regular expression/],
  ])('%o is none', (spec, message) => {
    expect(() => emulator.injectFault(spec as never)).toThrow(message)
  })
})

describe('throttling by the limits of the service', () => {
  const error = {
    code: 'Throttled',
    message: 'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
  }

  test('300 imports in 10 seconds, without Retry-After; refused ones do not count', async () => {
    const busy = await vaultCaller(emulator, 'busy.vault.azure.net')
    const put = async () => (await busy('PUT', '/keys/k', {})).status
    const statuses = await Promise.all(Array.from({ length: 310 }, put))
    expect(statuses.filter((status) => status === 400)).toHaveLength(300)
    expect(statuses.filter((status) => status === 429)).toHaveLength(10)
    const refused = await busy('PUT', '/keys/k', {})
    expect(refused.json.error).toEqual(error)
    expect(refused.headers['retry-after']).toBeUndefined()
    expect((await busy('GET', '/keys')).status).toBe(200)
    emulator.advanceClock(10_000)
    expect(await put()).toBe(400)
  })

  test('10 HSM keys and 20 in software, each for itself; with Retry-After where asked for', async () => {
    const polite = await vaultCaller(emulator, 'polite.vault.azure.net')
    const make = async (kty: string) => await polite('POST', '/keys/k/create', { kty })
    for (let i = 0; i < 10; i++) expect((await make('EC-HSM')).status).toBe(200)
    for (let i = 0; i < 20; i++) expect((await make('EC')).status).toBe(200)
    for (const kty of ['EC-HSM', 'EC']) {
      const refused = await make(kty)
      expect([refused.status, refused.json.error, refused.headers['retry-after']]).toEqual([429, error, '3'])
    }
  })

  test('only where the vault asks for it', async () => {
    for (let i = 0; i < 25; i++) expect((await create()).status).toBe(200)
  })
})
