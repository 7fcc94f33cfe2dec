import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeRestored } from '../../src/core/backup/restore.ts'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

const now = Date.UTC(2030, 0, 1)
let vault: Gateway
beforeAll(async () => {
  vault = await gateway({}, { context: { now: () => now } })
})
afterAll(() => vault.close())

const raw = async (path: string) => JSON.parse((await vault.send('GET', path, undefined, { 'x-vault-token': '' })).text)

describe('sys/health', () => {
  it('says that all is well', async () => {
    expect(await raw('sys/health')).toEqual({
      initialized: true,
      sealed: false,
      standby: false,
      performance_standby: false,
      replication_performance_mode: 'disabled',
      replication_dr_mode: 'disabled',
      server_time_utc: now / 1000,
      version: '2.0.0+keyferry.1.2.3',
      enterprise: false,
      cluster_name: 'keyferry',
      cluster_id: vault.core.instanceId,
    })
  })

  it('tells of a restore that is not released, and answers as ever', async () => {
    const other = await gateway()
    const rootKeys = { current: other.rootKey, previous: undefined }
    await makeRestored(other.store, rootKeys, Date.UTC(2029, 11, 31), other.core.context)
    const reply = await other.send('GET', 'sys/health', undefined, { 'x-vault-token': '' })
    expect([reply.status, JSON.parse(reply.text).hold]).toEqual([
      200,
      'restored from a backup of 2029-12-31T00:00:00.000Z: nothing is sent to any KMS until "keyferry release"',
    ])
    await other.core.restore.release({ unreachable: false })
    expect(JSON.parse((await other.send('GET', 'sys/health')).text)).not.toHaveProperty('hold')
    await other.close()
  })

  it('takes another status for "active", and the parameters for what does not occur', async () => {
    expect((await vault.send('GET', 'sys/health?activecode=299')).status).toBe(299)
    expect((await vault.send('GET', 'sys/health?activecode=503&standbyok=true')).status).toBe(503)
    expect((await vault.send('GET', 'sys/health?standbyok&perfstandbyok=1&sealedcode=500&uninitcode=404')).status).toBe(
      200,
    )
  })

  it('answers HEAD alike, without a body', async () => {
    const reply = await vault.send('HEAD', 'sys/health?activecode=299')
    expect([reply.status, reply.text, reply.headers.get('content-type')]).toEqual([299, '', 'application/json'])
  })

  it.each([
    'activecode=',
    'activecode=ok',
    'standbycode=99',
    'sealedcode=600',
    'uninitcode=20',
    'drsecondarycode=-200',
    'activecode=204',
  ])('refuses %s', async (query) => {
    const [name, text] = query.split('=')
    expect(outcome(await vault.send('GET', `sys/health?${query}`))).toEqual([
      400,
      `query parameter "${name}" must be a status from 200 to 599 that has a body, not "${text}"`,
    ])
  })
})

describe('sys/seal-status, sys/leader and sys/init', () => {
  it('have the members that clients read', async () => {
    expect(await raw('sys/seal-status')).toEqual({
      type: 'root-key',
      initialized: true,
      sealed: false,
      t: 1,
      n: 1,
      progress: 0,
      nonce: '',
      version: '2.0.0+keyferry.1.2.3',
      build_date: '',
      migration: false,
      cluster_name: 'keyferry',
      cluster_id: vault.core.instanceId,
      recovery_seal: false,
      storage_type: 'sqlite',
      removed_from_cluster: false,
      keyferry_version: '1.2.3',
    })
    expect(await raw('sys/leader')).toMatchObject({ ha_enabled: false, is_self: false, leader_address: '' })
    expect(await raw('sys/init')).toEqual({ initialized: true })
  })

  it('are not initialised twice', async () => {
    const body = { secret_shares: 5, secret_threshold: 3 }
    expect(outcome(await vault.send('PUT', 'sys/init', body))).toEqual([400, 'the gateway is already initialized'])
  })
})

describe('auth/token/lookup-self', () => {
  it('has what the command line and Terraform read', async () => {
    const data = dataOf(await vault.send('GET', 'auth/token/lookup-self'))
    expect(data).toEqual({
      accessor: expect.stringMatching(/^[0-9a-f]{24}$/),
      creation_time: now / 1000,
      creation_ttl: 0,
      display_name: 'root',
      entity_id: '',
      expire_time: null,
      explicit_max_ttl: 0,
      id: vault.rootToken,
      issue_time: '2030-01-01T00:00:00.000Z',
      meta: null,
      num_uses: 0,
      orphan: true,
      path: 'auth/token/root',
      policies: ['root'],
      renewable: false,
      ttl: 0,
      type: 'service',
    })
  })
})
