import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { appRole, ask, auth, clock, data, errors, gateway, inside, serveDoors } from './doors-gateway.ts'

serveDoors()

describe('AppRole', () => {
  test("a login, in Vault's shape, by POST or PUT, JSON or form", async () => {
    const { role_id, secret_id } = await appRole('approle', 'ci', { token_ttl: '10m', token_num_uses: 0 })
    const answer = await ask('PUT', 'v1/auth/approle/login', { role_id, secret_id }, { token: null })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.body).toMatchObject({ data: null, wrap_info: null, lease_id: '', mount_type: 'approle' })
    expect(auth(answer)).toEqual({
      client_token: expect.stringMatching(/^ey/),
      accessor: expect.stringMatching(/^[0-9a-f]{24}$/),
      policies: ['default', 'deploy', 'read'],
      token_policies: ['default', 'deploy', 'read'],
      metadata: { role_name: 'ci' },
      lease_duration: 600,
      renewable: true,
      entity_id: '',
      token_type: 'service',
      orphan: true,
      mfa_requirement: null,
      num_uses: 0,
    })
    const self = await ask('GET', 'v1/auth/token/lookup-self', undefined, { token: String(auth(answer).client_token) })
    expect(data(self)).toMatchObject({ path: 'auth/approle/login', display_name: 'approle', orphan: true })
    const form = await ask('POST', 'v1/auth/approle/login', new URLSearchParams({ role_id, secret_id }), {
      token: null,
    })
    expect(form.status).toBe(200)
    // A token that comes with a login is nobody's business, good or bad.
    expect((await ask('POST', 'v1/auth/approle/login', { role_id, secret_id }, { token: 'bad' })).status).toBe(200)
  })

  test('wrong ids have one answer', async () => {
    const { role_id, secret_id } = await appRole('wrong', 'ci')
    for (const body of [
      { role_id, secret_id: 'x' },
      { role_id: 'x', secret_id },
      { role_id },
      { role_id, secret_id: null },
    ]) {
      expect(errors(await ask('POST', 'v1/auth/wrong/login', body, { token: null }))).toEqual([
        400,
        'invalid role or secret ID',
      ])
    }
    expect(errors(await ask('POST', 'v1/auth/wrong/login', { secret_id }, { token: null }))).toEqual([
      400,
      'missing role_id',
    ])
    expect(errors(await ask('POST', 'v1/auth/wrong/login', { role_id: ['a'], secret_id }, { token: null }))).toEqual([
      400,
      'Field validation failed: error converting input for field "role_id": a string is expected',
    ])
  })

  test('roles are read as they were written, as a whole and by field', async () => {
    await appRole('roles', 'One', {
      secret_id_ttl: '10m',
      secret_id_num_uses: 40,
      secret_id_bound_cidrs: '10.0.0.0/8,127.0.0.1',
      token_ttl: '20m',
      token_max_ttl: '30m',
      token_bound_cidrs: ['10.0.0.0/8'],
    })
    expect(data(await ask('GET', 'v1/auth/roles/role/one'))).toEqual({
      bind_secret_id: true,
      local_secret_ids: false,
      secret_id_bound_cidrs: ['10.0.0.0/8', '127.0.0.1'],
      secret_id_num_uses: 40,
      secret_id_ttl: 600,
      token_bound_cidrs: ['10.0.0.0/8'],
      token_explicit_max_ttl: 0,
      token_max_ttl: 1800,
      token_no_default_policy: false,
      token_num_uses: 0,
      token_period: 0,
      token_policies: ['deploy', 'read'],
      token_ttl: 1200,
      token_type: 'default',
    })
    expect(data(await ask('LIST', 'v1/auth/roles/role'))).toEqual({ keys: ['one'] })
    for (const [field, name, value, shown, initial] of [
      ['policies', 'token_policies', 'a,b', ['a', 'b'], []],
      ['secret-id-num-uses', 'secret_id_num_uses', '3', 3, 0],
      ['secret-id-ttl', 'secret_id_ttl', '1h', 3600, 0],
      ['token-ttl', 'token_ttl', 60, 60, 0],
      ['token-max-ttl', 'token_max_ttl', '2h', 7200, 0],
      ['token-bound-cidrs', 'token_bound_cidrs', '10.1.0.0/16', ['10.1.0.0/16'], []],
      ['secret-id-bound-cidrs', 'secret_id_bound_cidrs', '10.1.0.0/16', ['10.1.0.0/16'], []],
      ['token-num-uses', 'token_num_uses', 5, 5, 0],
      ['period', 'token_period', '5m', 300, 0],
      ['bind-secret-id', 'bind_secret_id', 'true', true, true],
    ] as const) {
      const path = `v1/auth/roles/role/one/${field}`
      expect((await ask('POST', path, { [name]: value })).status, field).toBe(204)
      expect(data(await ask('GET', path)), field).toEqual({ [name]: shown })
      expect((await ask('DELETE', path)).status, field).toBe(204)
      expect(data(await ask('GET', path)), field).toEqual({ [name]: initial })
      expect(errors(await ask('POST', path, {})), field).toEqual([400, `missing ${name}`])
    }
    expect((await ask('DELETE', 'v1/auth/roles/role/one')).status).toBe(204)
    expect((await ask('GET', 'v1/auth/roles/role/one')).status).toBe(404)
    expect((await ask('LIST', 'v1/auth/roles/role')).status).toBe(404)
    expect((await ask('GET', 'v1/auth/roles/role/one/role-id')).status).toBe(404)
    expect(errors(await ask('POST', 'v1/auth/roles/role/one/secret-id', {}))).toEqual([
      400,
      'role "one" does not exist',
    ])
  })

  test('secret ids are made, looked up, listed and destroyed', async () => {
    const { role_id } = await appRole('secrets', 'ci')
    const path = 'v1/auth/secrets/role/ci'
    const made = data(
      await ask('POST', `${path}/secret-id`, {
        metadata: '{"host":"b1"}',
        ttl: '1h',
        num_uses: 2,
        cidr_list: '10.0.0.0/8',
      }),
    )
    expect(made).toEqual({
      secret_id: expect.stringMatching(/^[\w-]{43}$/),
      secret_id_accessor: expect.stringMatching(/^[0-9a-f-]{36}$/),
      secret_id_num_uses: 2,
      secret_id_ttl: 3600,
    })
    const { secret_id, secret_id_accessor } = made
    const known = {
      cidr_list: ['10.0.0.0/8'],
      metadata: { host: 'b1' },
      secret_id_accessor,
      secret_id_num_uses: 2,
      secret_id_ttl: 3600,
      token_bound_cidrs: [],
    }
    expect(data(await ask('POST', `${path}/secret-id/lookup`, { secret_id }))).toMatchObject(known)
    expect(data(await ask('POST', `${path}/secret-id-accessor/lookup`, { secret_id_accessor }))).toMatchObject(known)
    expect((data(await ask('LIST', `${path}/secret-id`)).keys as string[]).includes(String(secret_id_accessor))).toBe(
      true,
    )
    const login = (from?: string) =>
      ask('POST', 'v1/auth/secrets/login', { role_id, secret_id }, { token: null, ...(from ? { from } : {}) })
    expect((await login()).status).toBe(400)
    expect((await login('192.0.2.1')).status).toBe(400)
    expect(auth(await login('10.0.0.9')).metadata).toEqual({ host: 'b1', role_name: 'ci' })
    expect((await ask('POST', `${path}/secret-id-accessor/destroy`, { secret_id_accessor })).status).toBe(204)
    expect((await login('10.0.0.9')).status).toBe(400)
    expect((await ask('POST', `${path}/secret-id/lookup`, { secret_id })).status).toBe(204)
    expect((await ask('POST', `${path}/secret-id/destroy`, { secret_id })).status).toBe(204)
    for (const what of ['lookup', 'destroy']) {
      expect(errors(await ask('POST', `${path}/secret-id-accessor/${what}`, { secret_id_accessor }))).toEqual([
        404,
        'failed to find accessor entry for secret_id_accessor',
      ])
    }
    for (const metadata of ['{', '[]', '"x"', { a: 1 }, 7]) {
      expect(errors(await ask('POST', `${path}/secret-id`, { metadata }))).toEqual([
        400,
        'metadata: a JSON object of strings is expected',
      ])
    }
    const own = { secret_id: 'my very own secret id' }
    expect((await ask('POST', `${path}/custom-secret-id`, own)).status).toBe(200)
    expect(errors(await ask('POST', `${path}/custom-secret-id`, own))).toEqual([
      400,
      'the secret id is registered already',
    ])
    expect(errors(await ask('POST', `${path}/custom-secret-id`, {}))).toEqual([400, 'missing secret_id'])
    expect((await ask('POST', 'v1/auth/secrets/tidy/secret-id')).status).toBe(204)
    expect((await ask('POST', 'v1/auth/secrets/login', { role_id, ...own }, { token: null })).status).toBe(200)
  })

  test('a secret id can be delivered wrapped, to be opened once', async () => {
    const { role_id } = await appRole('wrapped', 'ci')
    const headers = { 'x-vault-wrap-ttl': '60s' }
    const answer = await ask('POST', 'v1/auth/wrapped/role/ci/secret-id', {}, { headers })
    expect(JSON.stringify(answer.body)).not.toContain('secret_id"')
    const { token, creation_path } = answer.body.wrap_info as unknown as Record<string, string>
    expect(creation_path).toBe('auth/wrapped/role/ci/secret-id')
    const opened = await ask('POST', 'v1/sys/wrapping/unwrap', {}, { token: token ?? '' })
    const { secret_id } = data(opened)
    expect((await ask('POST', 'v1/auth/wrapped/login', { role_id, secret_id }, { token: null })).status).toBe(200)
    expect((await ask('POST', 'v1/sys/wrapping/unwrap', {}, { token: token ?? '' })).status).toBeGreaterThanOrEqual(400)
  })

  test('a secret id of one use, 32 at once', async () => {
    const { role_id } = await appRole('once', 'ci')
    const { secret_id } = data(await ask('POST', 'v1/auth/once/role/ci/secret-id', { num_uses: 1 }))
    const answers = await Promise.all(
      Array.from({ length: 32 }, () => ask('POST', 'v1/auth/once/login', { role_id, secret_id }, { token: null })),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(31)
  })

  test('lockout looks like a wrong secret', async () => {
    const { role_id, secret_id } = await appRole('locked', 'ci')
    const login = (secret: string) =>
      ask('POST', 'v1/auth/locked/login', { role_id, secret_id: secret }, { token: null })
    for (let i = 0; i < 5; i++) expect((await login('wrong')).status).toBe(400)
    expect(errors(await login(secret_id))).toEqual([400, 'invalid role or secret ID'])
    clock.skip += 15 * 60_000
    expect((await login(secret_id)).status).toBe(200)
  })

  test('by namespace, in the header or the path; nowhere else', async () => {
    for (const path of ['alpha', 'beta']) expect((await ask('PUT', `v1/sys/namespaces/${path}`, {})).status).toBe(200)
    const alpha = await appRole('approle', 'ci', {}, inside('alpha'))
    await appRole('approle', 'ci', {}, inside('beta'))
    const login = (path: string, options = {}) => ask('POST', path, alpha, { token: null, ...options })
    for (const answer of [
      await login('v1/auth/approle/login', inside('alpha')),
      await login('v1/auth/approle/login', inside('/alpha/')),
      await login('v1/alpha/auth/approle/login'),
    ]) {
      expect(answer.status).toBe(200)
      const token = String(auth(answer).client_token)
      const alphaId = (await gateway.core.namespace('alpha'))?.id
      expect(decodeJwt(token).ns).toBe(alphaId)
      expect((await ask('GET', 'v1/auth/token/lookup-self', undefined, { token, ...inside('alpha') })).status).toBe(200)
      expect((await ask('GET', 'v1/auth/token/lookup-self', undefined, { token, ...inside('beta') })).status).toBe(403)
    }
    const wrong = [400, 'invalid role or secret ID']
    expect(errors(await login('v1/auth/approle/login'))).toEqual(wrong)
    expect(errors(await login('v1/auth/approle/login', inside('beta')))).toEqual(wrong)
    expect((await login('v1/auth/approle/login', inside('gamma'))).status).toBe(403)
    expect((await login('v1/alpha/auth/approle/login', inside('beta'))).status).toBe(403)
  })
})
