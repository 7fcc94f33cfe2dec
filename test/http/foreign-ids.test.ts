import { describe, expect, it } from 'vitest'
import { admin, as, dataOf, good, makeNamespace, tokenWith } from './tenants.ts'
import { serveTwice, vault } from './token-gateways.ts'

serveTwice()

describe('ids of another tenant', () => {
  it('say nothing, wherever they are sent', async () => {
    for (const namespace of ['a', 'b']) await makeNamespace(vault, namespace)
    const alice = as(vault, await tokenWith(vault, 'a', admin), 'a')
    const bobToken = await tokenWith(vault, 'b', admin)
    const bob = as(vault, bobToken, 'b')
    await good(bob('PUT', 'keymgmt/key/secret-name', { type: 'ecdsa-p256' }))
    await good(
      bob('PUT', 'keymgmt/kms/secret-kms', { provider: 'memory', key_collection: 'vault', credentials: { a: 'b' } }),
    )
    await good(bob('PUT', 'sys/auth/approle', { type: 'approle' }))
    await good(alice('PUT', 'sys/auth/approle', { type: 'approle' }))
    await good(bob('PUT', 'auth/approle/role/secret-role', { token_policies: 'default' }))
    await good(alice('PUT', 'auth/approle/role/mine', { token_policies: 'default' }))
    await good(bob('PUT', 'sys/policies/acl/secret-policy', { policy: admin }))
    await good(bob('PUT', 'sys/quotas/rate-limit/secret-quota', { rate: 1000 }))
    await good(bob('PUT', 'auth/token/roles/secret-token-role', {}))
    await good(bob('PUT', 'sys/mounts/secret-mount', { type: 'keymgmt' }))
    await good(bob('PUT', 'sys/namespaces/secret-space'))
    const { secret_id, secret_id_accessor } = dataOf(await good(bob('PUT', 'auth/approle/role/secret-role/secret-id')))
    const { role_id } = dataOf(await good(bob('GET', 'auth/approle/role/secret-role/role-id')))
    const moved = dataOf(await good(bob('POST', 'sys/remount', { from: 'secret-mount', to: 'secret-moved' })))
    const accessor = dataOf(await good(bob('GET', 'auth/token/lookup-self'))).accessor
    // What there is, and one of the same kind that there is not: it begins and ends alike, since some may be key names.
    const unlike = (id: string) =>
      `${id.slice(0, 10)}${id.slice(10, -1).replace(/[0-9]/g, '7').replace(/[a-z]/g, 'e')}${id.slice(-1)}`
    const pairs: [string, string][] = [
      [bobToken, `${bobToken.slice(0, -20)}${'A'.repeat(20)}`],
      [String(accessor), unlike(String(accessor))],
      [String(secret_id), unlike(String(secret_id))],
      [String(secret_id_accessor), '00000000-0000-4000-8000-000000000000'],
      [String(role_id), '00000000-0000-4000-8000-000000000000'],
      [String(moved.migration_id), '00000000-0000-4000-8000-000000000000'],
      ...['name', 'kms', 'role', 'policy', 'quota', 'token-role', 'moved', 'space'].map((one): [string, string] => [
        `secret-${one}`,
        `nobody-${one}`,
      ]),
    ]
    const requests = (id: string): [string, string, unknown?][] => [
      ['GET', `keymgmt/key/${id}`],
      ['LIST', `keymgmt/key/${id}/kms`],
      ['GET', `keymgmt/kms/${id}`],
      ['LIST', `keymgmt/kms/${id}/key`],
      ['GET', `keymgmt/kms/${id}/diagnose`],
      ['GET', `${id}/key/other`],
      ['PUT', `keymgmt/key/${id}/rotate`, {}],
      ['GET', `sys/policies/acl/${id}`],
      ['GET', `sys/quotas/rate-limit/${id}`],
      ['GET', `sys/namespaces/${id}`],
      ['GET', `sys/mounts/${id}`],
      ['GET', `sys/internal/ui/mounts/${id}`],
      ['GET', `sys/remount/status/${id}`],
      ['GET', `auth/token/roles/${id}`],
      ['PUT', `auth/token/create/${id}`, {}],
      ['GET', `auth/approle/role/${id}`],
      ['LIST', `auth/approle/role/${id}/secret-id`],
      ['POST', 'auth/token/lookup', { token: id }],
      ['POST', 'auth/token/renew', { token: id }],
      ['POST', 'auth/token/revoke', { token: id }],
      ['POST', 'auth/token/revoke-orphan', { token: id }],
      ['POST', 'sys/capabilities', { token: id, paths: 'x' }],
      ['POST', 'auth/token/lookup-accessor', { accessor: id }],
      ['POST', 'auth/token/renew-accessor', { accessor: id }],
      ['POST', 'auth/token/revoke-accessor', { accessor: id }],
      ['POST', 'sys/capabilities-accessor', { accessor: id, paths: 'x' }],
      ['POST', 'auth/approle/role/mine/secret-id/lookup', { secret_id: id }],
      ['POST', 'auth/approle/role/mine/secret-id-accessor/lookup', { secret_id_accessor: id }],
      ['POST', 'auth/approle/role/mine/secret-id-accessor/destroy', { secret_id_accessor: id }],
      ['POST', 'auth/approle/login', { role_id: id, secret_id: String(secret_id) }],
      ['POST', 'auth/approle/login', { role_id: String(role_id), secret_id: id }],
      ['POST', 'sys/wrapping/lookup', { token: id }],
      ['POST', 'sys/wrapping/unwrap', { token: id }],
    ]
    const masked = (text: string, id: string) => text.replaceAll(id, '…').replace(/"request_id":"[^"]*"/, '')
    for (const [there, nowhere] of pairs) {
      const [real, made] = [requests(there), requests(nowhere)]
      for (const [index, request] of real.entries()) {
        const one = await alice(...request)
        const other = await alice(...(made[index] as [string, string, unknown?]))
        expect([request, one.status, masked(one.text, there)]).toEqual([
          request,
          other.status,
          masked(other.text, nowhere),
        ])
        expect(one.status).not.toBe(200)
      }
    }
    // And all of it is as it was.
    expect((await bob('GET', 'keymgmt/key/secret-name')).status).toBe(200)
    expect((await good(bob('POST', 'auth/approle/login', { role_id, secret_id }))).status).toBe(200)
    expect((await bob('GET', 'auth/token/lookup-self')).status).toBe(200)
  })
})
