import type { Context } from '../context.ts'
import { invalid, type KeyferryError } from '../errors.ts'
import type { Keyring } from '../seal/keyring.ts'
import type { WrappedRow, WrappedStore } from '../store.ts'
import type { TokenSigner } from './signing.ts'

/** What a caller gets in place of the answer (Vault's `wrap_info`). */
export interface WrapInfo {
  token: string
  accessor: string
  /** Seconds. */
  ttl: number
  createdAt: number
  creationPath: string
}

export interface WrappingParts {
  context: Context
  store: { wrapped: WrappedStore }
  keyring: Keyring
  signer: TokenSigner
}

/** Seconds. */
export const longestWrapTtl = 32 * 24 * 3600

/** Response wrapping: an answer is kept, sealed, and its one-time token given out instead. */
export class WrappingService {
  readonly #parts: WrappingParts

  constructor(parts: WrappingParts) {
    this.#parts = parts
  }

  /** Keeps the answer for `ttl` seconds. `creationPath`: the request that it answers, in full, without `/v1/`. */
  async wrap(namespaceId: string, creationPath: string, answer: string, ttl: number): Promise<WrapInfo> {
    const { context, store, keyring, signer } = this.#parts
    if (ttl < 1 || ttl > longestWrapTtl) throw invalid(`the wrap ttl: allowed are 1 to ${longestWrapTtl} seconds`)
    const now = context.now()
    const id = context.uuid()
    const sealer = await keyring.forNamespace(namespaceId)
    const plaintext = Buffer.from(answer)
    const row: WrappedRow = {
      id,
      namespaceId,
      accessor: context.randomHex(12),
      creationPath,
      box: sealer.seal({ objectId: id, version: 0, kind: 'wrapped-response' }, plaintext),
      ttl,
      createdAt: now,
      expiresAt: now + ttl * 1000,
    }
    plaintext.fill(0)
    await store.wrapped.create(row)
    const token = await signer.sign({
      tokenId: id,
      namespaceId,
      subject: 'response-wrapping',
      policies: ['response-wrapping'],
      issuedAt: Math.floor(now / 1000),
      expiresAt: Math.ceil(row.expiresAt / 1000),
    })
    return { token, accessor: row.accessor, ttl, createdAt: now, creationPath }
  }

  /** What a wrapping token is for, without using it up. Throws `invalid` when it is not (or no longer) one. */
  async lookup(token: string): Promise<WrappedRow> {
    const { context, store, signer } = this.#parts
    const claims = await signer.verify(token, context.now())
    const row = claims && (await store.wrapped.byId(claims.tokenId))
    if (!row || row.expiresAt <= context.now() || row.namespaceId !== claims.namespaceId) throw notValid()
    return row
  }

  /** The id of the namespace in which a string was once given out as a wrapping token, used up or not; undefined when it is none. */
  async namespaceOf(token: string): Promise<string | undefined> {
    const claims = await this.#parts.signer.verify(token, this.#parts.context.now())
    const isOne = claims?.subject === 'response-wrapping' && claims.policies.includes('response-wrapping')
    return isOne ? claims.namespaceId : undefined
  }

  /** The answer, once: whoever comes second gets `invalid`. */
  async unwrap(token: string): Promise<{ answer: string; row: WrappedRow }> {
    const { id } = await this.lookup(token)
    const row = await this.#parts.store.wrapped.take(id)
    if (!row) throw notValid()
    const sealer = await this.#parts.keyring.forNamespace(row.namespaceId)
    const plaintext = sealer.open({ objectId: id, version: 0, kind: 'wrapped-response' }, row.box)
    const answer = plaintext.toString()
    plaintext.fill(0)
    return { answer, row }
  }
}

function notValid(): KeyferryError {
  return invalid('wrapping token is not valid or does not exist')
}
