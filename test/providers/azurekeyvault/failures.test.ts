import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Connection } from '../../../src/core/kms/provider.ts'
import type { FaultSpec } from '../../../src/emulator/azurekeyvault/index.ts'
import type { VaultError } from '../../../src/providers/azurekeyvault/errors.ts'
import { type Bench, failure, importRequest, openAnother, startBench } from './harness.ts'

let bench: Bench
let connection: Connection
beforeAll(async () => {
  bench = await startBench()
  connection = await bench.open()
  await connection.importVersion(importRequest())
})
afterAll(() => bench.emulator.close())
afterEach(() => bench.emulator.clearFaults())

describe('an import that fails', () => {
  const importing = (action: FaultSpec['action']): FaultSpec => ({ match: { operation: 'import' }, action, times: 1 })

  it.each<[string, FaultSpec['action'], Partial<VaultError>]>([
    ['dropped before', { drop: 'before' }, { kind: 'unavailable', effect: 'unknown' }],
    ['dropped after', { drop: 'after' }, { kind: 'unavailable', effect: 'unknown' }],
    [
      '500',
      { status: 500 },
      { kind: 'unavailable', effect: 'unknown', status: 500, serviceCode: 'InternalServerError' },
    ],
    [
      '503 that says when',
      { status: 503, headers: { 'retry-after': '7' } },
      { kind: 'unavailable', effect: 'unknown', retryAfterMs: 7_000 },
    ],
    ['500 after the effect', { status: 500, effect: true }, { kind: 'unavailable', effect: 'unknown' }],
    ['408', { status: 408 }, { kind: 'unavailable', effect: 'unknown' }],
    [
      '307',
      { status: 307, headers: { location: 'https://evil.example/' } },
      { kind: 'unavailable', effect: 'unknown' },
    ],
    ['429', { status: 429 }, { kind: 'throttled', effect: 'none', retryAfterMs: undefined, serviceCode: 'Throttled' }],
    [
      '429 with seconds',
      { status: 429, headers: { 'retry-after': '3' } },
      { kind: 'throttled', effect: 'none', retryAfterMs: 3_000 },
    ],
    [
      '429 with ms',
      { status: 429, headers: { 'retry-after-ms': '250' } },
      { kind: 'throttled', effect: 'none', retryAfterMs: 250 },
    ],
    [
      '409',
      { status: 409, body: { error: { code: 'Conflict', message: 'x' } } },
      { kind: 'name_taken', effect: 'none' },
    ],
    [
      '400',
      { status: 400, body: { error: { code: 'BadParameter', message: 'x' } } },
      { kind: 'refused', effect: 'none' },
    ],
    ['403 without a body', { status: 403, body: '' }, { kind: 'refused', effect: 'none', serviceCode: undefined }],
    ['404 with a page', { status: 404, body: '<html>not here</html>' }, { kind: 'refused', effect: 'none' }],
    ['413', { status: 413, body: null }, { kind: 'refused', effect: 'none' }],
    ['a success without a body', { status: 200, body: '' }, { kind: 'unavailable', effect: 'unknown' }],
    ['a success of something else', { status: 200, body: { hello: 1 } }, { kind: 'unavailable', effect: 'unknown' }],
    ['a 201', { status: 201, body: {} }, { kind: 'unavailable', effect: 'unknown' }],
  ])('%s', async (_what, action, expected) => {
    bench.emulator.injectFault(importing(action))
    bench.emulator.clearRequests()
    expect(await failure(connection.importVersion(importRequest()))).toMatchObject(expected)
    expect(bench.emulator.requests.filter(({ operation }) => operation === 'import')).toHaveLength(1)
  })

  it('is not sent by a machine that slept until its time was over', async () => {
    let slept = 0
    const late = await openAnother(bench, { azure: { now: () => Date.now() + slept }, register: bench.register })
    const request = importRequest()
    const material: typeof request.material = {
      ...request.material,
      use: async (work) => {
        slept = 3_600_000
        return await request.material.use(work)
      },
    }
    bench.emulator.clearRequests()
    const error = await failure(late.importVersion({ ...request, material }))
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none', serviceCode: 'ETIMEDOUT' })
    expect(bench.emulator.requests.filter(({ operation, status }) => operation === 'import' && status !== 401)).toEqual(
      [],
    )
    await late.importVersion(importRequest())
  })

  it('without an answer in time', async () => {
    bench.emulator.injectFault(importing({ delayMs: 60_000 }))
    const quick = await openAnother(bench, { azure: { callTimeoutMs: 300 }, register: bench.register })
    const error = await failure(quick.importVersion(importRequest()))
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'unknown', serviceCode: 'ETIMEDOUT' })
    expect(error.message).toMatch(
      /^could not import the key ".*": prod-keys\.vault\.azure\.net did not answer within 0\.3 s$/,
    )
  })

  it('that is lost while it only asks for the challenge had no effect: it held neither token nor body', async () => {
    const cold = await openAnother(bench, { register: bench.register })
    bench.emulator.injectFault({ match: { operation: 'challenge' }, action: { drop: 'before' } })
    const error = await failure(cold.importVersion(importRequest({ protection: 'software' })))
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' })
    expect(error.message).toContain('the connection to prod-keys.vault.azure.net was lost')
  })

  it('can be found again by its import id when the answer was lost', async () => {
    bench.emulator.injectFault(importing({ drop: 'after' }))
    const request = importRequest()
    expect(await failure(connection.importVersion(request))).toMatchObject({ effect: 'unknown' })
    const found = await connection.describe(request.remoteName)
    expect(found).toMatchObject({ state: 'present', latest: { importId: request.importId } })
  })
})

