import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Sink } from '../../src/core/audit/sink.ts'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
let lines: string[]
let broken: boolean

beforeEach(async () => {
  lines = []
  broken = false
  const sink: Sink = {
    name: 'test',
    write: async (more) => {
      if (broken) throw new Error('no space left on device')
      lines.push(...more)
    },
    reopen: async () => {},
    close: async () => {},
  }
  vault = await gateway({}, { audit: { sinks: [sink], elideListResponses: true } })
})
afterEach(() => vault.close())

const entries = () => lines.map((line) => JSON.parse(line))
const pairOf = (path: string) => entries().filter((entry) => entry.request.path === path)

describe('every call', () => {
  it('is one line for the request and one for the answer, in Vault’s shape', async () => {
    await vault.send('POST', 'keymgmt/key/orders', { type: 'ecdsa-p256' })
    const [request, response] = entries()
    expect(lines).toHaveLength(2)
    expect(request).toMatchObject({
      type: 'request',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      auth: {
        display_name: 'root',
        policies: ['root'],
        token_type: 'service',
        client_token: expect.stringMatching(/^hmac-sha256:/),
      },
      request: {
        operation: 'update',
        path: 'keymgmt/key/orders',
        mount_point: 'keymgmt/',
        mount_type: 'keymgmt',
        namespace: { id: 'root' },
        data: { type: 'ecdsa-p256' },
      },
    })
    expect(response).toMatchObject({ type: 'response', request: { id: request.request.id }, response: { status: 204 } })
    expect(request).not.toHaveProperty('error')
  })

  it('is recorded also when it is refused, with why', async () => {
    const calls: [string, string, Record<string, string>, string][] = [
      ['GET', 'keymgmt/key/none', {}, 'status 404'],
      ['GET', 'nothing/here', {}, 'no handler for route "nothing/here". route entry not found.'],
      ['GET', 'keymgmt/key/none', { 'x-vault-token': 'wrong' }, 'permission denied'],
      ['GET', 'keymgmt/key/none', { 'x-vault-token': '' }, 'permission denied'],
      ['POST', 'auth/token/create/none', {}, 'unknown role "none"'],
      ['GET', 'sys/nothing', {}, 'unsupported path'],
    ]
    for (const [method, path, headers, error] of calls) {
      lines.length = 0
      await vault.send(method, path, undefined, headers)
      expect(entries().map((entry) => [entry.type, entry.request.path])).toEqual([
        ['request', path],
        ['response', path],
      ])
      expect(entries()[1].error).toBe(error)
    }
  })

  it('of health and seal status is not recorded', async () => {
    await vault.send('GET', 'sys/health')
    await vault.send('GET', 'sys/seal-status')
    expect(lines).toEqual([])
  })

  it('that is answered from memory says the same as the first time, under its own id, until the answer changes', async () => {
    await vault.send('POST', 'keymgmt/key/orders', { type: 'ecdsa-p256' })
    const said = async () => {
      lines = []
      await vault.send('GET', 'keymgmt/key/orders', undefined, { 'x-vault-token': vault.rootToken })
      const [request, response] = entries()
      expect(response.request.id).toBe(request.request.id)
      return { id: request.request.id, response: response.response, error: response.error }
    }
    const answers = [await said(), await said(), await said()]
    expect(new Set(answers.map(({ id }) => id)).size).toBe(3)
    expect(answers[0]?.response.data.latest_version).toBe(1)
    for (const { response, error } of answers) expect([response, error]).toEqual([answers[0]?.response, undefined])
    await vault.send('POST', 'keymgmt/key/orders/rotate')
    expect((await said()).response.data.latest_version).toBe(2)
  })

  it('that answers a list says how many, not which', async () => {
    await vault.send('POST', 'keymgmt/key/orders', { type: 'ecdsa-p256' })
    lines.length = 0
    await vault.send('LIST', 'keymgmt/key')
    expect(entries()[1].response.data).toEqual({ keys: 1 })
  })
})

describe('secrets', () => {
  it('are in no line, whichever way they came or went', async () => {
    const canaries = [
      'c4n4ry-client-secret',
      'c4n4ry-tenant',
      'c4n4ry-nested',
      'c4n4ry-header-token',
      'c4n4ry-list',
      'c4n4ry-meta',
    ]
    const [secret, tenant, nested, token, listed, meta] = canaries
    await vault.send('POST', 'keymgmt/kms/prod', {
      provider: 'memory',
      key_collection: 'vault',
      credentials: { client_secret: secret, tenant_id: tenant },
    })
    await vault.send('POST', 'keymgmt/kms/prod', { credentials: [`client_secret=${secret}`, `x=${listed}`] })
    await vault.send('POST', 'keymgmt/key/orders', { type: 'ecdsa-p256', unknown: { deep: [{ er: nested }] } })
    await vault.send('GET', 'keymgmt/key/orders', undefined, { 'x-vault-token': `${token}` })
    await vault.send('POST', 'auth/token/lookup', { token })
    const made = JSON.parse((await vault.send('POST', 'auth/token/create', { ttl: '1h', meta: { note: meta } })).text)
    const wrapped = JSON.parse(
      (await vault.send('GET', 'keymgmt/key/orders', undefined, { 'x-vault-wrap-ttl': '60' })).text,
    )
    await vault.send('POST', 'sys/wrapping/unwrap', { token: wrapped.wrap_info.token })
    await vault.send('POST', 'auth/token/revoke-accessor', { accessor: made.auth.accessor })
    const all = lines.join('\n')
    for (const canary of [
      ...canaries,
      vault.rootToken,
      made.auth.client_token,
      made.auth.accessor,
      wrapped.wrap_info.token,
    ]) {
      expect(all).not.toContain(canary)
      expect(all).not.toContain(Buffer.from(canary).toString('base64'))
    }
    expect(all).toContain(`"${vault.core.audit.hash('root', made.auth.client_token)}"`)
  })
})

describe('a request that no sink could record', () => {
  it('has no effect, and health says so', async () => {
    broken = true
    expect(outcome(await vault.send('POST', 'keymgmt/key/orders', { type: 'ecdsa-p256' }))).toEqual([
      503,
      'the request could not be recorded in the audit log: nothing was done',
    ])
    expect((await vault.send('GET', 'sys/health')).status).toBe(503)
    broken = false
    expect((await vault.send('GET', 'keymgmt/key/orders')).status).toBe(404)
    expect((await vault.send('GET', 'sys/health')).status).toBe(200)
  })

  it('that fails with its answer is not told', async () => {
    await vault.send('POST', 'keymgmt/key/orders', { type: 'ecdsa-p256' })
    const record = vault.core.audit.response
    vault.core.audit.response = async (...args) => {
      broken = true
      return await record.apply(vault.core.audit, args)
    }
    const reply = await vault.send('GET', 'keymgmt/key/orders')
    expect(reply.status).toBe(503)
    expect(reply.text).not.toContain('PUBLIC KEY')
  })
})

it('sys/audit-hash gives the hash to look for', async () => {
  const reply = await vault.send('POST', 'sys/audit-hash/test', { input: 'value' })
  expect(dataOf(reply)).toEqual({ hash: vault.core.audit.hash('root', 'value') })
  expect(pairOf('sys/audit-hash/test')).toHaveLength(2)
})
