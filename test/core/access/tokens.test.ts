import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Keyring } from '../../../src/core/seal/keyring.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'

let gateway: TestCore
let late = 0
/** The gateway's own signing key: every token below is signed as well as can be, but for what is tried. */
let signingKey: KeyObject
let header: Record<string, unknown>
let claims: Record<string, unknown>

const encode = (part: object | string) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
const decode = (part: string | undefined) => JSON.parse(Buffer.from(part ?? '', 'base64url').toString())
const es256 = (input: string, key = signingKey) =>
  sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')

interface Changes {
  header?: object | string
  claims?: object | string
  signature?: (input: string) => string
}
/** A good token with these parts changed; a text takes the place of the whole part. */
function forge(changes: Changes): string {
  const part = (good: object, change: object | string = {}) =>
    encode(typeof change === 'string' ? change : { ...good, ...change })
  const input = `${part(header, changes.header)}.${part(claims, changes.claims)}`
  return `${input}.${(changes.signature ?? es256)(input)}`
}
const authenticate = (token: string) => gateway.core.authenticator.authenticate(token)
const refused = (token: string) =>
  expect(authenticate(token)).rejects.toEqual(
    expect.objectContaining({ code: 'unauthenticated', message: 'permission denied' }),
  )

beforeAll(async () => {
  gateway = await testCore({ context: { now: () => Date.now() + late } })
  const { store, rootKey, rootToken } = gateway
  const [first, second] = rootToken.split('.')
  header = decode(first)
  claims = decode(second)
  const [row] = await store.tokens.signingKeys()
  if (!row) throw new Error('there is no signing key')
  const sealer = await new Keyring({ ...rootKey, key: Buffer.from(rootKey.key) }, store.namespaces).forNamespace('root')
  const key = sealer.open({ objectId: row.kid, version: 0, kind: 'token-signing-key' }, row.box)
  signingKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
})
afterAll(() => gateway.close())

