import { generateKeyPairSync } from 'node:crypto'
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { clock, configure, gateway, issuer, logged, login, mount, openJwtDoor, refused, role } from './jwt-door.ts'

openJwtDoor()

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
    clock.skip = 11_000
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
    clock.skip = 10 * 60_000 - 2_000
    await login(jwt)
    clock.skip = 10 * 60_000
    issuer.asked.length = 0
    for (let i = 0; i < 5; i++) await expect(login(jwt)).rejects.toMatchObject(refused)
    expect(issuer.asked).toHaveLength(1)
    expect(logged.at(-1)?.message).toBe("an issuer's keys cannot be read")
    issuer.instead.clear()
    clock.skip += 10_000
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
