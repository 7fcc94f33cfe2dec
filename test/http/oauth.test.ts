import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { appRole, ask, clock, configureJwt, data, gateway, inside, serveDoors, sign } from './doors-gateway.ts'

serveDoors()

describe('OAuth', () => {
  let client: { role_id: string; secret_id: string }
  beforeAll(async () => {
    await configureJwt()
    // A namespace with an AppRole of its own, which is no business of this client.
    await ask('PUT', 'v1/sys/namespaces/alpha', {})
    await appRole('approle', 'ci', {}, inside('alpha'))
    client = await appRole('oauth', 'app', { token_ttl: '10m' })
  })
  const post = async (path: string, form: Record<string, string> | string[][], headers: Record<string, string> = {}) =>
    await ask('POST', path, new URLSearchParams(form), { token: null, headers })
  const inForm = () => ({ client_id: client.role_id, client_secret: client.secret_id })
  const basic = (id = client.role_id, secret = client.secret_id) => ({
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  })
  const grant = { grant_type: 'client_credentials' }
  const exchange = async (more: Record<string, string> = {}, claims = {}) => ({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await sign({ env: 'prod', team: 'a', ...claims }),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    ...more,
  })

  test('client credentials, by Basic or in the form', async () => {
    for (const answer of [
      await post('oauth/token', { ...grant, ...inForm() }),
      await post('oauth/token', grant, basic()),
    ]) {
      expect(answer).toMatchObject({
        status: 200,
        body: { token_type: 'Bearer', scope: 'default deploy read', access_token: expect.stringMatching(/^ey/) },
      })
      expect(answer.body.expires_in).toBeGreaterThan(595)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.headers.get('content-type')).toBe('application/json')
      const used = await ask('GET', 'v1/auth/token/lookup-self', undefined, {
        token: null,
        headers: { authorization: `Bearer ${answer.body.access_token}` },
      })
      expect(data(used)).toMatchObject({ policies: ['default', 'deploy', 'read'], path: 'auth/oauth/login' })
    }
  })

  test('a scope only narrows', async () => {
    for (const [scope, granted] of [
      ['read', 'read'],
      ['read deploy', 'deploy read'],
      ['READ', 'read'],
      ['', 'default deploy read'],
    ] as const) {
      expect((await post('oauth/token', { ...grant, ...inForm(), scope })).body.scope, scope).toBe(granted)
    }
    for (const scope of ['admin', 'read admin', 'root', '*', 'read *', 'de*', 'read\n', 'x '.repeat(200)]) {
      expect(await post('oauth/token', { ...grant, ...inForm(), scope }), scope).toMatchObject({
        status: 400,
        body: { error: 'invalid_scope', error_description: 'the scope goes beyond the policies of the role' },
      })
    }
  })

  test('wrong clients are 401 with a challenge, all in the same words', async () => {
    const wrong: [Record<string, string>, Record<string, string>?][] = [
      [grant],
      [{ ...grant, client_id: client.role_id }],
      [{ ...grant, client_id: client.role_id, client_secret: '' }],
      [{ ...grant, client_id: client.role_id, client_secret: 'wrong' }],
      [{ ...grant, client_id: 'wrong', client_secret: client.secret_id }],
      [grant, basic(client.role_id, 'wrong')],
      [grant, { authorization: 'Basic %%%' }],
      [grant, { authorization: `Basic ${Buffer.from('%zz:x').toString('base64')}` }],
      [{ ...grant, ...inForm() }, { 'x-vault-namespace': 'alpha' }],
      [{ ...grant, ...inForm() }, { 'x-vault-namespace': 'nowhere' }],
    ]
    for (const [form, headers] of wrong) {
      const answer = await post('oauth/token', form, headers)
      expect([answer.status, answer.body], JSON.stringify([form, headers])).toEqual([
        401,
        { error: 'invalid_client', error_description: 'client authentication failed' },
      ])
      expect(answer.headers.get('www-authenticate')).toBe('Basic realm="keyferry", charset="UTF-8"')
      expect(answer.headers.get('cache-control')).toBe('no-store')
      await post('oauth/token', { ...grant, ...inForm() })
    }
  })

  test('bad requests', async () => {
    for (const [form, error] of [
      [{ ...inForm() }, 'invalid_request'],
      [{ grant_type: 'password', ...inForm() }, 'unsupported_grant_type'],
      [{ grant_type: 'authorization_code', ...inForm() }, 'unsupported_grant_type'],
      [
        [
          ['grant_type', 'client_credentials'],
          ['grant_type', 'client_credentials'],
        ],
        'invalid_request',
      ],
      [await exchange({ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }), 'invalid_request'],
      [await exchange({ requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }), 'invalid_request'],
      [await exchange({ actor_token: 'x' }), 'invalid_request'],
      [await exchange({ subject_token: '' }), 'invalid_request'],
      [await exchange({ resource: 'https://x' }), 'invalid_target'],
      [await exchange({ audience: 'https://x' }), 'invalid_target'],
    ] as const) {
      const answer = await post('oauth/token', form as Record<string, string>)
      expect([answer.status, answer.body.error], JSON.stringify(form)).toEqual([400, error])
    }
    const json = await ask('POST', 'oauth/token', { ...grant, ...inForm() }, { token: null })
    expect([json.status, json.body.error]).toEqual([400, 'invalid_request'])
    const both = await post('oauth/token', { ...grant, ...inForm() }, basic())
    expect([both.status, both.body.error]).toEqual([400, 'invalid_request'])
    for (const [method, path] of [
      ['GET', 'oauth/token'],
      ['POST', 'oauth/authorize'],
    ] as const) {
      const answer = await ask(method, path, method === 'POST' ? new URLSearchParams() : undefined, { token: null })
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    }
    const large = await ask('POST', 'oauth/token', new URLSearchParams({ grant_type: 'x'.repeat(1_100_000) }), {
      token: null,
    })
    expect([large.status, large.body.error]).toEqual([400, 'invalid_request'])
  })

  test('a JWT is exchanged for a token, at the door that the audience names', async () => {
    const granted = await post('oauth/token', await exchange())
    expect(granted).toMatchObject({
      status: 200,
      body: {
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        scope: 'default deploy read',
        expires_in: expect.any(Number),
      },
    })
    for (const audience of ['auth/jwt', 'auth/jwt/role/ci']) {
      expect((await post('oauth/token', await exchange({ audience, scope: 'read' }))).body.scope).toBe('read')
    }
    expect((await post('oauth/token', await exchange({ scope: 'admin' }))).body.error).toBe('invalid_scope')
    for (const form of [
      await exchange({ audience: 'auth/jwt/role/other' }),
      await exchange({ audience: 'auth/nowhere' }),
      await exchange({ audience: 'auth/oauth' }),
      await exchange({ audience: 'auth/token' }),
      await exchange({}, { env: 'dev' }),
      await exchange({}, { aud: 'other' }),
      await exchange({ subject_token: 'x' }),
    ]) {
      expect(await post('oauth/token', form)).toMatchObject({
        status: 400,
        body: { error: 'invalid_request', error_description: 'the subject token is not accepted' },
      })
    }
    const elsewhere = await post('oauth/token', await exchange(), { 'x-vault-namespace': 'alpha' })
    expect([elsewhere.status, elsewhere.body.error]).toEqual([400, 'invalid_request'])
  })

  test('metadata and keys are public; the keys verify the tokens', async () => {
    const meta = await ask('GET', '.well-known/oauth-authorization-server', undefined, { token: null })
    expect(meta.body).toMatchObject({
      issuer: 'https://gateway.test',
      token_endpoint: 'https://gateway.test/oauth/token',
      jwks_uri: 'https://gateway.test/oauth/jwks',
      response_types_supported: [],
      grant_types_supported: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    })
    const jwks = await ask('GET', 'oauth/jwks', undefined, { token: null })
    expect(jwks.headers.get('cache-control')).toBe('public, max-age=300')
    expect(jwks.body.keys).toEqual([
      {
        kty: 'EC',
        crv: 'P-256',
        x: expect.any(String),
        y: expect.any(String),
        kid: expect.any(String),
        alg: 'ES256',
        use: 'sig',
      },
    ])
  })

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

  test('a namespace at its limit gets 429 with Retry-After', async () => {
    expect(
      (await ask('POST', 'v1/sys/quotas/rate-limit/oauth', { path: 'oauth/', rate: 1, interval: '1s' })).status,
    ).toBe(204)
    const answers = []
    for (let i = 0; i < 5; i++) answers.push(await post('oauth/token', { ...grant, ...inForm() }, {}))
    const refused = answers.find(({ status }) => status === 429)
    expect(refused?.body.error).toBe('temporarily_unavailable')
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await ask('DELETE', 'v1/sys/quotas/rate-limit/oauth')).status).toBe(204)
  })
})