describe('other calls that fail', () => {
  it('a change whose answer was lost may have happened; a read never has an effect', async () => {
    const request = importRequest()
    const { remoteVersion } = await connection.importVersion(request)
    bench.emulator.injectFault({ match: { operation: 'update' }, action: { drop: 'after' } })
    bench.emulator.injectFault({ match: { operation: 'delete' }, action: { status: 500 } })
    bench.emulator.injectFault({ match: { operation: 'get' }, action: { status: 500 } })
    expect(await failure(connection.setVersionEnabled(request.remoteName, remoteVersion, false))).toMatchObject({
      effect: 'unknown',
    })
    expect(await failure(connection.remove(request.remoteName))).toMatchObject({
      effect: 'unknown',
      kind: 'unavailable',
    })
    expect(await failure(connection.describe(request.remoteName))).toMatchObject({
      effect: 'none',
      kind: 'unavailable',
    })
  })

  it('a read is tried once more, a write never', async () => {
    bench.emulator.injectFault({ match: { operation: 'get' }, action: { status: 500 }, times: 1 })
    expect(await connection.readVersion('nothing', '0'.repeat(32))).toBeUndefined()
    bench.emulator.injectFault({ match: { operation: 'update' }, action: { status: 500 }, times: 1 })
    bench.emulator.clearRequests()
    await failure(connection.setVersionEnabled('nothing', '0'.repeat(32), true))
    expect(bench.emulator.requests.filter(({ operation }) => operation === 'update')).toHaveLength(1)
  })

  it('a deletion that happened is one, whatever the read after it says', async () => {
    const request = importRequest()
    await connection.importVersion(request)
    bench.emulator.injectFault({ match: { operation: 'getDeleted' }, action: { status: 500 } })
    await connection.remove(request.remoteName)
    bench.emulator.clearFaults()
    expect(await connection.describe(request.remoteName)).toMatchObject({ state: 'deleted' })
  })

  it('deleting what is being deleted is no error', async () => {
    const body = { error: { code: 'Conflict', message: 'x', innererror: { code: 'ObjectIsBeingDeleted' } } }
    bench.emulator.injectFault({ match: { operation: 'delete' }, action: { status: 409, body } })
    expect(await connection.remove('key')).toBeUndefined()
  })

  it('a public key that cannot be read passes for no key', async () => {
    const kid = `https://prod-keys.vault.azure.net/keys/key/${'0'.repeat(32)}`
    for (const key of [{ kid, kty: 'RSA-HSM' }, { kid, kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }, { kid }]) {
      bench.emulator.injectFault({
        match: { operation: 'get' },
        action: { status: 200, body: { key, attributes: { enabled: true } } },
        times: 1,
      })
      const read = await connection.readVersion('key', '0'.repeat(32))
      expect(read?.publicKey).toEqual(Buffer.alloc(0))
    }
  })

  it('a disabled version that a plain read hides is found by listing', async () => {
    const request = importRequest()
    const { remoteVersion } = await connection.importVersion(request)
    const body = {
      error: {
        code: 'Forbidden',
        message: 'Operation get is not allowed on a disabled key.',
        innererror: { code: 'KeyDisabled' },
      },
    }
    bench.emulator.injectFault({ match: { operation: 'get' }, action: { status: 403, body } })
    const listed = { remoteVersion, importId: request.importId, enabled: true }
    expect(await connection.describe(request.remoteName)).toMatchObject({
      state: 'present',
      latest: listed,
      versions: [listed],
    })
    expect(await connection.readVersion(request.remoteName, remoteVersion)).toMatchObject(listed)
    bench.emulator.injectFault({ match: { operation: 'listVersions' }, action: { status: 403 } })
    expect(await failure(connection.describe(request.remoteName))).toMatchObject({
      kind: 'refused',
      serviceCode: 'Forbidden/KeyDisabled',
    })
  })

  it('a version that is not there cannot be enabled', async () => {
    const error = await failure(connection.setVersionEnabled('nothing', '0'.repeat(32), true))
    expect(error).toMatchObject({ kind: 'refused', effect: 'none', serviceCode: 'KeyNotFound' })
    expect(error.message).toContain('there is no such key or version')
  })
})
