import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { auditSecret } from '../../../src/core/audit/open.ts'
import type { Sink } from '../../../src/core/audit/sink.ts'
import { verifyLog } from '../../../src/core/audit/verify.ts'
import { CloudError } from '../../../src/core/kms/provider.ts'
import { Keyring } from '../../../src/core/seal/keyring.ts'
import { listRoots } from '../../../src/core/seal/unsealing.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

interface Line {
  type: string
  time: string
  request: { id: string; operation: string; data: Record<string, unknown>; [name: string]: unknown }
  response?: { outcome: string; data?: Record<string, unknown>; [name: string]: unknown }
  error?: string
}

let lines: string[]
let write: (more: string[]) => Promise<void>
let cloud: MemoryCloud
let gateway: TestCore
let plaintexts: Buffer[]
/** How much later than it is the gateway thinks that it is, in ms. */
let late: number
const secret = 'c4n4ry-credential'

beforeEach(async () => {
  lines = []
  plaintexts = []
  late = 0
  write = async (more) => void lines.push(...more)
  cloud = new MemoryCloud()
  const sink: Sink = {
    name: 'test',
    write: (more) => write(more),
    reopen: async () => {},
    close: async () => {},
  }
  const provider = memoryProvider(new Map([['c4n4ry-collection', cloud]]), {
    seePlaintext: (material) => plaintexts.push(material),
  })
  gateway = await testCore({
    providers: [provider],
    audit: { sinks: [sink] },
    context: { now: () => Date.now() + late },
  })
  const { core, scope, waiting } = gateway
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  await core.kms.write(scope, 'prod', {
    provider: 'memory',
    keyCollection: 'c4n4ry-collection',
    credentials: { secret },
  })
})
afterEach(() => gateway.close())

const entries = (): Line[] => lines.map((line) => JSON.parse(line))
const of = (operation: string) => entries().filter((line) => line.request.operation === operation)
const within = (ms: number) => ({ deadline: Date.now() + ms })
const distribute = (waiting = gateway.waiting) =>
  gateway.core.distribution.distribute(gateway.scope, 'prod', 'orders', { purpose: ['sign', 'verify'] }, waiting)
const hash = (value: string) => gateway.core.audit.hash('root', value)
const copy = () => gateway.core.distribution.read(gateway.scope, 'prod', 'orders')
const operationIds = () => gateway.core.operations.list(gateway.scope)
const failing = () => Promise.reject(new Error('no space left on device'))