describe('a token of ours', () => {
  it('is an access token of RFC 9068, of one algorithm', () => {
    const issuer = `urn:keyferry:${gateway.core.instanceId}`
    expect(header).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    expect(claims).toMatchObject({
      iss: issuer,
      aud: issuer,
      sub: 'root',
      ns: 'root',
      policies: ['root'],
      client_id: 'root',
    })
    expect(claims.jti).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('is good, the first time and from what is remembered, also when it is made up here', async () => {
    for (let time = 0; time < 2; time++)
      expect(await authenticate(gateway.rootToken)).toMatchObject({ token: { id: claims.jti, policies: ['root'] } })
    expect(await authenticate(forge({}))).toMatchObject({ token: { id: claims.jti } })
  })
})

describe('another one', () => {
  const publicPem = () => createPublicKey(signingKey).export({ type: 'spki', format: 'pem' })
  const hmac = (input: string) => createHmac('sha256', publicPem()).update(input).digest('base64url')
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const jwk = () => createPublicKey(stranger).export({ format: 'jwk' })

  it.each<[string, () => Changes]>([
    ['no algorithm', () => ({ header: { alg: 'none' }, signature: () => '' })],
    ['no algorithm, signed all the same', () => ({ header: { alg: 'none' } })],
    ['"None"', () => ({ header: { alg: 'None' }, signature: () => '' })],
    ['HMAC with the public key as its secret', () => ({ header: { alg: 'HS256' }, signature: hmac })],
    ['HMAC called ES256', () => ({ signature: hmac })],
    ['another algorithm of the same key', () => ({ header: { alg: 'ES384' } })],
    ['RSA', () => ({ header: { alg: 'RS256' } })],
    ['a list of algorithms', () => ({ header: { alg: ['ES256'] } })],
    ['another key', () => ({ signature: (input) => es256(input, stranger) })],
    [
      'another key that it brings along',
      () => ({ header: { jwk: jwk() }, signature: (input) => es256(input, stranger) }),
    ],
    [
      'another key, found where it says',
      () => ({
        header: { jku: 'https://example.com/jwks.json', x5u: 'https://example.com/' },
        signature: (input) => es256(input, stranger),
      }),
    ],
    ['a key id that is not ours', () => ({ header: { kid: 'somebody' } })],
    ['a key id that is a path', () => ({ header: { kid: '../../../dev/null' } })],
    ['a key id that is SQL', () => ({ header: { kid: "' OR 1=1 --" } })],
    ['a key id of Object', () => ({ header: { kid: '__proto__' } })],
    ['a key id that is no text', () => ({ header: { kid: 1 } })],
    ['an empty signature', () => ({ signature: () => '' })],
    ['a signature of zeroes', () => ({ signature: () => Buffer.alloc(64).toString('base64url') })],
    [
      'a signature in DER',
      () => ({ signature: (input) => sign('sha256', Buffer.from(input), signingKey).toString('base64url') }),
    ],
    ['the type JWT', () => ({ header: { typ: 'JWT' } })],
    ['no type', () => ({ header: { typ: undefined } })],
    ['a critical extension', () => ({ header: { crit: ['x'], x: 1 } })],
    ['an unencoded payload', () => ({ header: { b64: false, crit: ['b64'] } })],
    ['another issuer', () => ({ claims: { iss: 'urn:keyferry:other' } })],
    ['no issuer', () => ({ claims: { iss: undefined } })],
    ['a list of issuers', () => ({ claims: { iss: [claims.iss] } })],
    ['another audience', () => ({ claims: { aud: 'https://vault.azure.net' } })],
    ['no audience', () => ({ claims: { aud: undefined } })],
    ['an audience in a list', () => ({ claims: { aud: [claims.aud] } })],
    ['an audience among others', () => ({ claims: { aud: ['https://vault.azure.net', claims.aud] } })],
    ['an expiry in the past', () => ({ claims: { exp: Math.floor(Date.now() / 1000) - 3600 } })],
    ['no expiry', () => ({ claims: { exp: undefined } })],
    ['an expiry that is a text', () => ({ claims: { exp: '99999999999' } })],
    ['a beginning in the future', () => ({ claims: { nbf: Math.floor(Date.now() / 1000) + 3600 } })],
    ['no id', () => ({ claims: { jti: undefined } })],
    ['an id that has no record', () => ({ claims: { jti: '00000000-0000-4000-8000-000000000000' } })],
    ['another namespace than its record', () => ({ claims: { ns: 'somewhere' } })],
    ['no namespace', () => ({ claims: { ns: undefined } })],
    ['no policies', () => ({ claims: { policies: undefined } })],
    ['no subject', () => ({ claims: { sub: undefined } })],
    ['no time of issue', () => ({ claims: { iat: undefined } })],
    ['claims that are no object', () => ({ claims: '["root"]' })],
    ['claims that are no JSON', () => ({ claims: '{"iss":' })],
    ['a header that is no JSON', () => ({ header: 'null' })],
    ['more than 8 KiB', () => ({ claims: { more: 'x'.repeat(8_000) } })],
  ])('with %s is refused, and not told why', async (_, changes) => {
    await refused(forge(changes()))
  })

  it('with a claim twice is what its last one says, as for every reader of JSON', async () => {
    const good = JSON.stringify(claims)
    const first = (name: string, value: string) => good.replace('{', `{"${name}":"${value}",`)
    const last = (name: string, value: string) => good.replace(/}$/, `,"${name}":"${value}"}`)
    expect(await authenticate(forge({ claims: first('ns', 'somewhere') }))).toMatchObject({
      token: { namespaceId: 'root' },
    })
    await refused(forge({ claims: last('ns', 'somewhere') }))
    await refused(forge({ claims: last('jti', 'other') }))
  })

  it('says nothing of its rights: those are what its record says', async () => {
    const child = await gateway.core.tokens.create(
      await authenticate(gateway.rootToken),
      { id: 'root' },
      { policies: ['reader'] },
      { sudo: true, path: 'auth/token/create' },
    )
    const own = decode(child.token.split('.')[1])
    const { token } = await authenticate(forge({ claims: { ...own, policies: ['root'] } }))
    expect(token.policies).toEqual(child.row.policies)
    expect(token.policies).not.toContain('root')
  })

  it('that is no JWS in compact form is refused', async () => {
    const [first, second, third] = gateway.rootToken.split('.')
    for (const text of [
      '',
      '.',
      '..',
      'root',
      `${first}.${second}`,
      `${first}.${second}.`,
      `${first}.${second}.${third}.`,
      `${first}.${second}.${third}.${third}`,
      `.${second}.${third}`,
      `${first}..${third}`,
      ` ${gateway.rootToken}`,
      `${gateway.rootToken}A`,
      gateway.rootToken.slice(0, -1),
      JSON.stringify({ payload: second, protected: first, signature: third }),
      'x'.repeat(1_000_000),
      '\u0000',
      claims.jti as string,
    ]) {
      await refused(text)
    }
  })

  it('differs in a single character and is refused', async () => {
    const token = gateway.rootToken
    for (let index = 0; index < token.length - 1; index += 3) {
      const other = token[index] === 'A' ? 'B' : 'A'
      await refused(`${token.slice(0, index)}${other}${token.slice(index + 1)}`)
    }
  })
})

describe('a token that ends', () => {
  const make = (input: object) =>
    authenticate(gateway.rootToken).then((caller) =>
      gateway.core.tokens.create(
        caller,
        { id: 'root' },
        { policies: ['reader'], ...input },
        { sudo: true, path: 'auth/token/create' },
      ),
    )

  it('is good until its record says so, whatever its string says, and what is remembered ends with it', async () => {
    const { token } = await make({ ttl: 100 })
    await authenticate(token)
    late = 99_000
    await authenticate(token)
    late = 100_000
    await refused(token)
    late = 0
  })

  it('ends at once when it is revoked, with its children', async () => {
    const parent = await make({ policies: ['root'] })
    const child = await gateway.core.tokens.create(
      await authenticate(parent.token),
      { id: 'root' },
      { policies: ['reader'] },
      { sudo: true, path: 'auth/token/create' },
    )
    await authenticate(child.token)
    const many = Array.from({ length: 20 }, () => authenticate(child.token).catch(() => undefined))
    await gateway.core.tokens.revoke(parent.row)
    await Promise.all(many)
    await refused(parent.token)
    await refused(child.token)
  })
})

describe('the opaque root token of dev mode', () => {
  it('is any visible text, kept only as a hash, and only the last one is good', async () => {
    const { core, store } = gateway
    const root = await core.namespace('')
    if (!root) throw new Error('there is no root namespace')
    await core.tokens.useOpaqueRoot('canary-root', root)
    expect(await authenticate('canary-root')).toMatchObject({ token: { policies: ['root'] } })
    expect(JSON.stringify(await store.tokens.accessors('root'))).not.toContain('canary')
    await core.tokens.useOpaqueRoot('another', root)
    await refused('canary-root')
    await authenticate('another')
    for (const bad of ['', ' ', 'two words', 'ключ', 'a\n', 'x'.repeat(1025)]) {
      await expect(core.tokens.useOpaqueRoot(bad, root)).rejects.toEqual(
        expect.objectContaining({
          code: 'invalid',
          message: 'the dev root token is not possible: allowed are 1 to 1024 visible ASCII characters',
        }),
      )
    }
    await authenticate('another')
  })

  it('has a record that no signed string stands for', async () => {
    const { core, store } = gateway
    const root = await core.namespace('')
    if (!root) throw new Error('there is no root namespace')
    await core.tokens.useOpaqueRoot('opaque', root)
    const { token } = await authenticate('opaque')
    expect(await store.tokens.byId(token.id)).toBeDefined()
    await refused(forge({ claims: { jti: token.id } }))
    await refused(token.digest ?? '')
    await refused(token.accessor)
  })
})
