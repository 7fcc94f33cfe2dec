import { describe, expect, test } from 'vitest'
import { ask, data } from './doors-gateway.ts'
import { basic, client, exchange, grant, inForm, oauthClient, post } from './oauth-client.ts'

oauthClient()

describe('OAuth', () => {
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
