import { createHmac, createPublicKey } from 'node:crypto'
import { base64url, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { configure, issuer, login, openJwtDoor, refused, role } from './jwt-door.ts'

openJwtDoor()

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
