import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Sink } from '../../../src/core/audit/sink.ts'
import { type AzureGateway, azureGateway } from './gateway.ts'
import { type Bench, clientId, clientSecret, startBench } from './harness.ts'

let bench: Bench
let gateway: AzureGateway
let broken = false
const lines: string[] = []

beforeAll(async () => {
  bench = await startBench()
  const sink: Sink = {
    name: 'test',
    write: async (more) => {
      if (broken) throw new Error('no space left on device')
      lines.push(...more)
    },
    reopen: async () => {},
    close: async () => {},
  }
  gateway = await azureGateway(bench, {}, { sinks: [sink] })
  await gateway.makeKms('prod')
  await gateway.makeKey('orders')
})
afterAll(async () => {
  await gateway.close()
  await bench.emulator.close()
})

const entries = () => lines.map((line) => JSON.parse(line))
const calls = () => entries().map(({ type, request }) => `${request.operation} ${type}`)
const hash = (value: string) => gateway.core.audit.hash('root', value)

test('no key encryption key is made that could not be recorded', async () => {
  broken = true
  const { core, scope } = gateway
  await core.distribution.distribute(scope, 'prod', 'orders', { purpose: ['sign'] }, gateway.soon(0.3))
  await expect(core.kms.rotateWrappingKey(scope, 'prod')).rejects.toMatchObject({
    code: 'refused',
    message: 'a call to the cloud could not be recorded in the audit log: it was not sent',
  })
  broken = false
  await gateway.core.operations.retry(scope, (await core.operations.list(scope))[0] ?? '', gateway.soon())
  expect(await core.distribution.read(scope, 'prod', 'orders')).toMatchObject({ state: 'settled' })
  // One was made in all, after its line was there.
  expect(calls().filter((call) => call === 'create cloud-request')).toHaveLength(1)
})

test('a delivery leaves the trail of the key encryption key and of the key', async () => {
  const { kek_id: kekId, kek_fingerprint: fingerprint } = (await gateway.core.kms.read(gateway.scope, 'prod')).shown
  const kept = calls().filter((call) => !/^(?:describe|list) /.test(call))
  expect(kept).toEqual(['import cloud-request', 'create cloud-request', 'pin cloud-response', 'import cloud-response'])
  const pin = entries().find(({ request }) => request.operation === 'pin')
  expect(pin.request).toMatchObject({
    provider: 'azurekeyvault',
    operation_id: expect.any(String),
    data: { key_id: hash(String(kekId)), fingerprint: hash(String(fingerprint)) },
  })
})

test('a rotation of it, a preflight and a refusal are recorded', async () => {
  const { core, scope } = gateway
  lines.length = 0
  const rotation = await core.kms.rotateWrappingKey(scope, 'prod')
  expect(calls()).toEqual([
    'rotate cloud-request',
    'retire cloud-response',
    'create cloud-request',
    'pin cloud-response',
    'rotate cloud-response',
  ])
  expect(entries().at(-1).response).toMatchObject({ outcome: 'ok', data: { key_id: hash(rotation.keyId) } })
  lines.length = 0
  await core.kms.diagnose(scope, 'prod')
  expect(entries()).toMatchObject([{ request: { operation: 'diagnose' }, response: { data: { errors: 0 } } }])
  lines.length = 0
  bench.emulator.restrict(clientId, [])
  await core.looks.reconcile(scope, 'prod', gateway.soon())
  expect(entries().at(-1)).toMatchObject({
    request: { operation: 'describe' },
    response: { outcome: 'refused', status: 403, code: expect.stringMatching(/^Forbidden/) },
    error: expect.stringMatching(/^refused 403 Forbidden/),
  })
})

test('and no line has a credential or a token in it', () => {
  expect(lines.join()).not.toContain(clientSecret)
  expect(lines.join()).not.toMatch(/eyJ|Bearer|\?api-version|https:/)
})
