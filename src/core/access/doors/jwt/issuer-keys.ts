import { createLocalJWKSet, exportJWK, type JWK, type JWTVerifyGetKey } from 'jose'
import type { Context } from '../../../context.ts'
import type { AuthMountRow } from '../../../store.ts'
import { DocumentError, type FetchDocument } from '../documents.ts'
import { type JwtConfig, publicKey } from './config.ts'

/** The keys that an issuer signs with. */
export interface IssuerKeys {
  find: JWTVerifyGetKey
  /** Whether a key of this id is among them, as far as is known. */
  has(kid: string | undefined): boolean
}

interface Entry {
  source: string
  keys: IssuerKeys | undefined
  /** ms since 1970: of the keys, and of the last try. */
  fetchedAt: number
  triedAt: number
  underWay: Promise<IssuerKeys> | undefined
}

/** Keys are read again after this long, in ms: what the issuer has withdrawn is good no longer. Without an answer nobody gets in. */
const maxAgeMs = 10 * 60_000
/** The least time between two reads: an unknown key id, or an issuer that is down, is no way to make us hammer it. */
const coolDownMs = 10_000
const mostKeys = 100
const kept = 1_000
const mostUnderWay = 4

/** Reads and remembers the keys of the issuers that mounts are configured for. */
export class IssuerKeyCache {
  readonly #context: Context
  readonly #fetch: FetchDocument
  /** mount id -> what is known. */
  readonly #known = new Map<string, Entry>()
  /** namespace id -> reads under way: a tenant whose issuers are slow takes no more than its part. */
  readonly #underWay = new Map<string, number>()

  constructor(context: Context, fetch: FetchDocument) {
    this.#context = context
    this.#fetch = fetch
  }

  forget(mountId: string): void {
    this.#known.delete(mountId)
  }

  /** The keys of a mount, among them (where the issuer has it) `kid`. Throws `DocumentError` when they cannot be had now. */
  async get(mount: AuthMountRow, config: JwtConfig, kid: string | undefined): Promise<IssuerKeys> {
    const entry = this.#entry(mount.id, sourceOf(config))
    const now = this.#context.now()
    const fresh = entry.keys !== undefined && (isStatic(config) || now - entry.fetchedAt < maxAgeMs)
    if (entry.keys && fresh && (isStatic(config) || entry.keys.has(kid))) return entry.keys
    if (entry.underWay) return await entry.underWay
    if (now - entry.triedAt < coolDownMs) {
      if (entry.keys && fresh) return entry.keys
      throw new DocumentError("the issuer's keys could not be read a moment ago")
    }
    entry.triedAt = now
    entry.underWay = this.#read(mount.namespaceId, config)
    try {
      entry.keys = await entry.underWay
      entry.fetchedAt = now
      return entry.keys
    } finally {
      entry.underWay = undefined
    }
  }

  /** Reads the keys without remembering them: to see whether a configuration works. Throws `DocumentError`. */
  async check(namespaceId: string, config: JwtConfig): Promise<void> {
    await this.#read(namespaceId, config)
  }

  #entry(mountId: string, source: string): Entry {
    const known = this.#known.get(mountId)
    if (known?.source === source) return known
    const entry: Entry = {
      source,
      keys: undefined,
      fetchedAt: 0,
      triedAt: Number.NEGATIVE_INFINITY,
      underWay: undefined,
    }
    this.#known.delete(mountId)
    const oldest = this.#known.size >= kept ? this.#known.keys().next().value : undefined
    if (oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(mountId, entry)
    return entry
  }

  async #read(namespaceId: string, config: JwtConfig): Promise<IssuerKeys> {
    if (isStatic(config)) return await staticKeys(config.validationPubkeys)
    const count = this.#underWay.get(namespaceId) ?? 0
    if (count >= mostUnderWay) throw new DocumentError('too many issuers of this namespace are being read')
    this.#underWay.set(namespaceId, count + 1)
    try {
      return config.jwksUrl === ''
        ? await this.#discovered(config)
        : keySet(await this.#fetch(config.jwksUrl, ca(config.jwksCaPem)))
    } finally {
      const left = (this.#underWay.get(namespaceId) ?? 1) - 1
      if (left === 0) this.#underWay.delete(namespaceId)
      else this.#underWay.set(namespaceId, left)
    }
  }

  /** OpenID Connect Discovery 1.0: the document must name the very issuer that it was asked for, character by character. */
  async #discovered({ oidcDiscoveryUrl, oidcDiscoveryCaPem }: JwtConfig): Promise<IssuerKeys> {
    const authority = ca(oidcDiscoveryCaPem)
    const where = `${oidcDiscoveryUrl.replace(/\/$/, '')}/.well-known/openid-configuration`
    const document = await this.#fetch(where, authority)
    const { issuer, jwks_uri } = isObject(document) ? document : {}
    if (issuer !== oidcDiscoveryUrl) throw new DocumentError('its document names another issuer than this URL')
    if (typeof jwks_uri !== 'string') throw new DocumentError('its document has no jwks_uri')
    return keySet(await this.#fetch(jwks_uri, authority))
  }
}

function isStatic(config: JwtConfig): boolean {
  return config.validationPubkeys.length > 0
}

function sourceOf(config: JwtConfig): string {
  const { oidcDiscoveryUrl, oidcDiscoveryCaPem, jwksUrl, jwksCaPem, validationPubkeys } = config
  return JSON.stringify([oidcDiscoveryUrl, oidcDiscoveryCaPem, jwksUrl, jwksCaPem, validationPubkeys])
}

function ca(pem: string): { ca?: string } {
  return pem === '' ? {} : { ca: pem }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Keys of a JWKS that are public and for signing: a secret (`oct`) or private one among them is none. */
function keySet(document: unknown): IssuerKeys {
  const all = isObject(document) && Array.isArray(document.keys) ? document.keys : undefined
  if (!all || all.length > mostKeys) throw new DocumentError(`it is no JWKS of up to ${mostKeys} keys`)
  const keys = all.filter(
    (key): key is JWK => isObject(key) && ['RSA', 'EC', 'OKP'].includes(String(key.kty)) && !('d' in key),
  )
  if (keys.length === 0) throw new DocumentError('its JWKS has no public key for signatures')
  const find = createLocalJWKSet({ keys })
  return { find, has: (kid) => kid === undefined || keys.some((key) => key.kid === kid) }
}

/** Keys by hand have no ids: the one in a token says nothing about them. */
async function staticKeys(pems: readonly string[]): Promise<IssuerKeys> {
  const keys = await Promise.all(pems.map(async (pem) => await exportJWK(publicKey(pem))))
  const find = createLocalJWKSet({ keys })
  return { find: async ({ kid: _, ...header }, token) => await find(header, token), has: () => true }
}
