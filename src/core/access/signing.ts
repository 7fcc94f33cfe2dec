import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createLocalJWKSet, errors, type JWK, jwtVerify, SignJWT } from 'jose'
import { KeyferryError } from '../errors.ts'
import type { Sealer } from '../seal/keyring.ts'
import type { SigningKeyRow } from '../store.ts'

/** The one algorithm of our tokens (RFC 8725: a fixed list, here of one). */
const algorithm = 'ES256'
/** RFC 9068. */
const type = 'at+jwt'
/** A longer string is no token of ours: refused before any work. */
const mostCharacters = 8_192
/** RFC 8725: tolerated difference of clocks, in seconds. */
const clockTolerance = 60

/** What a token says. The record in the store decides; `exp` is only the outer bound of its life. */
export interface TokenClaims {
  tokenId: string
  namespaceId: string
  subject: string
  policies: string[]
  /** Seconds since 1970. */
  issuedAt: number
  expiresAt: number
  /** A batch token has no record: the rest of what it is. */
  batch?: { parentId: string | null; meta: Record<string, string>; path: string; role: string; boundCidrs: string[] }
}

/** A fresh signing key, its private half sealed in the root namespace. */
export function newSigningKey(sealer: Sealer, kid: string, createdAt: number): SigningKeyRow {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
  try {
    const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
    return {
      kid,
      algorithm,
      publicJwk: { kty: `${kty}`, crv: `${crv}`, x: `${x}`, y: `${y}`, kid, alg: algorithm, use: 'sig' },
      box: sealer.seal(signingKeyBinding(kid), pkcs8),
      createdAt,
      retiredAt: null,
    }
  } finally {
    pkcs8.fill(0)
  }
}

function signingKeyBinding(kid: string) {
  return { objectId: kid, version: 0, kind: 'token-signing-key' } as const
}

/** Signs and verifies tokens of one issuer with the keys in the store. */
export class TokenSigner {
  readonly #issuer: string
  readonly #kid: string
  readonly #privateKey: KeyObject
  readonly #keys: ReturnType<typeof createLocalJWKSet>

  /** `rows`: the newest key first, which signs; all verify. */
  constructor(issuer: string, rows: readonly SigningKeyRow[], sealer: Sealer) {
    const newest = rows[0]
    if (!newest) throw new KeyferryError('corrupt', 'there is no key to sign tokens with')
    const pkcs8 = sealer.open(signingKeyBinding(newest.kid), newest.box)
    try {
      this.#privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    } finally {
      pkcs8.fill(0)
    }
    this.#issuer = issuer
    this.#kid = newest.kid
    this.#keys = createLocalJWKSet({ keys: rows.map((row) => row.publicJwk as unknown as JWK) })
  }

  /** A signed token, in JWS compact form. */
  async sign(claims: TokenClaims): Promise<string> {
    return await new SignJWT({
      ns: claims.namespaceId,
      policies: claims.policies,
      client_id: claims.subject,
      ...(claims.batch ? { batch: claims.batch } : {}),
    })
      .setProtectedHeader({ alg: algorithm, typ: type, kid: this.#kid })
      .setIssuer(this.#issuer)
      .setAudience(this.#issuer)
      .setSubject(claims.subject)
      .setJti(claims.tokenId)
      .setIssuedAt(claims.issuedAt)
      .setExpirationTime(claims.expiresAt)
      .sign(this.#privateKey)
  }

  /** What the string says, or undefined when it is not a good token of ours. `now`: ms since 1970. */
  async verify(token: string, now: number): Promise<TokenClaims | undefined> {
    if (token.length > mostCharacters) return undefined
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        algorithms: [algorithm],
        typ: type,
        issuer: this.#issuer,
        audience: this.#issuer,
        requiredClaims: ['exp', 'iat', 'jti', 'sub', 'ns'],
        clockTolerance,
        currentDate: new Date(now),
      })
      const { aud, jti, sub, iat, exp, ns, policies, batch } = payload
      // Ours have one audience as a string, and nothing else is ours.
      if (typeof aud !== 'string' || jti === undefined || sub === undefined || iat === undefined || exp === undefined)
        return undefined
      if (typeof ns !== 'string' || !Array.isArray(policies)) return undefined
      return {
        tokenId: jti,
        namespaceId: ns,
        subject: sub,
        policies: policies as string[],
        issuedAt: iat,
        expiresAt: exp,
        ...(batch === undefined ? {} : { batch: batch as NonNullable<TokenClaims['batch']> }),
      }
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }
}
