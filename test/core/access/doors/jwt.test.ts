import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { base64url, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { JwtConfig } from '../../../../src/core/access/doors/jwt/config.ts'
import type { JwtRoleInput } from '../../../../src/core/access/doors/jwt/role.ts'
import type { AuthMountRow } from '../../../../src/core/store.ts'
import { type TestCore, testCore } from '../../../support/gateway.ts'
import { type TestIssuer, testIssuer } from '../../../support/issuer.ts'

const refused = { code: 'invalid', message: 'the JWT or the role is not accepted' }

let issuer: TestIssuer
let gateway: TestCore
let skip = 0
const logged: { message: string; details: unknown }[] = []

beforeAll(async () => {
  issuer = await testIssuer()
})
afterAll(() => issuer.close())

beforeEach(async () => {
  skip = 0
  logged.length = 0
  issuer.asked.length = 0
  gateway = await testCore({
    context: {
      now: () => Date.now() + skip,
      log: (_level, message, details) => void logged.push({ message, details }),
    },
    issuerDocuments: { allowedHosts: [issuer.host], timeoutMs: 30_000 },
  })
  await gateway.core.doors.mounts.enable('root', 'jwt', { type: 'jwt' })
})
afterEach(async () => {
  issuer.instead.clear()
  await gateway.close()
})

/** As it is now: what is configured changes the row. */
const mount = async (): Promise<AuthMountRow> => await gateway.core.doors.mounts.at('root', 'jwt')
const configure = async (config: Partial<JwtConfig> = {}) =>
  await gateway.core.doors.jwt.configure(await mount(), {
    oidcDiscoveryUrl: issuer.url,
    oidcDiscoveryCaPem: issuer.ca,
    defaultRole: 'ci',
    ...config,
  })
const role = async (input: JwtRoleInput = {}, name = 'ci') =>
  await gateway.core.doors.jwt.write(await mount(), name, {
    userClaim: 'sub',
    boundAudiences: ['keyferry'],
    ...input,
    token: { policies: ['deploy'], ...input.token },
  })
const login = async (jwt: string, name = '', remoteAddress?: string) =>
  await gateway.core.doors.jwtLogin.login(await mount(), {
    jwt,
    role: name,
    ...(remoteAddress ? { remoteAddress } : {}),
  })

test('a JWT of the issuer logs in, found by discovery over TLS', async () => {
  await configure()
  await role({ claimMappings: { repository: 'repo', run: 'run' } })
  const { token, row } = await login(await issuer.sign({ repository: 'org/app', run: 17 }))
  expect(row).toMatchObject({
    policies: ['default', 'deploy'],
    path: 'auth/jwt/login',
    displayName: 'jwt-build-7',
    meta: { repo: 'org/app', run: '17', role: 'ci' },
    parentId: null,
  })
  await gateway.core.authenticator.authenticate(token)
  await login(await issuer.sign())
  // Once to check the configuration, once for the first login.
  expect(issuer.asked.filter((path) => path === '/jwks')).toHaveLength(2)
})

test('nothing is open before there is a configuration and a role', async () => {
  await expect(login(await issuer.sign())).rejects.toMatchObject(refused)
  await expect(role()).rejects.toMatchObject({ message: 'could not load configuration: write auth/jwt/config first' })
  await configure()
  await expect(login(await issuer.sign())).rejects.toMatchObject(refused)
  await role()
  await login(await issuer.sign())
  await configure({ defaultRole: '' })
  await expect(login(await issuer.sign())).rejects.toMatchObject(refused)
  await expect(login(await issuer.sign(), 'other')).rejects.toMatchObject(refused)
  await login(await issuer.sign(), 'ci')
  await gateway.core.doors.jwt.delete(await mount(), 'ci')
  await expect(login(await issuer.sign(), 'ci')).rejects.toMatchObject(refused)
})

describe('forged tokens', () => {
  beforeEach(async () => {
    await configure()
    await role()
  })

  const part = (value: unknown) => base64url.encode(JSON.stringify(value))
  const body = () => {
    const now = Math.floor(Date.now() / 1000)
    return { iss: issuer.url, sub: 'build-7', aud: 'keyferry', iat: now, exp: now + 300 }
  }

  test('without a signature', async () => {
    issuer.asked.length = 0
    const signature = (await issuer.sign()).split('.')[2]
    for (const alg of ['none', 'None', 'NONE', '']) {
      const head = part({ alg, typ: 'JWT', kid: 'one' })
      for (const end of ['', signature]) {
        await expect(login(`${head}.${part(body())}.${end}`), alg).rejects.toMatchObject(refused)
      }
    }
    // Not even the keys were asked for.
    expect(issuer.asked).toEqual([])
  })

  test('by HMAC with the public key as the secret', async () => {
    const key = createPublicKey({ key: { ...issuer.jwks.keys[0] }, format: 'jwk' })
    for (const secret of [
      key.export({ type: 'spki', format: 'pem' }),
      key.export({ type: 'spki', format: 'der' }),
      JSON.stringify(issuer.jwks.keys[0]),
      String(issuer.jwks.keys[0]?.n),
    ]) {
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        const input = `${part({ alg, typ: 'JWT', kid: 'one' })}.${part(body())}`
        const mac = createHmac(`sha${alg.slice(2)}`, secret)
          .update(input)
          .digest('base64url')
        await expect(login(`${input}.${mac}`)).rejects.toMatchObject(refused)
      }
    }
  })

  test('with a key of their own, wherever they say it is', async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
    const jwk = await exportJWK(publicKey)
    issuer.instead.set('/evil', (_, response) => response.end(JSON.stringify({ keys: [{ ...jwk, kid: 'evil' }] })))
    for (const header of [
      { kid: 'one' },
      {},
      { kid: 'one', jwk },
      { kid: 'evil', jku: `${issuer.url}/evil` },
      { kid: `${issuer.url}/evil` },
      { kid: '../../../../dev/null' },
      { kid: "one' OR '1'='1" },
      { kid: '__proto__' },
      { kid: 'one\u0000' },
      { kid: 'one', x5u: `${issuer.url}/evil` },
      { kid: 'one', crit: ['exp'], exp: 1 },
    ]) {
      const jwt = await new SignJWT(body())
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...header })
        .sign(privateKey, { crit: { exp: true } })
      await expect(login(jwt), JSON.stringify(header)).rejects.toMatchObject(refused)
    }
    expect(issuer.asked).not.toContain('/evil')
  })

  test('changed after they were signed', async () => {
    const jwt = await issuer.sign()
    const [head = '', claims = '', signature = ''] = jwt.split('.')
    const others = [
      `${head}.${part({ ...body(), sub: 'admin' })}.${signature}`,
      `${part({ alg: 'RS512', kid: 'one', typ: 'JWT' })}.${claims}.${signature}`,
      `${head}.${claims}.${signature.slice(0, -4)}AAAA`,
      `${head}.${claims}`,
      `${head}.${claims}.${signature}.${signature}.x`,
      `${head}.${claims}.${signature} `,
      `${jwt}${'A'.repeat(16_384)}`,
      'not a jwt',
      '',
      '..',
      '{}',
    ]
    for (const other of others) await expect(login(other), other.slice(0, 80)).rejects.toMatchObject(refused)
    await login(jwt)
  })

  test('of the issuer, for something else', async () => {
    for (const typ of ['logout+jwt', 'secevent+jwt', 'dpop+jwt', 'at+jwt2', 7]) {
      await expect(login(await issuer.sign({}, { typ })), String(typ)).rejects.toMatchObject(refused)
    }
    for (const typ of ['JWT', 'jwt', 'at+jwt', undefined]) await login(await issuer.sign({}, { typ }))
  })

  test('of another issuer; its keys are not even asked for', async () => {
    for (const iss of ['https://evil.example', `${issuer.url}/`, issuer.url.toUpperCase(), '', undefined]) {
      const jwt = await issuer.sign({ iss } as { iss: string }, { kid: 'unknown' })
      issuer.asked.length = 0
      await expect(login(jwt), String(iss)).rejects.toMatchObject(refused)
      expect(issuer.asked).toEqual([])
    }
  })
})

