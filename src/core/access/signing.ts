import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createLocalJWKSet, errors, type JWK, jwtVerify, SignJWT } from 'jose'
import { KeyferryError } from '../errors.ts'
import type { Sealer } from '../seal/keyring.ts'
import type { Awaitable, SigningKeyRow } from '../store.ts'

/** The one algorithm of our tokens (RFC 8725: a fixed list, here of one). */
export const signingAlgorithm = 'ES256'
/** RFC 9068. */
const type = 'at+jwt'
/** A longer string is no token of ours: refused before any work. */
export const mostCharacters = 8_192
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
      algorithm: signingAlgorithm,
      publicJwk: { kty: `${kty}`, crv: `${crv}`, x: `${x}`, y: `${y}`, kid, alg: signingAlgorithm, use: 'sig' },
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
  readonly #sealer: Sealer
  readonly #load: (() => Awaitable<readonly SigningKeyRow[]>) | undefined
  /** Those that sign, now or later, the oldest first. */
  #signing: { kid: string; retiredAt: number; privateKey: KeyObject }[] = []
  #keys: ReturnType<typeof createLocalJWKSet> = createLocalJWKSet({ keys: [] })
  #known = ''
  #stale = false

  /** `rows`: the newest key first; all verify. `load`: reads them anew after `forget`. */
  constructor(
    issuer: string,
    rows: readonly SigningKeyRow[],
    sealer: Sealer,
    load?: () => Awaitable<readonly SigningKeyRow[]>,
  ) {
    this.#issuer = issuer
    this.#sealer = sealer
    this.#load = load
    this.#use(rows)
  }

  /** The keys may have changed: they are read again before the next use. */
  forget(): void {
    this.#stale = true
  }

  /** A signed token, in JWS compact form. Signed with the key that was in use when it was issued. */
  async sign(claims: TokenClaims): Promise<string> {
    if (this.#stale) await this.#reload()
    const key = this.#signing.find(({ retiredAt }) => retiredAt > claims.issuedAt * 1000)
    if (!key) throw new KeyferryError('corrupt', 'there is no key to sign tokens with')
    return await new SignJWT({
      ns: claims.namespaceId,
      policies: claims.policies,
      client_id: claims.subject,
      ...(claims.batch ? { batch: claims.batch } : {}),
    })
      .setProtectedHeader({ alg: signingAlgorithm, typ: type, kid: key.kid })
      .setIssuer(this.#issuer)
      .setAudience(this.#issuer)
      .setSubject(claims.subject)
      .setJti(claims.tokenId)
      .setIssuedAt(claims.issuedAt)
      .setExpirationTime(claims.expiresAt)
      .sign(key.privateKey)
  }

  /** What the string says, or undefined when it is not a good token of ours. `now`: ms since 1970. */
  async verify(token: string, now: number): Promise<TokenClaims | undefined> {
    if (token.length > mostCharacters) return undefined
    if (this.#stale) await this.#reload()
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        algorithms: [signingAlgorithm],
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

  async #reload(): Promise<void> {
    this.#stale = false
    try {
      if (this.#load) this.#use(await this.#load())
    } catch (error) {
      this.#stale = true
      throw error
    }
  }

  #use(rows: readonly SigningKeyRow[]): void {
    const known = JSON.stringify(rows.map(({ kid, retiredAt }) => [kid, retiredAt]))
    if (known === this.#known) return
    const signing = rows.filter((row) => row.retiredAt === null || row.retiredAt > (rows[0]?.createdAt ?? 0))
    this.#signing = signing.toReversed().map((row) => ({
      kid: row.kid,
      retiredAt: row.retiredAt ?? Number.POSITIVE_INFINITY,
      privateKey: this.#open(row),
    }))
    if (this.#signing.length === 0) throw new KeyferryError('corrupt', 'there is no key to sign tokens with')
    this.#keys = createLocalJWKSet({ keys: rows.map((row) => row.publicJwk as unknown as JWK) })
    this.#known = known
  }

  #open({ kid, box }: SigningKeyRow): KeyObject {
    const pkcs8 = this.#sealer.open(signingKeyBinding(kid), box)
    try {
      return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    } finally {
      pkcs8.fill(0)
    }
  }
}