describe('a call to a cloud', () => {
  it('that changes something is one line before it is sent and one with what came of it, on account of its operation', async () => {
    let linesAtImport = 0
    cloud.disturb = ({ call }) => {
      if (call === 'import') linesAtImport = of('import').length
      return undefined
    }
    await distribute()
    const [operationId = ''] = await operationIds()
    const kms = await gateway.store.kms.find(gateway.scope.mountId, 'prod')
    const { remoteName, versions } = await copy()
    const [request, response] = of('import')
    expect(of('import')).toHaveLength(2)
    expect(linesAtImport).toBe(1)
    expect(request).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      type: 'cloud-request',
      request: {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        operation: 'import',
        provider: 'memory',
        namespace: { id: 'root' },
        kms: { id: kms?.id, name: 'prod' },
        operation_id: operationId,
        data: {
          remote_name: hash(remoteName),
          import_id: expect.stringMatching(/^hmac-sha256:[0-9a-f]{64}$/),
          version: 1,
          type: 'ecdsa-p256',
          protection: 'hsm',
          purpose: ['sign', 'verify'],
          enabled: true,
        },
      },
      chain: expect.anything(),
    })
    expect(response).toEqual({
      time: expect.anything(),
      type: 'cloud-response',
      request: request?.request,
      response: {
        outcome: 'ok',
        duration_ms: expect.any(Number),
        data: { remote_version: hash(versions[1] ?? ''), enabled: true },
      },
      chain: expect.anything(),
    })
  })

  it('that only looks is one line', async () => {
    await distribute()
    expect(of('describe').map(({ type, response }) => [type, response?.outcome, response?.data?.state])).toEqual([
      ['cloud-response', 'ok', 'absent'],
      ['cloud-response', 'ok', 'present'],
    ])
    expect(of('list').map(({ type, response }) => [type, response?.data])).toEqual([
      ['cloud-response', { permitted: true }],
      ['cloud-response', { permitted: true }],
    ])
  })

  it('is recorded whichever it is: states of versions, looks, removals', async () => {
    const { core, scope, waiting } = gateway
    await distribute()
    await core.keys.rotate(scope, 'orders', waiting)
    await core.keys.write(scope, 'orders', { minEnabledVersion: 2 }, waiting)
    await core.looks.reconcile(scope, 'prod', waiting)
    await core.distribution.remove(scope, 'prod', 'orders', waiting)
    const types = (operation: string) => of(operation).map(({ type }) => type)
    expect(types('update')).toEqual(['cloud-request', 'cloud-response'])
    expect(types('delete')).toEqual(['cloud-request', 'cloud-response'])
    expect(types('import')).toHaveLength(4)
    const ids = new Set(await core.operations.list(scope))
    const causes = entries().map(({ request }) => request.operation_id)
    expect(causes.filter((id) => id !== undefined && !ids.has(String(id)))).toEqual([])
    // All but the look have an operation.
    expect(entries().filter(({ request }) => request.operation_id === undefined)).toHaveLength(1)
    const calls = entries().filter(({ type }) => type === 'cloud-response')
    expect(calls.length - of('list').length).toBe(cloud.calls.length)
  })

  it('that fails says how, by kind, status and code, and not in the words of the cloud', async () => {
    cloud.faults = [
      {
        call: 'import',
        times: 1,
        error: () =>
          new CloudError('refused', `no: https://vault/keys?sig=${secret}`, {
            status: 403,
            serviceCode: 'Forbidden/ForbiddenByRbac',
          }),
      },
    ]
    await expect(distribute()).rejects.toThrow('no: ')
    const [, response] = of('import')
    expect(response?.response).toEqual({
      outcome: 'refused',
      status: 403,
      code: 'Forbidden/ForbiddenByRbac',
      duration_ms: expect.any(Number),
    })
    expect(response?.error).toBe('refused 403 Forbidden/ForbiddenByRbac')
    expect(lines.join()).not.toContain(secret)
  })

  it('leaves a log that is found whole', async () => {
    await distribute()
    const roots = listRoots({
      current: { ...gateway.rootKey, key: Buffer.from(gateway.rootKey.key) },
      previous: undefined,
    })
    const key = await auditSecret(gateway.store.audit, new Keyring(roots, gateway.store.namespaces))
    const verify = async (of: readonly string[]) =>
      await verifyLog(
        key,
        (async function* () {
          yield* of
        })(),
        [],
        'test',
      )
    expect(await verify(lines)).toEqual({ lines: lines.length, chains: 1, faults: [] })
    expect((await verify(lines.filter((_, index) => index !== 2))).faults).toHaveLength(1)
  })
})

describe('secrets', () => {
  it('are in no line, whatever a cloud says', async () => {
    const canaries = [
      'https://vault/keys/x?api-version=7.6&sig=c4n4ry-signature',
      'Bearer c4n4ry.token.value',
      'c4n4ry code with blanks',
      'x'.repeat(65),
      'Forbidden/c4n4ry-path',
    ]
    for (const serviceCode of canaries) {
      cloud.faults = [
        {
          call: 'import',
          times: 1,
          error: () => new CloudError('refused', `${serviceCode} ${secret}`, { serviceCode }),
        },
      ]
      await expect(distribute()).rejects.toThrow()
    }
    const codes = of('import').flatMap(({ response }) => (response ? [response.code] : []))
    expect(codes).toEqual(canaries.map(hash))
    cloud.faults = []
    await distribute()
    const { remoteName, versions } = await copy()
    const all = lines.join('\n')
    const forms = (material: Buffer) => (['hex', 'base64', 'base64url'] as const).map((form) => material.toString(form))
    const hidden = [secret, ...canaries, 'c4n4ry', remoteName, ...Object.values(versions), ...plaintexts.flatMap(forms)]
    expect(plaintexts.length).toBeGreaterThan(0)
    expect(hidden.filter((one) => all.includes(one))).toEqual([])
  })
})

