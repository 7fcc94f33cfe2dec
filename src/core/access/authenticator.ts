import type { Context } from '../context.ts'
import { sha256 } from '../digest.ts'
import { KeyferryError } from '../errors.ts'
import type { NamespaceStore, TokenRow, TokenStore } from '../store.ts'
import { inCidrs } from './cidrs.ts'
import type { TokenClaims, TokenSigner } from './signing.ts'

/** Who calls, once the token was found good. */
export interface Caller {
  token: TokenRow
  namespacePath: string
  /** ms since 1970 until which the token, and every token above it, is good; null: no end. */
  goodUntil: number | null
}

export interface AuthenticatorParts {
  context: Context
  store: { tokens: TokenStore; namespaces: NamespaceStore }
  signer: TokenSigner
}

const kept = 10_000
/** A tree of tokens deeper than this is refused at creation. */
export const deepest = 64

/** Finds out who a token string belongs to. */
export class Authenticator {
  readonly #parts: AuthenticatorParts
  /** SHA-256 of the string -> who it is. Emptied whenever a token is revoked or renewed, or another process changed something. */
  readonly #verified = new Map<string, Caller>()
  #epoch = 0

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts
  }

  /** Forgets all that was verified. To be called after every change that may end a token. */
  forget(): void {
    this.#verified.clear()
    this.#epoch += 1
  }

  /**
   * Who the string belongs to. Throws `unauthenticated` when it is not a good token, or not from this address; the message does not
   * say why. A use of a token that has a number of them is taken.
   */
  async authenticate(token: string, remoteAddress?: string): Promise<Caller> {
    const digest = sha256(token)
    const known = this.#verified.get(digest)
    const caller = known ?? (await this.#verify(token, digest))
    const good =
      caller !== undefined &&
      (caller.goodUntil === null || caller.goodUntil > this.#parts.context.now()) &&
      (caller.token.boundCidrs.length === 0 || inCidrs(caller.token.boundCidrs, remoteAddress))
    if (!good) throw new KeyferryError('unauthenticated', 'permission denied')
    if (caller.token.numUses > 0) {
      const taken = await this.#parts.store.tokens.use(caller.token.id)
      if (!taken) throw new KeyferryError('unauthenticated', 'permission denied')
      if (caller.token.numUses === 1) this.forget()
    }
    return caller
  }

  /** The same without taking a use, and undefined instead of an error: for looking at other tokens. */
  async find(token: string): Promise<Caller | undefined> {
    const caller = await this.#verify(token, sha256(token))
    return caller && (caller.goodUntil === null || caller.goodUntil > this.#parts.context.now()) ? caller : undefined
  }

  /** Whether the token of a record is good: it, all above it and its namespace are there and have not ended. */
  async isGood(row: TokenRow): Promise<boolean> {
    const namespace = await this.#parts.store.namespaces.byId(row.namespaceId)
    const until = namespace?.deletedAt === null ? await this.#goodUntil(row) : undefined
    return until !== undefined && (until === null || until > this.#parts.context.now())
  }

  async #verify(token: string, digest: string): Promise<Caller | undefined> {
    const { context, store, signer } = this.#parts
    const epoch = this.#epoch
    const opaque = await store.tokens.byDigest(digest)
    const claims = opaque ? undefined : await signer.verify(token, context.now())
    const row = opaque ?? (claims ? await this.#row(claims) : undefined)
    if (!row || (claims && (claims.namespaceId !== row.namespaceId || row.digest !== null))) return undefined
    const namespace = await store.namespaces.byId(row.namespaceId)
    if (!namespace || namespace.deletedAt !== null) return undefined
    const goodUntil = await this.#goodUntil(row)
    if (goodUntil === undefined) return undefined
    const caller: Caller = { token: row, namespacePath: namespace.path, goodUntil }
    // What was revoked while this looked must not come back from the cache; and a use count is never cached.
    if (epoch === this.#epoch && row.numUses === 0) {
      if (this.#verified.size >= kept) this.#verified.clear()
      this.#verified.set(digest, caller)
    }
    return caller
  }

  /** The record of a service token; a batch token is what its string says. */
  async #row(claims: TokenClaims): Promise<TokenRow | undefined> {
    return claims.batch ? batchRow(claims) : await this.#parts.store.tokens.byId(claims.tokenId)
  }

  /** The earliest end of a token and all above it; undefined when one of those is gone. */
  async #goodUntil(row: TokenRow): Promise<number | null | undefined> {
    let until = row.expiresAt
    let parentId = row.parentId
    for (let depth = 0; parentId !== null; depth++) {
      const parent = depth < deepest ? await this.#parts.store.tokens.byId(parentId) : undefined
      if (!parent) return undefined
      if (parent.expiresAt !== null) until = until === null ? parent.expiresAt : Math.min(until, parent.expiresAt)
      parentId = parent.parentId
    }
    return until
  }
}

/** A batch token has no record: everything is in its string. */
function batchRow(claims: TokenClaims): TokenRow | undefined {
  if (!claims.batch) return undefined
  return {
    id: claims.tokenId,
    namespaceId: claims.namespaceId,
    accessor: '',
    parentId: claims.batch.parentId,
    type: 'batch',
    displayName: claims.subject,
    policies: claims.policies,
    meta: claims.batch.meta,
    path: claims.batch.path,
    role: claims.batch.role,
    renewable: false,
    creationTtl: claims.expiresAt - claims.issuedAt,
    explicitMaxTtl: 0,
    period: 0,
    numUses: 0,
    boundCidrs: claims.batch.boundCidrs,
    createdAt: claims.issuedAt * 1000,
    renewedAt: null,
    expiresAt: claims.expiresAt * 1000,
    outerBound: claims.expiresAt * 1000,
    digest: null,
  }
}
