import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keymgmtTable, publicTable, sysTable, tokenTable } from '../../src/http/route-tables.ts'
import { canaries, liveABit, type Measured, measuredGateway } from './busy-gateway.ts'
import { type Family, parseMetrics } from './text-format.ts'

let measured: Measured
let text: string
let families: Map<string, Family>
beforeAll(async () => {
  measured = await measuredGateway()
  await liveABit(measured)
  text = await measured.print()
  families = parseMetrics(text)
})
afterAll(() => measured.vault.close())

const samples = (name: string) => families.get(name)?.samples ?? []
/** The sum of the samples of a metric that have these labels. */
const value = (name: string, labels: Record<string, string> = {}) =>
  samples(name)
    .filter((one) => Object.entries(labels).every(([label, of]) => one.labels[label] === of))
    .reduce((sum, one) => sum + one.value, 0)
const labelsOf = ({ samples: all }: Family) =>
  [...new Set(all.flatMap(({ labels }) => Object.keys(labels)))].filter((name) => name !== 'le').sort()

describe('the metrics', () => {
  it('are as docs/metrics.md has them: name, type, labels and meaning', () => {
    const document = readFileSync(resolve(import.meta.dirname, '../../docs/metrics.md'), 'utf8')
    const rows = [...document.matchAll(/^\| `([a-z_]+)` \| (\w+) \| (.*?) \| (.+) \|$/gm)].map(
      ([, name, type, labels = '', help]) => [name, type, (labels.match(/\w+/g) ?? []).sort(), help],
    )
    expect([...families.values()].map((one) => [one.name, one.type, labelsOf(one), one.help])).toEqual(rows)
  })

  it('have a sample each, once everything has happened', () => {
    expect([...families.values()].filter(({ samples: all }) => all.length === 0).map(({ name }) => name)).toEqual([])
  })

  it('have nothing in them that a tenant chose, and no secret', () => {
    const hidden = [...canaries, 'c4n4ry', measured.vault.rootToken, 'vault"', 'memory://']
    expect(hidden.filter((one) => text.includes(one))).toEqual([])
  })

  it('have labels from short lists only', () => {
    const templates = [
      ...keymgmtTable.routes.map(({ path }) => `keymgmt/${path}`),
      ...sysTable.routes.map(({ path }) => `sys/${path}`),
      ...tokenTable.routes.map(({ path }) => `auth/token/${path}`),
      ...publicTable.keys(),
      'other',
    ]
    const used = new Set(samples('keyferry_http_requests_total').map(({ labels }) => labels.route ?? ''))
    expect([...used].filter((route) => !templates.includes(route))).toEqual([])
    expect(used).toContain('keymgmt/kms/:name/key/:key_name')
    expect(used).toContain('other')
    const statuses = samples('keyferry_http_requests_total').map(({ labels }) => labels.status)
    // What a caller of sys/health chooses is no label.
    expect(statuses).toContain('2xx')
    expect(statuses).not.toContain('299')
  })
})

