import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { appRole, ask, clock, data, gateway } from './doors-gateway.ts'
import { grant, inForm, oauthClient, post } from './oauth-client.ts'

oauthClient()

describe('OAuth', () => {
  test('introspection tells a client of its own tokens, and a token with the right of all in the namespace', async () => {
    const { access_token } = (await post('oauth/token', { ...grant, ...inForm(), scope: 'read' })).body
    const token = String(access_token)
    const mine = await post('oauth/introspect', { token, ...inForm() })
    expect(mine).toMatchObject({
      status: 200,
      body: { active: true, scope: 'read', token_type: 'Bearer', jti: decodeJwt(token).jti, iss: decodeJwt(token).iss },
    })
    const inactive = { status: 200, body: { active: false } }
    const root = { 'x-vault-token': gateway.rootToken }
    const bearer = { authorization: `Bearer ${gateway.rootToken}` }
    for (const headers of [root, bearer]) {
      expect((await post('oauth/introspect', { token }, headers)).body.active).toBe(true)
    }
    for (const other of [gateway.rootToken, 'x', `${token}x`]) {
      const answer = await post('oauth/introspect', { token: other, ...inForm() })
      expect({ status: answer.status, body: answer.body }).toEqual(inactive)
    }
    const alpha = { ...root, 'x-vault-namespace': 'alpha' }
    const elsewhere = await post('oauth/introspect', { token }, alpha)
    expect({ status: elsewhere.status, body: elsewhere.body }).toEqual(inactive)
    // Without the policy "default" this token may not even look at itself.
    const forbidden = await post('oauth/introspect', { token }, { authorization: `Bearer ${token}` })
    expect([forbidden.status, forbidden.body.error]).toEqual([403, 'insufficient_scope'])
    expect(forbidden.headers.get('www-authenticate')).toBe('Bearer realm="keyferry", error="insufficient_scope"')
    const nobody = await post('oauth/introspect', { token })
    expect([nobody.status, nobody.body.error]).toEqual([401, 'invalid_client'])
    const bad = await post('oauth/introspect', { token }, { authorization: 'Bearer x' })
    expect([bad.status, bad.body.error]).toEqual([401, 'invalid_token'])
    expect((await post('oauth/introspect', inForm())).body.error).toBe('invalid_request')
  })

  test('revocation is at once, 200 for what is unknown, and reaches nobody else', async () => {
    const issue = async () => String((await post('oauth/token', { ...grant, ...inForm() })).body.access_token)
    const token = await issue()
    const alive = async (text: string) =>
      (await ask('GET', 'v1/auth/token/lookup-self', undefined, { token: text })).status === 200
    for (const other of ['x', gateway.rootToken]) {
      expect((await post('oauth/revoke', { token: other, ...inForm() })).status).toBe(200)
    }
    expect(await alive(gateway.rootToken)).toBe(true)
    expect(await alive(token)).toBe(true)
    expect(
      (await post('oauth/revoke', { token }, { 'x-vault-token': gateway.rootToken, 'x-vault-namespace': 'alpha' }))
        .status,
    ).toBe(200)
    expect(await alive(token)).toBe(true)
    expect((await post('oauth/revoke', { token, ...inForm() })).status).toBe(200)
    expect(await alive(token)).toBe(false)
    expect((await post('oauth/revoke', { token, ...inForm() })).status).toBe(200)
    const self = await issue()
    expect((await post('oauth/revoke', { token: self }, { authorization: `Bearer ${self}` })).status).toBe(200)
    expect(await alive(self)).toBe(false)
    const another = await issue()
    const byPeer = await issue()
    const refused = await post('oauth/revoke', { token: another }, { authorization: `Bearer ${byPeer}` })
    expect([refused.status, refused.body.error]).toEqual([403, 'insufficient_scope'])
    expect(await alive(another)).toBe(true)
  })

  test("a client learns nothing of another client's tokens, nor of those of a role of its name that is gone", async () => {
    const other = await appRole('oauth2', 'app', { token_type: 'batch', token_ttl: 60 })
    const theirs = { client_id: other.role_id, client_secret: other.secret_id }
    const { access_token } = (await post('oauth/token', { ...grant, ...theirs })).body
    const token = String(access_token)
    expect((await post('oauth/introspect', { token, ...inForm() })).body).toEqual({ active: false })
    expect((await post('oauth/introspect', { token, ...theirs })).body.active).toBe(true)
    const batch = await post('oauth/revoke', { token, ...theirs })
    expect([batch.status, batch.body.error]).toEqual([400, 'unsupported_token_type'])
    expect((await post('oauth/revoke', { token, ...inForm() })).status).toBe(200)
    clock.skip += 5_000
    await ask('DELETE', 'v1/auth/oauth2/role/app')
    await ask('POST', 'v1/auth/oauth2/role/app', {})
    const { role_id } = data(await ask('GET', 'v1/auth/oauth2/role/app/role-id'))
    const { secret_id } = data(await ask('POST', 'v1/auth/oauth2/role/app/secret-id', {}))
    const next = { client_id: String(role_id), client_secret: String(secret_id) }
    expect((await post('oauth/introspect', { token, ...next })).body).toEqual({ active: false })
  })
})
