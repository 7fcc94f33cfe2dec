import { afterEach, describe, expect, it } from 'vitest'
import { createTelemetry, type Telemetry } from '../../src/telemetry/index.ts'
import { outcome, type Reply } from '../http/gateway.ts'
import { as, makeNamespace, tokenWith } from '../http/tenants.ts'
import { type Measured, measuredGateway } from './busy-gateway.ts'
import { parseMetrics } from './text-format.ts'

let measured: Measured
afterEach(() => measured.vault.close())

const textFormat = 'text/plain; version=0.0.4; charset=utf-8'
const ofVault = 'sys/metrics?format=prometheus'
async function scrape(headers: Record<string, string> = {}, path = '/metrics'): Promise<Reply> {
  const response = await measured.vault.app.request(`http://gateway${path}`, { headers })
  return { status: response.status, text: await response.text(), headers: response.headers }
}
const isMetrics = (reply: Reply) => {
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, textFormat])
  expect(parseMetrics(reply.text).has('keyferry_build_info')).toBe(true)
}
const denied = [403, '1 error occurred:\n\t* permission denied\n\n']

describe('metrics behind a policy', () => {
  it('are for a token of the root namespace that may read sys/metrics', async () => {
    measured = await measuredGateway()
    const { vault } = measured
    const token = await tokenWith(vault, '', 'path "sys/metrics" { capabilities = ["read"] }')
    isMetrics(await scrape({ 'x-vault-token': token }))
    isMetrics(await scrape({ authorization: `Bearer ${token}` }))
    isMetrics(await as(vault, token)('GET', ofVault))
    isMetrics(await as(vault, vault.rootToken)('GET', ofVault))
    // Nothing else of the request counts.
    isMetrics(await scrape({ 'x-vault-token': token, 'x-vault-namespace': 'nowhere', 'x-vault-wrap-ttl': '60' }))
  })

  it('are for nobody else', async () => {
    measured = await measuredGateway()
    const { vault } = measured
    await makeNamespace(vault, 'team')
    const none = [403, 'permission denied']
    expect(outcome(await scrape())).toEqual(none)
    expect(outcome(await scrape({ 'x-vault-token': 'wrong' }))).toEqual(none)
    expect(outcome(await vault.send('GET', ofVault, undefined, { 'x-vault-token': '' }))).toEqual(none)
    const other = await tokenWith(vault, '', 'path "sys/mounts" { capabilities = ["read"] }')
    expect(outcome(await scrape({ 'x-vault-token': other }))).toEqual(denied)
    const tenants = await tokenWith(vault, 'team', 'path "*" { capabilities = ["read", "sudo"] }')
    expect(outcome(await scrape({ 'x-vault-token': tenants }))).toEqual(denied)
    expect(outcome(await as(vault, tenants, 'team')('GET', ofVault))).toEqual([404, 'unsupported path'])
    expect(outcome(await as(vault, vault.rootToken, 'team')('GET', ofVault))).toEqual([404, 'unsupported path'])
  })

  it('have no other form', async () => {
    measured = await measuredGateway()
    const sentence = 'query parameter "format" must be "prometheus": the JSON form of Vault is not there'
    for (const path of ['sys/metrics', 'sys/metrics?format=', 'sys/metrics?format=json']) {
      expect(outcome(await measured.vault.send('GET', path))).toEqual([400, sentence])
    }
    expect((await measured.vault.send('POST', ofVault, {})).status).toBe(405)
  })

  it('are recorded, without their text', async () => {
    measured = await measuredGateway()
    const before = measured.vault.core.audit.figures().recorded
    await scrape({ 'x-vault-token': measured.vault.rootToken })
    const after = measured.vault.core.audit.figures().recorded
    expect([after.request - before.request, after.response - before.response]).toEqual([1, 1])
    measured.audit.broken = true
    expect((await scrape({ 'x-vault-token': measured.vault.rootToken })).status).toBe(503)
  })
})

describe('metrics that are open', () => {
  it('are for everybody, at both places, also while no audit sink takes lines', async () => {
    measured = await measuredGateway({ metrics: 'open' })
    measured.audit.broken = true
    isMetrics(await scrape())
    isMetrics(await scrape({ 'x-vault-token': 'wrong' }, `/v1/${ofVault}`))
    expect(outcome(await scrape({}, '/v1/sys/metrics'))[0]).toBe(400)
    measured.audit.broken = false
    // And nothing else is.
    expect((await scrape({}, '/v1/sys/mounts')).status).toBe(403)
    expect((await scrape({}, '/v1/team/sys/metrics?format=prometheus')).status).toBe(403)
    const counted = parseMetrics(await measured.print()).get('keyferry_http_requests_total')?.samples
    expect(counted?.find(({ labels }) => labels.route === 'sys/metrics' && labels.status === '200')?.value).toBe(2)
  })
})

describe('metrics that are open to many', () => {
  it('are printed once a second at most, and anew after that', async () => {
    let time = 1_800_000_000_000
    const telemetry = createTelemetry('1.2.3')
    let prints = 0
    const counting: Telemetry = {
      ...telemetry,
      print: async (core) => {
        prints += 1
        if (prints === 3) throw new Error('the database is gone')
        return await telemetry.print(core)
      },
    }
    measured = await measuredGateway({ metrics: 'open', telemetry: counting }, { now: () => time })
    const many = () =>
      Promise.all(Array.from({ length: 20 }, (_, at) => scrape({}, at % 2 ? '/metrics' : `/v1/${ofVault}`)))
    for (const reply of await many()) isMetrics(reply)
    time += 999
    for (const reply of await many()) isMetrics(reply)
    expect(prints).toBe(1)
    time += 1
    for (const reply of await many()) isMetrics(reply)
    expect(prints).toBe(2)
    // What went wrong is not kept, and a clock that is set back holds nothing up.
    time -= 3_600_000
    expect((await scrape()).status).toBe(500)
    isMetrics(await scrape())
    expect(prints).toBe(4)
  })
})

describe('metrics that are off', () => {
  it('are nowhere', async () => {
    measured = await measuredGateway({ metrics: 'off' })
    const token = { 'x-vault-token': measured.vault.rootToken }
    expect((await scrape(token)).status).toBe(404)
    expect(outcome(await measured.vault.send('GET', ofVault))).toEqual([404, 'unsupported path'])
  })
})
