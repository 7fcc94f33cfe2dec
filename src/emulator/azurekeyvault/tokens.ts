import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** What a token says. `resource` is the audience without a final slash; `expires` is in ms of the emulator's clock. */
export interface TokenClaims {
  readonly tenantId: string
  readonly clientId: string
  readonly objectId: string
  readonly resource: string
  readonly expires: number
}

/**
 * Issues and opens access tokens. A token is its claims sealed with AES-256-GCM under a key that lives as long as the emulator: opaque to
 * everybody else, as clients should treat tokens, and nothing needs to be kept for it.
 */
export class TokenIssuer {
  readonly #key = randomBytes(32)

  /** A token for `claims`, good until `claims.expires`. */
  issue(claims: TokenClaims): string {
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv)
    const sealed = Buffer.concat([cipher.update(JSON.stringify(claims), 'utf8'), cipher.final()])
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')
  }

  /** The claims of a token that this emulator issued, expired or not; `undefined` for anything else. */
  open(token: string): TokenClaims | undefined {
    const bytes = Buffer.from(token, 'base64url')
    if (bytes.length < 29) return undefined
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, 12), { authTagLength: 16 })
      decipher.setAuthTag(bytes.subarray(12, 28))
      const text = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
      return JSON.parse(text) as TokenClaims
    } catch {
      return undefined
    }
  }
}
