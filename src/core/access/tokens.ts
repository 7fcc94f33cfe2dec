import type { Context } from '../context.ts'
import { sha256 } from '../digest.ts'
import { invalid, KeyferryError } from '../errors.ts'
import type { NamespaceRow, RoleStore, TokenRow, TokenStore } from '../store.ts'
import { type Authenticator, type Caller, deepest } from './authenticator.ts'
import { checkCidrs, withinCidrs } from './cidrs.ts'
import { mostCharacters, type TokenSigner } from './signing.ts'
import { newTokenRecord, rootToken, type TokenInput } from './token-records.ts'
import { childPolicies, type TokenRole, tokenRoleOf } from './token-roles.ts'
import { systemMaxTtl } from './ttl.ts'

export { checkUses, rootToken, type TokenInput } from './token-records.ts'

/** A token that was just made: the string is nowhere kept. */
export interface Issued {
  token: string
  row: TokenRow
  warnings: string[]
}

export interface TokenServiceParts {
  context: Context
  store: { tokens: TokenStore; roles: RoleStore }
  signer: TokenSigner
  authenticator: Authenticator
}

/** Tokens: made, looked up, renewed, revoked. Who may do what is decided before (policy.ts); what a child may have, here. */
export class TokenService {
  readonly #parts: TokenServiceParts

  constructor(parts: TokenServiceParts) {
    this.#parts = parts
  }

  /** The token roles: rows with `door: 'token'`. */
  get roles(): RoleStore {
    return this.#parts.store.roles
  }

  /**
   * Makes a child of the caller's token in `namespace`. `sudo`: the caller may go beyond its own policies and make orphans. `role`: by
   * a token role of the namespace. Throws `invalid` naming the field, `denied` for what only sudo may.
   */
  async create(
    caller: Caller,
    namespace: { id: string },
    input: TokenInput,
    how: { sudo: boolean; role?: string; path: string },
  ): Promise<Issued> {
    const parent = caller.token
    if (parent.type === 'batch') throw invalid('batch tokens cannot create more tokens')
    if (parent.numUses > 0) throw invalid('a token with a limited number of uses cannot create tokens')
    const role = how.role === undefined ? undefined : await this.#role(namespace.id, how.role)
    const elsewhere = namespace.id !== parent.namespaceId
    if (elsewhere && !how.sudo) {
      throw invalid('root or sudo privileges required to directly generate a token in a child namespace')
    }
    const orphan = role?.orphan === true || input.noParent === true
    if (input.noParent && !how.sudo && !role?.orphan) throw new KeyferryError('denied', 'permission denied')
    if ((input.period ?? 0) > 0 && !how.sudo) throw new KeyferryError('denied', 'permission denied')
    const policies = childPolicies({ policies: parent.policies, sudo: how.sudo, elsewhere }, input, role)
    const ends = input.ttl || input.period || input.explicitMaxTtl
    if (policies.includes('root') && parent.expiresAt !== null && !ends) {
      throw invalid('expiring root tokens cannot create non-expiring root tokens: give a ttl')
    }
    if (orphan) return await this.issue(namespace.id, null, policies, input, { role, path: how.path })
    await this.#checkDepth(parent)
    const boundCidrs = role ? input.boundCidrs : narrowed(parent.boundCidrs, input.boundCidrs)
    const child = { ...input, ...(boundCidrs ? { boundCidrs } : {}) }
    return await this.issue(namespace.id, parent.id, policies, child, { role, path: how.path })
  }

  /** Makes a token without asking what its maker may: for logins and `create`, which have checked. */
  async issue(
    namespaceId: string,
    parentId: string | null,
    policies: string[],
    input: TokenInput,
    how: { role?: TokenRole | undefined; path: string; displayName?: string },
  ): Promise<Issued> {
    const { context, store } = this.#parts
    const { row, warnings } = newTokenRecord(context, { namespaceId, parentId, policies, input, ...how })
    const token = await this.sign(row)
    if (token.length > mostCharacters) {
      throw invalid(
        `the token would be longer than ${mostCharacters} characters: ask for fewer policies or less metadata`,
      )
    }
    if (row.type === 'service') await store.tokens.create(row)
    return { token, row, warnings }
  }

