import { expect, test } from 'vitest'
import { configure, gateway, issuer, login, mount, openJwtDoor, refused, role } from './jwt-door.ts'

openJwtDoor()

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
