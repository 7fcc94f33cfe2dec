import { base64url } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import type { JwtRoleInput } from '../../../../src/core/access/doors/jwt/role.ts'
import { configure, gateway, issuer, logged, login, mount, openJwtDoor, refused, role } from './jwt-door.ts'

openJwtDoor()

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
