import type { Context } from '../context.ts'
import { invalid } from '../errors.ts'
import type { Keyring } from '../seal/keyring.ts'
import { sealedAgain } from '../seal/stale.ts'
import type { SigningKeyRow, TokenStore } from '../store.ts'
import { newSigningKey, signingAlgorithm, type TokenSigner } from './signing.ts'
import { outerBound } from './ttl.ts'

/** A key is published (RFC 7517) for so long before it signs: longer than readers may keep the document, which is five minutes. Ms. */
export const publishedBeforeMs = 10 * 60_000
const day = 24 * 3600_000

export interface SigningKeyParts {
  context: Context
  store: { tokens: TokenStore }
  keyring: Keyring
  signer: TokenSigner
}

/** A key that signs tokens. Times in ms since 1970. */
export interface SigningKeyView {
  kid: string
  algorithm: string
  createdAt: number
  /** When it stops to sign: it goes on to verify what it signed. Null: not known yet. */
  retiredAt: number | null
}

/** The keys that sign tokens: rotated with overlap, so that no token ends by it and no reader of the published keys is surprised. */
export class SigningKeyService {
  readonly #parts: SigningKeyParts

  constructor(parts: SigningKeyParts) {
    this.#parts = parts
  }

  /** The newest first. */
  async list(): Promise<SigningKeyView[]> {
    const rows: SigningKeyRow[] = await this.#parts.store.tokens.signingKeys()
    return rows.map(({ kid, algorithm, createdAt, retiredAt }) => ({ kid, algorithm, createdAt, retiredAt }))
  }

  /**
   * Makes a new key. It is published at once and signs ten minutes later, in every process; the one before it verifies until the last
   * token that it can have signed is over. Throws `invalid` while a rotation is under way.
   */
  async rotate(): Promise<SigningKeyView & { signsFrom: number }> {
    const { context, store, keyring, signer } = this.#parts
    const now = context.now()
    const signsFrom = now + publishedBeforeMs
    const kid = context.uuid()
    await sealedAgain(async () => {
      const row = newSigningKey(await keyring.forNamespace('root'), kid, now)
      await store.tokens.addSigningKey(row, signsFrom, (rows) => checkSettled(rows, now))
    })
    signer.forget()
    return { kid, algorithm: signingAlgorithm, createdAt: now, retiredAt: null, signsFrom }
  }

  /** Forgets keys whose last token must be over: a token lives for ten years at most, whatever renews it. Gives how many. */
  async prune(): Promise<number> {
    const { context, store, signer } = this.#parts
    const forgotten = await store.tokens.forgetSigningKeys(context.now() - outerBound * 1000 - day)
    if (forgotten > 0) signer.forget()
    return forgotten
  }
}

function checkSettled(rows: readonly SigningKeyRow[], now: number): void {
  const pending = rows.find(({ retiredAt }) => retiredAt !== null && retiredAt > now)?.retiredAt
  if (!pending) return
  const from = new Date(pending).toISOString()
  throw invalid(`the signing key was rotated just now: the new one signs from ${from} on`)
}