test('the algorithms are those of the configuration', async () => {
  await configure({ supportedAlgs: ['ES256'] })
  await role()
  await expect(login(await issuer.sign())).rejects.toMatchObject(refused)
  await configure({ supportedAlgs: ['ES256', 'RS256'] })
  await login(await issuer.sign())
  for (const algorithm of ['HS256', 'none', 'RSA-OAEP', 'rs256']) {
    await expect(configure({ supportedAlgs: [algorithm] })).rejects.toMatchObject({
      message: `jwt_supported_algs: "${algorithm}" is not allowed: allowed are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA`,
    })
  }
})

describe('claims', () => {
  beforeEach(() => configure())

  /** Logs in by a role with a token with the claims: the policies, or why it was refused as the operator's log has it. */
  async function outcome(input: JwtRoleInput, claims: Record<string, unknown>): Promise<string> {
    await gateway.core.doors.jwt.delete(await mount(), 'ci')
    await role(input)
    logged.length = 0
    try {
      return (await login(await issuer.sign(claims))).row.displayName
    } catch (error) {
      expect(error).toMatchObject(refused)
      return String((logged[0]?.details as { why?: string } | undefined)?.why)
    }
  }
  const good = 'jwt-build-7'

  test('audience: missing, a list, or none bound', async () => {
    for (const [boundAudiences, aud, expected] of [
      [['keyferry'], 'keyferry', good],
      [['a', 'keyferry'], ['x', 'keyferry'], good],
      [['keyferry'], undefined, 'audience'],
      [['keyferry'], [], 'audience'],
      [['keyferry'], ['Keyferry', 'keyferry '], 'audience'],
      [['keyferry'], 'keyferry,other', 'audience'],
      [['keyferry'], ['keyferry2'], 'audience'],
      [[], undefined, good],
      [[], 'keyferry', 'audience'],
      [[], ['keyferry'], 'audience'],
      [['*'], 'keyferry', 'audience'],
    ] as const) {
      const input = { boundAudiences: [...boundAudiences], boundSubject: 'build-7' }
      expect(await outcome(input, { aud }), JSON.stringify([boundAudiences, aud])).toBe(expected)
    }
    // What is no string is nobody's audience, and jose refuses it already.
    await role()
    for (const aud of [17, { keyferry: true }, [['keyferry']], null]) {
      await expect(login(await issuer.sign({ aud } as never))).rejects.toMatchObject(refused)
    }
  })

  test('subject', async () => {
    expect(await outcome({ boundSubject: 'build-7' }, {})).toBe(good)
    for (const sub of ['build-70', 'Build-7', undefined]) {
      expect(await outcome({ boundSubject: 'build-7', userClaim: 'aud' }, { sub }), sub).toBe('subject')
    }
    expect(await outcome({ boundSubject: '*' }, {})).toBe('subject')
  })

  test('bound claims, exact or by pattern, in lists and by pointer', async () => {
    const cases: [Record<string, unknown>, string, Record<string, unknown>, string][] = [
      [{ ref: 'main' }, 'string', { ref: 'main' }, good],
      [{ ref: ['main', 'next'] }, 'string', { ref: 'next' }, good],
      [{ groups: 'dev' }, 'string', { groups: ['ops', 'dev'] }, good],
      [{ groups: ['a', 'dev'] }, 'string', { groups: ['ops', 'dev'] }, good],
      [{ n: '7' }, 'string', { n: 7 }, good],
      [{ ok: 'true' }, 'string', { ok: true }, good],
      [{ '/a/b~1c': 'x' }, 'string', { a: { 'b/c': 'x' } }, good],
      [{ ref: 'refs/*' }, 'glob', { ref: 'refs/heads/main' }, good],
      [{ ref: 'a*b*c' }, 'glob', { ref: 'abbc' }, good],
      [{ ref: 'main', env: 'prod' }, 'string', { ref: 'main', env: 'test' }, 'bound claims'],
      [{ ref: 'main' }, 'string', {}, 'bound claims'],
      [{ ref: 'main' }, 'string', { ref: null }, 'bound claims'],
      [{ ref: 'main' }, 'string', { ref: [] }, 'bound claims'],
      [{ ref: 'main' }, 'string', { ref: { main: 'main' } }, 'bound claims'],
      [{ ref: 'main' }, 'string', { ref: 'maint' }, 'bound claims'],
      [{ ref: 'refs/*' }, 'string', { ref: 'refs/heads/main' }, 'bound claims'],
      [{ ref: 'main' }, 'string', { ref: '*' }, 'bound claims'],
      [{ ref: 'main' }, 'glob', { ref: '*' }, 'bound claims'],
      [{ ref: 'ab*ba' }, 'glob', { ref: 'aba' }, 'bound claims'],
      [{ ref: 'refs/*' }, 'glob', { ref: 'x/refs/heads' }, 'bound claims'],
      [{ '/a/b': 'x' }, 'string', { '/a/b': 'x' }, 'bound claims'],
      [{ toString: 'x' }, 'string', {}, 'bound claims'],
      [{ '/constructor/name': 'Object' }, 'string', {}, 'bound claims'],
    ]
    for (const [boundClaims, type, claims, expected] of cases) {
      const input = { boundClaims, boundClaimsType: type }
      expect(await outcome(input, claims), JSON.stringify([boundClaims, claims])).toBe(expected)
    }
  })

  test('a pattern costs no more than the text is long', async () => {
    const started = performance.now()
    const pattern = `${'a*'.repeat(200)}b`
    expect(await outcome({ boundClaims: { x: pattern }, boundClaimsType: 'glob' }, { x: 'a'.repeat(8000) })).toBe(
      'bound claims',
    )
    expect(performance.now() - started).toBeLessThan(2_000)
  })

  test('the user must be a text', async () => {
    expect(await outcome({ userClaim: 'email' }, { email: 'x@example.org' })).toBe('jwt-x@example.org')
    expect(await outcome({ userClaim: '/u/id', userClaimJsonPointer: true }, { u: { id: 7 } })).toBe('jwt-7')
    for (const email of [undefined, '', null, [], ['x'], {}, 'a\nb', 'x'.repeat(513)]) {
      expect(await outcome({ userClaim: 'email' }, { email }), JSON.stringify(email)).toBe('user claim')
    }
    expect(await outcome({ claimMappings: { a: 'b' } }, { a: ['x'] })).toBe('claim mappings')
    expect(await outcome({ claimMappings: { a: 'b' } }, {})).toBe(good)
  })

  test('what means something in a policy means nothing in a claim', async () => {
    await role({ userClaim: 'who', claimMappings: { team: 'team', policies: 'policies' } })
    for (const text of ['*', '+', 'sys/*', 'root', '{{identity.entity.id}}', '../..', 'deploy,root']) {
      const { row } = await login(
        await issuer.sign({
          who: text,
          team: text,
          policies: text,
          scope: text,
          groups: [text],
          token_policies: [text],
        }),
      )
      expect(row.policies).toEqual(['default', 'deploy'])
      expect(row.meta).toEqual({ team: text, policies: text, role: 'ci' })
    }
  })

  test('addresses', async () => {
    await role({ token: { boundCidrs: ['10.0.0.0/8'] } })
    for (const address of [undefined, '11.0.0.1', '::1']) {
      await expect(login(await issuer.sign(), '', address)).rejects.toMatchObject(refused)
    }
    expect((await login(await issuer.sign(), '', '10.0.0.1')).row.boundCidrs).toEqual(['10.0.0.0/8'])
  })

  test('times, with leeways of never more than a minute', async () => {
    const now = Math.floor(Date.now() / 1000)
    for (const [input, claims, expected] of [
      [{}, { exp: now - 50 }, good],
      [{}, { exp: now - 61 }, 'time'],
      [{ clockSkewLeeway: -1 }, { exp: now - 5 }, 'time'],
      [{ clockSkewLeeway: -1, expirationLeeway: 60 }, { exp: now - 50 }, good],
      [{ expirationLeeway: 60 }, { exp: now - 65 }, 'time'],
      [{}, { nbf: now + 50 }, good],
      [{}, { nbf: now + 70 }, 'time'],
      [{ clockSkewLeeway: 1, notBeforeLeeway: 20 }, { nbf: now + 30 }, 'time'],
      [{}, { iat: now + 70 }, 'time'],
      [{}, { iat: undefined }, good],
    ] as const) {
      expect(await outcome(input, claims), JSON.stringify([input, claims])).toBe(expected)
    }
    await role()
    await expect(login(await issuer.sign({ exp: undefined } as never))).rejects.toMatchObject(refused)
    for (const exp of ['tomorrow', null, {}]) {
      const [head = ''] = (await issuer.sign()).split('.')
      const body = `${head}.${base64url.encode(JSON.stringify({ iss: issuer.url, sub: 'x', aud: 'keyferry', exp }))}`
      const signature = await crypto.subtle.sign('RSASSA-PKCS1-v1_5', issuer.signing.privateKey, Buffer.from(body))
      await expect(login(`${body}.${Buffer.from(signature).toString('base64url')}`), String(exp)).rejects.toMatchObject(
        refused,
      )
    }
  })
})