describe('a call that no sink could record', () => {
  it('is not sent where it would change something, and goes out once one can', async () => {
    write = failing
    const warnings = await distribute(within(150))
    expect(warnings).toEqual([
      expect.stringContaining('a call to the cloud could not be recorded in the audit log: it was not sent'),
    ])
    expect(cloud.calls.filter(({ call }) => call !== 'describe')).toEqual([])
    expect(gateway.core.audit.healthy).toBe(false)
    expect(gateway.core.audit.figures()).toMatchObject({ healthy: false, sinks: 1, failing: 1 })
    expect(gateway.core.audit.figures().lost.cloud).toBeGreaterThan(0)
    write = async (more) => void lines.push(...more)
    await expect.poll(async () => (await copy()).state, { timeout: 10_000 }).toBe('settled')
    expect(cloud.calls.filter(({ call }) => call === 'import')).toHaveLength(1)
  })

  it('is not sent either by a removal or for a new state', async () => {
    const { core, scope } = gateway
    await distribute()
    await core.keys.rotate(scope, 'orders', gateway.waiting)
    write = failing
    const sent = () => cloud.calls.filter(({ call }) => call === 'remove' || call === 'set-enabled').length
    await core.keys.write(scope, 'orders', { minEnabledVersion: 2 }, within(150))
    expect(sent()).toBe(0)
    await core.distribution.remove(scope, 'prod', 'orders', within(150))
    expect(sent()).toBe(0)
    expect(cloud.keys.size).toBe(1)
    write = async () => {}
    await expect.poll(() => cloud.keys.size, { timeout: 10_000 }).toBe(0)
  })

  it('is not taken for one that failed where it was sent: its answer counts', async () => {
    cloud.disturb = ({ call }) => {
      if (call === 'import') write = failing
      return undefined
    }
    expect(await distribute()).toEqual([])
    expect(cloud.calls.filter(({ call }) => call === 'import')).toHaveLength(1)
    expect([...cloud.keys.values()].map((versions) => versions.length)).toEqual([1])
    expect(of('import').map(({ type }) => type)).toEqual(['cloud-request'])
  })

  it('is not sent after a sink that took too long, since its time was counted from before', async () => {
    write = async (more) => {
      late += 1_001
      lines.push(...more)
    }
    await distribute(within(200))
    expect(of('import').map(({ type }) => type)).not.toContain('cloud-response')
    expect(cloud.calls.filter(({ call }) => call === 'import')).toEqual([])
  })
})

it('nothing is recorded, and nothing computed, without a sink', async () => {
  const other = new MemoryCloud()
  const silent = await testCore({ providers: [memoryProvider(new Map([['one', other]]))] })
  try {
    const { core, scope, waiting } = silent
    await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
    await core.kms.write(scope, 'prod', { provider: 'memory', keyCollection: 'one', credentials: {} })
    await core.distribution.distribute(scope, 'prod', 'orders', { purpose: ['sign'] }, waiting)
    expect(core.audit.figures()).toEqual({
      healthy: true,
      sinks: 0,
      failing: 0,
      recorded: { request: 0, response: 0, cloud: 0 },
      lost: { request: 0, response: 0, cloud: 0 },
    })
  } finally {
    await silent.close()
  }
})
