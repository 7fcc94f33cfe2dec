import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { type TestCore, testCore } from '../support/gateway.ts'
import { type Gateway, gateway, outcome } from './gateway.ts'
import { admin, as, dataOf, good, makeNamespace, tokenWith } from './tenants.ts'

const Sqlite = createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3
const denied = '1 error occurred:\n\t* permission denied\n\n'
const noRoute = (path: string) => [404, `no handler for route "${path}". route entry not found.`]
const authOf = (reply: { json: object }) => (reply.json as { auth: Record<string, string> }).auth

describe('a namespace that is deleted', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-namespaces-'))
  let one: Gateway
  let two: { core: TestCore['core']; close(): Promise<void>; send: Gateway['send'] }
  let file: string
  let number = 0
  beforeEach(async () => {
    file = join(folder, `${number++}.db`)
    one = await gateway({}, { file })
    const other = await testCore({ file, rootKey: one.rootKey })
    const app = createApp(other.core)
    two = {
      core: other.core,
      close: other.close,
      send: async (method, path, body, headers = {}) => {
        const response = await app.request(`http://gateway/v1/${path}`, {
          method,
          headers: { 'x-vault-token': one.rootToken, ...headers },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
        return { status: response.status, text: await response.text(), headers: response.headers }
      },
    }
  })
  afterEach(async () => {
    await two.close()
    await one.close()
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** All tables that name a namespace, with how many rows of it. */
  function rowsOf(namespaceId: string): Record<string, number> {
    const db = new Sqlite(file, { readonly: true })
    const tables = db
      .prepare<[], string>(
        `SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
         WHERE m.type = 'table' AND c.name = 'namespace_id' ORDER BY m.name`,
      )
      .pluck()
      .all()
    const counts = [...tables, 'namespaces'].map((table): [string, number] => {
      const column = table === 'namespaces' ? 'id' : 'namespace_id'
      return [table, db.prepare(`SELECT count(*) FROM ${table} WHERE ${column} = ?`).pluck().get(namespaceId) as number]
    })
    db.close()
    return Object.fromEntries(counts)
  }

  /** A tenant that has something of everything. */
  async function fill(namespace: string) {
    await makeNamespace(one, namespace)
    const root = as(one, one.rootToken, namespace)
    const token = await tokenWith(one, namespace, admin)
    const alice = as(one, token, namespace)
    const child = authOf(await good(alice('POST', 'auth/token/create', {})))
    const batch = authOf(await good(alice('POST', 'auth/token/create', { type: 'batch' })))
    const orphanBatch = authOf(
      await good(root('POST', 'auth/token/create', { type: 'batch', no_parent: true, policies: 'default' })),
    )
    await good(alice('PUT', 'keymgmt/key/k', { type: 'ecdsa-p256' }))
    await good(alice('PUT', 'keymgmt/key/k', { min_enabled_version: 0 }, { 'idempotency-key': 'once' }))
    await good(alice('PUT', 'keymgmt/kms/v', { provider: 'memory', key_collection: 'vault', credentials: { a: 'b' } }))
    await good(alice('PUT', 'auth/token/roles/r', { allowed_policies: 'default' }))
    await good(alice('PUT', 'sys/auth/approle', { type: 'approle' }))
    await good(alice('PUT', 'auth/approle/role/r', { token_policies: 'default' }))
    const secret = dataOf(await good(alice('PUT', 'auth/approle/role/r/secret-id')))
    const role = dataOf(await good(alice('GET', 'auth/approle/role/r/role-id')))
    const login = { role_id: role.role_id, secret_id: secret.secret_id }
    const loggedIn = authOf(await good(root('POST', 'auth/approle/login', login)))
    await good(alice('PUT', 'sys/quotas/rate-limit/q', { rate: 1e6 }))
    const wrapped = await good(alice('POST', 'sys/wrapping/wrap', { x: 1 }, { 'x-vault-wrap-ttl': '60' }))
    const wrappingToken = (wrapped.json as unknown as { wrap_info: { token: string } }).wrap_info.token
    return {
      alice,
      token,
      child,
      batch,
      orphanBatch,
      loggedIn,
      login,
      wrappingToken,
      id: (await one.core.namespace(namespace))?.id ?? '',
    }
  }

  it('is gone at once in every process, with all its tokens, and leaves no row', async () => {
    const { token, child, batch, orphanBatch, loggedIn, login, wrappingToken, id } = await fill('t')
    const before = rowsOf(id)
    const empty = Object.entries(before).filter(
      ([table, count]) => count === 0 && !['copies', 'copy_versions', 'operations'].includes(table),
    )
    expect(empty).toEqual([])
    const inside = { 'x-vault-namespace': 't' }
    const tokens = [token, child.client_token, batch.client_token, orphanBatch.client_token, loggedIn.client_token].map(
      String,
    )
    const look = (gateway: { send: Gateway['send'] }, one: string) =>
      gateway.send('GET', 'auth/token/lookup-self', undefined, { ...inside, 'x-vault-token': one })
    for (const gateway of [one, two]) for (const one of tokens) expect((await look(gateway, one)).status).toBe(200)

    await good(one.send('DELETE', 'sys/namespaces/t'))
    for (const gateway of [two, one]) {
      for (const each of tokens) {
        for (const headers of [inside, {}]) {
          const reply = await gateway.send('GET', 'auth/token/lookup-self', undefined, {
            ...headers,
            'x-vault-token': each,
          })
          expect(outcome(reply)).toEqual([403, 'permission denied'])
        }
      }
      expect(outcome(await gateway.send('GET', 'keymgmt/key/k', undefined, inside))).toEqual(noRoute('keymgmt/key/k'))
      expect(outcome(await gateway.send('GET', 't/keymgmt/key/k'))).toEqual(noRoute('t/keymgmt/key/k'))
      expect((await gateway.send('POST', 'auth/approle/login', login, { ...inside, 'x-vault-token': '' })).status).toBe(
        403,
      )
      expect((await gateway.send('POST', 'sys/wrapping/unwrap', { token: wrappingToken })).status).toBe(400)
    }
    expect(Object.values(rowsOf(id)).every((count) => count === 0)).toBe(true)
  })

  it('made again at the same path is another one', async () => {
    const { token, child, batch, orphanBatch, loggedIn, login, wrappingToken } = await fill('t')
    await good(one.send('DELETE', 'sys/namespaces/t'))
    await makeNamespace(one, 't')
    for (const gateway of [one, two]) {
      for (const each of [
        token,
        child.client_token,
        batch.client_token,
        orphanBatch.client_token,
        loggedIn.client_token,
      ]) {
        for (const path of ['auth/token/lookup-self', 'keymgmt/key/k', 'sys/mounts']) {
          const headers = { 'x-vault-token': String(each), 'x-vault-namespace': 't' }
          expect(outcome(await gateway.send('GET', path, undefined, headers))).toEqual([403, 'permission denied'])
        }
      }
      const inside = { 'x-vault-namespace': 't' }
      for (const path of ['keymgmt/key/k', 'keymgmt/kms/v', 'auth/token/roles/r', 'sys/quotas/rate-limit/q']) {
        expect((await gateway.send('GET', path, undefined, inside)).status).toBe(404)
      }
      for (const path of [
        'keymgmt/key',
        'keymgmt/kms',
        'auth/token/roles',
        'auth/token/accessors',
        'sys/quotas/rate-limit',
      ]) {
        expect((await gateway.send('LIST', path, undefined, inside)).status).toBe(404)
      }
      expect(
        outcome(await gateway.send('POST', 'auth/token/lookup-accessor', { accessor: child.accessor }, inside)),
      ).toEqual([403, denied])
      expect((await gateway.send('POST', 'auth/approle/login', login, { ...inside, 'x-vault-token': '' })).status).toBe(
        403,
      )
      expect((await gateway.send('POST', 'sys/wrapping/unwrap', { token: wrappingToken }, inside)).status).toBe(400)
    }
  })

  it('with distributed keys is refused, or takes them away too and is then gone', async () => {
    const { alice, id } = await fill('t')
    await good(alice('PUT', 'keymgmt/kms/v/key/k', { purpose: 'sign', protection: 'hsm' }))
    const names = () => [...one.cloud.keys.keys()]
    expect(names()).toHaveLength(1)
    expect(outcome(await one.send('DELETE', 'sys/namespaces/t'))).toEqual([
      400,
      'the namespace has 1 distributed key: remove them first, or delete it with remove_remote=true',
    ])
    expect((await alice('GET', 'keymgmt/key/k')).status).toBe(200)
    await good(one.send('DELETE', 'sys/namespaces/t?remove_remote=true'))
    expect(outcome(await alice('GET', 'keymgmt/key/k'))).toEqual([403, 'permission denied'])
    expect((await two.send('GET', 't/sys/mounts')).status).toBe(404)
    await expect.poll(() => names().length, { timeout: 10_000 }).toBe(0)
    await expect
      .poll(() => rowsOf(id), { timeout: 10_000 })
      .toEqual(Object.fromEntries(Object.keys(rowsOf(id)).map((table) => [table, 0])))
    const db = new Sqlite(file, { readonly: true })
    expect(db.prepare('SELECT * FROM remote_names').all()).toEqual([])
    db.close()
  })

  it('takes in nothing of what was under way, in either process', async () => {
    const { alice, token, id } = await fill('t')
    const caller = await two.core.authenticator.authenticate(token)
    const namespace = await two.core.namespace('t')
    const mount = await two.core.mounts.at(id, 'keymgmt')
    const door = await two.core.doors.mounts.at(id, 'approle')
    if (!namespace) throw new Error('there is no namespace')
    await good(one.send('DELETE', 'sys/namespaces/t'))
    // The other process has looked at everything before, and only now comes to write.
    const scope = { namespaceId: id, namespacePath: 't', mountId: mount.id, mountPath: mount.path }
    const how = { sudo: true, path: 'auth/token/create' }
    const role = { id: 'r1', namespaceId: id, door: 'token', name: 'late', config: {}, roleId: null, createdAt: 0 }
    const late: (() => Promise<unknown>)[] = [
      () => two.core.policies.put(namespace, 'late', 'path "*" { capabilities = ["read"] }'),
      () => two.core.tokens.create(caller, namespace, {}, how),
      () => two.core.tokens.create(caller, namespace, { noParent: true }, how),
      () => two.core.tokens.roles.put(role),
      () =>
        two.core.quotas.put({
          namespaceId: id,
          name: 'late',
          path: '',
          rate: 1,
          interval: 1,
          blockInterval: 0,
          role: '',
        }),
      () => two.core.mounts.create(id, 'late', { type: 'keymgmt' }),
      () => two.core.doors.mounts.enable(id, 'late', { type: 'approle' }),
      () => two.core.doors.secretIds.create(door, 'r', {}),
      () => two.core.keys.write(scope, 'late', { type: 'ecdsa-p256' }, one.waiting),
      () => two.core.kms.write(scope, 'late', { provider: 'memory', keyCollection: 'vault', credentials: {} }),
      () => two.core.wrapping.wrap(id, 'x', '{}', 60),
      () => two.core.namespaces.create(namespace, 'late', {}),
    ]
    for (const attempt of late)
      await expect(attempt()).rejects.toMatchObject({
        code: expect.toBeOneOf(['not_found', 'denied', 'invalid', 'unavailable']),
      })
    expect(outcome(await alice('GET', 'sys/mounts'))).toEqual([403, 'permission denied'])
    expect(Object.values(rowsOf(id)).every((count) => count === 0)).toBe(true)
  })
})
