import { createHash } from 'node:crypto'
import type { Context } from '../context.ts'
import { KeyferryError } from '../errors.ts'
import type { NamespaceRow, NamespaceStore, TokenRow, TokenStore } from '../store.ts'
import type { TokenSigner } from './signing.ts'

/** Who calls, once the token was found good: read-only facts of the record. */
export interface Caller {
  tokenId: string
  accessor: string
  namespaceId: string
  namespacePath: string
  type: TokenRow['type']
  displayName: string
  policies: readonly string[]
  meta: Readonly<Record<string, string>>
  orphan: boolean
  path: string
  createdAt: number
  /** ms since 1970; null: does not expire. */
  expiresAt: number | null
}

/** Ten years: the outer bound of tokens that have no end of their own. */
const longest = 10 * 365 * 24 * 3600
const kept = 10_000

export interface TokenServiceParts {
  context: Context
  store: { tokens: TokenStore; namespaces: NamespaceStore }
  signer: TokenSigner
}

/** Tokens: made, found good, looked up. */
export class TokenService {
  readonly #parts: TokenServiceParts
  /** SHA-256 of the string -> who it is: verified once, until something changes. */
  readonly #verified = new Map<string, Caller>()

  constructor(parts: TokenServiceParts) {
    this.#parts = parts
  }

  /** Forgets all that was verified: another process changed something, or a token was revoked. */
  forget(): void {
    this.#verified.clear()
  }

  /** Who the string belongs to. Throws `unauthenticated` when it is not a good token; the message does not say why. */
  async authenticate(token: string): Promise<Caller> {
    const digest = sha256(token)
    const known = this.#verified.get(digest)
    const caller = known ?? (await this.#verify(token, digest))
    if (!caller || (caller.expiresAt !== null && caller.expiresAt <= this.#parts.context.now())) {
      this.#verified.delete(digest)
      throw new KeyferryError('unauthenticated', 'permission denied')
    }
    if (!known) {
      if (this.#verified.size >= kept) this.#verified.clear()
      this.#verified.set(digest, caller)
    }
    return caller
  }

  /** The string of a token that has a record. */
  async sign(row: TokenRow): Promise<string> {
    const issuedAt = Math.floor(row.createdAt / 1000)
    return await this.#parts.signer.sign({
      tokenId: row.id,
      namespaceId: row.namespaceId,
      subject: row.displayName,
      policies: row.policies,
      issuedAt,
      expiresAt: row.expiresAt === null ? issuedAt + longest : Math.ceil(row.expiresAt / 1000),
    })
  }

  /** Dev mode only: makes `token`, any string, the one opaque root token. Only its hash is kept. */
  async useOpaqueRoot(token: string, root: NamespaceRow): Promise<void> {
    if (!/^[\x21-\x7e]{1,1024}$/.test(token)) {
      throw new KeyferryError(
        'invalid',
        'the dev root token is not possible: allowed are 1 to 1024 visible ASCII characters',
      )
    }
    const row = rootToken(this.#parts.context, root.id, 'dev root token')
    await this.#parts.store.tokens.replace(row.path, { ...row, digest: sha256(token) })
    this.forget()
  }

  async #verify(token: string, digest: string): Promise<Caller | undefined> {
    const { context, store, signer } = this.#parts
    const opaque = await store.tokens.byDigest(digest)
    const claims = opaque ? undefined : await signer.verify(token, context.now())
    const row = opaque ?? (claims ? await store.tokens.byId(claims.tokenId) : undefined)
    if (!row || (claims && (claims.namespaceId !== row.namespaceId || row.digest !== null))) return undefined
    const namespace = await store.namespaces.byId(row.namespaceId)
    if (!namespace) return undefined
    return {
      tokenId: row.id,
      accessor: row.accessor,
      namespaceId: namespace.id,
      namespacePath: namespace.path,
      type: row.type,
      displayName: row.displayName,
      policies: row.policies,
      meta: row.meta,
      orphan: row.parentId === null,
      path: row.path,
      createdAt: row.createdAt,
      expiresAt: row.expiresAt,
    }
  }
}

/** The record of a root token: no parent, no end. */
export function rootToken(context: Context, namespaceId: string, path: string): TokenRow {
  return {
    id: context.uuid(),
    namespaceId,
    accessor: context.randomHex(12),
    parentId: null,
    type: 'service',
    displayName: 'root',
    policies: ['root'],
    meta: {},
    path,
    role: '',
    renewable: false,
    creationTtl: 0,
    explicitMaxTtl: 0,
    period: 0,
    numUses: 0,
    boundCidrs: [],
    createdAt: context.now(),
    renewedAt: null,
    expiresAt: null,
    outerBound: context.now() + longest * 1000,
    digest: null,
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