describe('what is counted', () => {
  it('of requests', async () => {
    const { vault, print } = measured
    const before = value('keyferry_http_requests_total')
    const handled = value('vault_core_handle_request_count')
    expect(handled).toBe(before)
    expect(value('keyferry_http_request_duration_seconds', {})).toBeGreaterThan(0)
    for (const method of ['GET', 'HEAD', 'PURGE', 'MERGE']) {
      await vault.app.request('http://gateway/v1/sys/seal-status', { method })
    }
    families = parseMetrics(await print())
    const seal = (method: string) => value('keyferry_http_requests_total', { route: 'sys/seal-status', method })
    expect([seal('GET'), seal('HEAD'), seal('other')]).toEqual([1, 1, 2])
    expect(value('keyferry_http_requests_total')).toBe(before + 4)
    const counts = samples('keyferry_http_request_duration_seconds').filter(({ name }) => name.endsWith('_count'))
    expect(counts.reduce((sum, one) => sum + one.value, 0)).toBe(before + 4)
    expect(value('keyferry_http_requests_in_flight')).toBe(0)
    expect(value('vault_core_response_status_code')).toBe(before + 4)
    expect(value('vault_core_response_status_code', { type: '5xx', code: '503' })).toBe(1)
  })

  it('of requests that are none of Vault’s', async () => {
    const { vault, print } = measured
    const paths = ['/oauth/jwks', '/oauth/none', '/.well-known/oauth-authorization-server', '/openapi.json', '/c4n4ry']
    for (const path of paths) await vault.app.request(`http://gateway${path}`)
    await vault.app.request('http://gateway/oauth/token', { method: 'POST' })
    families = parseMetrics(await print())
    const of = (route: string) =>
      samples('keyferry_http_requests_total').flatMap(({ labels }) => (labels.route === route ? [labels.status] : []))
    expect(['oauth/jwks', 'oauth/metadata', 'openapi.json', 'oauth/token'].map(of)).toEqual([
      ['200'],
      ['200'],
      ['200'],
      ['400'],
    ])
    expect(of('other')).toEqual(expect.arrayContaining(['400', '404']))
    expect(value('keyferry_http_requests_in_flight')).toBe(0)
  })

  it('of calls to clouds', () => {
    const calls = (operation: string, outcome: string) =>
      value('keyferry_cloud_calls_total', { provider: 'memory', operation, outcome })
    expect(calls('import', 'throttled')).toBe(1)
    expect(calls('import', 'ok')).toBe(2)
    expect(calls('describe', 'ok')).toBe(measured.vault.cloud.calls.filter(({ call }) => call === 'describe').length)
    expect(value('keyferry_copy_attempts_failed_total')).toBe(1)
  })

  it('of operations, objects and drift', () => {
    expect(value('keyferry_operations_ended_total', { kind: 'distribute', outcome: 'succeeded' })).toBe(1)
    expect(value('keyferry_operations_ended_total', { kind: 'rotate', outcome: 'succeeded' })).toBe(1)
    expect(value('keyferry_operations_pending')).toBe(0)
    expect(value('keyferry_operation_oldest_pending_seconds')).toBe(0)
    expect(value('keyferry_objects', { kind: 'keys' })).toBe(1)
    expect(value('keyferry_objects', { kind: 'versions' })).toBe(2)
    expect(value('keyferry_objects', { kind: 'kms' })).toBe(1)
    expect(value('keyferry_objects', { kind: 'namespaces' })).toBe(2)
    expect(value('vault_kmse_key_count')).toBe(1)
    expect(value('keyferry_copies_drifted', { reason: 'version_disabled' })).toBe(1)
    expect(value('keyferry_copies_drifted')).toBe(1)
  })

  it('of keys made ahead of need, of which there are none here', () => {
    expect(value('keyferry_key_pool_wanted')).toBe(0)
    expect(value('keyferry_key_pool_misses_total', { type: 'rsa-2048' })).toBe(2)
    expect(value('keyferry_keys_generated_total')).toBe(2)
  })

  it('of the audit log', () => {
    expect(value('keyferry_audit_failures_total', { kind: 'request' })).toBe(1)
    expect(value('vault_audit_log_request_failure')).toBe(1)
    expect(value('keyferry_audit_lines_total', { kind: 'cloud' })).toBeGreaterThan(5)
    expect(value('keyferry_audit_healthy')).toBe(1)
  })

  it('of an operation that is not done, with its age; of a restore that is held', async () => {
    const { vault, print } = measured
    const broken = { times: 1000, error: () => new Error('the gateway’s own fault') }
    vault.cloud.faults = [{ call: 'describe', ...broken }]
    const { store, scope } = vault
    await vault.core.keys.write(scope, 'more', { type: 'rsa-2048' }, { deadline: 0 })
    await vault.core.kms.write(scope, 'kms', { provider: 'memory', keyCollection: 'other', credentials: {} })
    vault.other.faults = [{ call: 'describe', ...broken }]
    await vault.core.distribution.distribute(scope, 'kms', 'more', { purpose: ['sign'] }, { deadline: 0 })
    await new Promise((go) => setTimeout(go, 20))
    const hold = { since: 1, backupMadeAt: 2 }
    store.restore.hold = () => hold
    families = parseMetrics(await print())
    expect(value('keyferry_operations_pending', { kind: 'distribute' })).toBe(1)
    expect(value('keyferry_operation_oldest_pending_seconds')).toBeGreaterThan(0)
    expect(value('keyferry_operation_oldest_pending_seconds')).toBeLessThan(60)
    expect(value('keyferry_restore_held')).toBe(1)
  })
})