  /** The string of a token. */
  async sign(row: TokenRow): Promise<string> {
    const batch = { parentId: row.parentId, meta: row.meta, path: row.path, role: row.role, boundCidrs: row.boundCidrs }
    return await this.#parts.signer.sign({
      tokenId: row.id,
      namespaceId: row.namespaceId,
      subject: row.displayName,
      policies: row.policies,
      issuedAt: Math.floor(row.createdAt / 1000),
      expiresAt: Math.ceil((row.type === 'batch' ? (row.expiresAt ?? row.outerBound) : row.outerBound) / 1000),
      ...(row.type === 'batch' ? { batch } : {}),
    })
  }

  /** The record of a token of the namespace, by string or accessor. Throws `denied` when there is none. */
  async lookup(namespaceId: string, by: { token: string } | { accessor: string }): Promise<TokenRow> {
    const { authenticator, store } = this.#parts
    const row =
      'token' in by
        ? (await authenticator.find(by.token))?.token
        : await store.tokens.byAccessor(namespaceId, by.accessor)
    const good = row?.namespaceId === namespaceId && ('token' in by || (await authenticator.isGood(row)))
    if (!good) throw new KeyferryError('denied', 'token' in by ? 'bad token' : 'invalid accessor')
    return row
  }

  async accessors(namespaceId: string): Promise<string[]> {
    return await this.#parts.store.tokens.accessors(namespaceId)
  }

  /**
   * Renews a token from now, by `increment` seconds (0: as it was made), never beyond its outer bound, explicit maximum or system
   * maximum. Gives the record as it is then. Throws `invalid` when it cannot be renewed, `denied` when it is gone.
   */
  async renew(row: TokenRow, increment: number): Promise<{ row: TokenRow; warnings: string[] }> {
    const { context, store, authenticator } = this.#parts
    const warnings: string[] = []
    try {
      const renewed = await store.tokens.renew(
        row.id,
        (now) => {
          if (!now.renewable || now.expiresAt === null) throw invalid('lease is not renewable')
          const time = context.now()
          if (now.expiresAt <= time) throw new KeyferryError('denied', 'bad token')
          const asked = now.period || increment || now.creationTtl
          const bound =
            now.period && !now.explicitMaxTtl
              ? now.outerBound
              : Math.min(now.outerBound, now.createdAt + (now.explicitMaxTtl || systemMaxTtl) * 1000)
          const until = Math.min(time + asked * 1000, bound)
          if (until < time + asked * 1000) {
            warnings.push(
              `TTL of "${asked}s" exceeded the effective max_ttl of "${Math.floor((until - time) / 1000)}s"; TTL value is capped accordingly`,
            )
          }
          return { expiresAt: until }
        },
        context.now(),
      )
      return { row: renewed, warnings }
    } catch (error) {
      // Revoked meanwhile: the same as if that had come first.
      if (error instanceof KeyferryError && error.code === 'not_found') throw new KeyferryError('denied', 'bad token')
      throw error
    } finally {
      authenticator.forget()
    }
  }

  /** Revokes a token, with its children or leaving them as orphans; at once in this process, and at their next request in others. */
  async revoke(row: TokenRow, children: 'revoke' | 'orphan' = 'revoke'): Promise<void> {
    if (row.type === 'batch')
      throw invalid('batch tokens cannot be revoked: they end by themselves, or with their parent')
    try {
      await this.#parts.store.tokens.revoke(row.id, children)
    } finally {
      this.#parts.authenticator.forget()
    }
  }

  /** Dev mode only: makes `token`, any string, the one opaque root token. Only its hash is kept. */
  async useOpaqueRoot(token: string, root: NamespaceRow): Promise<void> {
    if (!/^[\x21-\x7e]{1,1024}$/.test(token)) {
      throw invalid('the dev root token is not possible: allowed are 1 to 1024 visible ASCII characters')
    }
    const row = rootToken(this.#parts.context, root.id, 'dev root token')
    await this.#parts.store.tokens.replace(row.path, { ...row, digest: sha256(token) })
    this.#parts.authenticator.forget()
  }

  async #role(namespaceId: string, name: string): Promise<TokenRole> {
    const row = await this.#parts.store.roles.find(namespaceId, 'token', name)
    if (!row) throw invalid(`unknown role "${name}"`)
    return tokenRoleOf(row)
  }

  async #checkDepth(parent: TokenRow): Promise<void> {
    let depth = 1
    for (let id = parent.parentId; id !== null; depth++) {
      if (depth >= deepest - 1) throw invalid(`a tree of tokens can be ${deepest} deep: make an orphan instead`)
      id = (await this.#parts.store.tokens.byId(id))?.parentId ?? null
    }
  }
}

/** A child is bound to its parent's addresses (as in Vault), or to fewer where it asks for that. Throws `invalid` for others. */
function narrowed(parent: string[], asked: string[] | undefined): string[] {
  if (!asked?.length) return parent
  const isWithin = withinCidrs(parent)
  const beyond = checkCidrs('bound_cidrs', asked).find((one) => !isWithin(one))
  if (beyond === undefined) return asked
  throw invalid(`bound_cidrs: "${beyond}" is not within the addresses that the parent token is bound to`)
}