test('bad roles are refused in a sentence', async () => {
  await configure()
  for (const [input, message] of [
    [{ userClaim: '' }, 'a user claim must be defined on the role: user_claim'],
    [{ roleType: 'oidc' }, 'role_type: allowed is "jwt": a login through a browser ("oidc") is not offered'],
    [{ groupsClaim: 'groups' }, 'groups_claim is not offered: policies come from the role alone'],
    [{ boundAudiences: [] }, /^must have at least one bound constraint on the role: /],
    [{ boundAudiences: [''] }, /^bound_audiences: allowed are up to 64 values/],
    [{ boundClaimsType: 'regex' }, 'bound_claims_type: allowed are "string" or "glob"'],
    [{ boundClaims: { a: {} } }, /^bound_claims: "a": allowed are a string/],
    [{ boundClaims: { a: [] } }, /^bound_claims: "a": /],
    [{ boundClaims: { a: [null] } }, /^bound_claims: "a": /],
    [{ claimMappings: { a: 'role' } }, /^claim_mappings: metadata key "role" is reserved/],
    [{ claimMappings: { a: 'x', b: 'x' } }, 'claim_mappings: multiple keys are mapped to metadata key "x"'],
    [{ clockSkewLeeway: 61 }, 'clock_skew_leeway: allowed are up to 60 seconds'],
    [{ expirationLeeway: 150 }, 'expiration_leeway: allowed are up to 60 seconds'],
    [{ notBeforeLeeway: Number.NaN }, 'not_before_leeway: allowed are up to 60 seconds'],
    [{ token: { policies: ['root'] } }, 'token_policies: "root" cannot be given by a login'],
  ] as const) {
    await expect(role(structuredClone(input) as never), JSON.stringify(input)).rejects.toMatchObject({
      code: 'invalid',
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
  }
  expect(await gateway.core.doors.jwt.names(await mount())).toEqual([])
})

describe('issuers', () => {
  test('the discovery document must name the very issuer, and lead to keys', async () => {
    const document = (body: unknown) =>
      issuer.instead.set('/.well-known/openid-configuration', (_, response) => response.end(JSON.stringify(body)))
    for (const [body, message] of [
      [
        { issuer: 'https://other.example', jwks_uri: `${issuer.url}/jwks` },
        'its document names another issuer than this URL',
      ],
      [{ issuer: `${issuer.url}/`, jwks_uri: `${issuer.url}/jwks` }, 'its document names another issuer than this URL'],
      [{ jwks_uri: `${issuer.url}/jwks` }, 'its document names another issuer than this URL'],
      [[], 'its document names another issuer than this URL'],
      [{ issuer: issuer.url }, 'its document has no jwks_uri'],
      [
        { issuer: issuer.url, jwks_uri: 'http://localhost/jwks' },
        'it is not an https URL without user, password and fragment, of up to 2048 characters',
      ],
      [{ issuer: issuer.url, jwks_uri: 'https://169.254.169.254/jwks' }, /^it cannot be reached/],
      [{ issuer: issuer.url, jwks_uri: `https://127.0.0.1:${issuer.port}/jwks` }, /^it cannot be reached/],
    ] as const) {
      document(body)
      await expect(configure(), JSON.stringify(body)).rejects.toMatchObject({
        code: 'invalid',
        message:
          typeof message === 'string'
            ? `oidc_discovery_url: ${message}`
            : expect.stringContaining('it cannot be reached'),
      })
    }
    expect(gateway.core.doors.jwt.config(await mount())).toBeUndefined()
  })

  test('secret and private keys in a JWKS are none, and too many are too many', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    for (const [keys, message] of [
      [[{ kty: 'oct', k: 'c2VjcmV0' }], 'its JWKS has no public key for signatures'],
      [[privateKey.export({ format: 'jwk' })], 'its JWKS has no public key for signatures'],
      [[], 'its JWKS has no public key for signatures'],
      ['x', 'it is no JWKS of up to 100 keys'],
      [Array.from({ length: 101 }, () => publicKey.export({ format: 'jwk' })), 'it is no JWKS of up to 100 keys'],
    ] as const) {
      issuer.instead.set('/jwks', (_, response) => response.end(JSON.stringify({ keys })))
      await expect(configure()).rejects.toMatchObject({ message: `oidc_discovery_url: ${message}` })
    }
    issuer.instead.set('/jwks', (_, response) => response.end(`{"keys":[${'{},'.repeat(100_000)}{}]}`))
    await expect(configure()).rejects.toMatchObject({
      message: 'oidc_discovery_url: its answer is larger than 262144 bytes',
    })
  })

  test('a new key of the issuer is found; unknown ones do not make it be asked each time', async () => {
    await configure()
    await role()
    await login(await issuer.sign())
    const before = { signing: issuer.signing, jwks: issuer.jwks }
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
    issuer.jwks = { keys: [...issuer.jwks.keys, { ...(await exportJWK(publicKey)), kid: 'two', alg: 'RS256' }] }
    issuer.signing = { kid: 'two', privateKey }
    issuer.asked.length = 0
    const next = await issuer.sign()
    await expect(login(next)).rejects.toMatchObject(refused)
    expect(issuer.asked).toEqual([])
    skip = 11_000
    await login(next)
    const flood = await issuer.sign({}, { kid: 'three' })
    await Promise.allSettled(Array.from({ length: 20 }, () => login(flood)))
    expect(issuer.asked.filter((path) => path === '/jwks')).toHaveLength(1)
    issuer.signing = before.signing
    issuer.jwks = before.jwks
  })

  test('a withdrawn key is good for ten minutes at most; when the issuer is down nobody gets in, and it is not hammered', async () => {
    await configure()
    await role()
    const claims = { exp: Math.floor(Date.now() / 1000) + 3600 }
    const jwt = await issuer.sign(claims)
    await login(jwt)
    issuer.instead.set('/.well-known/openid-configuration', (_, response) => {
      response.writeHead(500).end()
    })
    skip = 10 * 60_000 - 2_000
    await login(jwt)
    skip = 10 * 60_000
    issuer.asked.length = 0
    for (let i = 0; i < 5; i++) await expect(login(jwt)).rejects.toMatchObject(refused)
    expect(issuer.asked).toHaveLength(1)
    expect(logged.at(-1)?.message).toBe("an issuer's keys cannot be read")
    issuer.instead.clear()
    skip += 10_000
    await login(jwt)
  })

  test('many first logins at once read the keys once', async () => {
    await configure()
    await role()
    issuer.asked.length = 0
    const jwt = await issuer.sign()
    await Promise.all(Array.from({ length: 32 }, () => login(jwt)))
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/jwks'])
  })

  test('keys of a JWKS, and keys by hand', async () => {
    await configure({
      oidcDiscoveryUrl: '',
      oidcDiscoveryCaPem: '',
      jwksUrl: `${issuer.url}/jwks`,
      jwksCaPem: issuer.ca,
    })
    await role()
    await login(await issuer.sign({ iss: 'https://anyone.example' }))
    await configure({
      oidcDiscoveryUrl: '',
      jwksUrl: `${issuer.url}/jwks`,
      jwksCaPem: issuer.ca,
      boundIssuer: 'https://me.example',
    })
    await login(await issuer.sign({ iss: 'https://me.example' }))
    await expect(login(await issuer.sign())).rejects.toMatchObject(refused)

    const ec = await generateKeyPair('ES256', { extractable: true })
    const ed = await generateKeyPair('EdDSA', { extractable: true })
    const other = await generateKeyPair('ES256', { extractable: true })
    const pems = [await exportSPKI(other.publicKey), await exportSPKI(ec.publicKey), await exportSPKI(ed.publicKey)]
    await configure({ oidcDiscoveryUrl: '', validationPubkeys: pems })
    const sign = async (alg: string, key: CryptoKey, header = {}) =>
      await new SignJWT({ sub: 'x', aud: 'keyferry' })
        .setProtectedHeader({ alg, ...header })
        .setExpirationTime('5m')
        .sign(key)
    await login(await sign('ES256', ec.privateKey, { kid: 'anything' }))
    await login(await sign('EdDSA', ed.privateKey))
    await expect(login(await issuer.sign())).rejects.toMatchObject(refused)
    await configure({ oidcDiscoveryUrl: '', validationPubkeys: pems.slice(0, 1) })
    await expect(login(await sign('ES256', ec.privateKey))).rejects.toMatchObject(refused)
  })

  test('bad configurations are refused in a sentence, and change nothing', async () => {
    await configure()
    const spki = await exportSPKI((await generateKeyPair('ES256', { extractable: true })).publicKey)
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' })
    const x25519 = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' })
    const pkcs8 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
    const one = "exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set"
    const none = { oidcDiscoveryUrl: '' }
    for (const [config, message] of [
      [none, one],
      [{ jwksUrl: 'https://example.org' }, one],
      [{ validationPubkeys: [spki] }, one],
      [{ oidcDiscoveryUrl: 'http://localhost' }, /^oidc_discovery_url: it is not an https URL/],
      [{ oidcDiscoveryUrl: 'https://localhost/?a=b' }, /^oidc_discovery_url: an issuer has no query/],
      [{ ...none, jwksUrl: 'ftp://x' }, /^jwks_url: it is not an https URL/],
      [{ oidcDiscoveryCaPem: 'x' }, 'oidc_discovery_ca_pem: allowed are PEM certificates: it does not parse'],
      [{ ...none, validationPubkeys: [String(pkcs8)] }, /^jwt_validation_pubkeys: allowed are PEM public keys/],
      [{ ...none, validationPubkeys: [`${spki}${pkcs8}`] }, /and no private keys$/],
      [
        { ...none, validationPubkeys: ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'] },
        /one does not parse$/,
      ],
      [{ ...none, validationPubkeys: [String(small)] }, /RSA with 2048 bits or more/],
      [{ ...none, validationPubkeys: [String(x25519)] }, /RSA with 2048 bits or more/],
      [
        { ...none, validationPubkeys: Array.from({ length: 21 }, () => spki) },
        'jwt_validation_pubkeys: allowed are up to 20',
      ],
      [{ oidcDiscoveryUrl: 'https://169.254.169.254' }, /^oidc_discovery_url: it cannot be reached/],
      [{ oidcDiscoveryUrl: 'https://[::1]' }, /^oidc_discovery_url: it cannot be reached/],
      [{ ...none, jwksUrl: 'https://10.0.0.1/jwks' }, /^jwks_url: it cannot be reached/],
    ] as const) {
      await expect(
        configure(structuredClone(config) as never),
        JSON.stringify(config).slice(0, 200),
      ).rejects.toMatchObject({
        code: 'invalid',
        message: typeof message === 'string' ? message : expect.stringMatching(message),
      })
    }
    expect(gateway.core.doors.jwt.config(await mount())?.oidcDiscoveryUrl).toBe(issuer.url)
    expect(JSON.stringify((await mount()).config)).not.toContain('PRIVATE')
  })
})
