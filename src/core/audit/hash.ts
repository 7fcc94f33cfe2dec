import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'

const prefix = 'hmac-sha256:'

/**
 * Hashes values for the audit log, as Vault does: HMAC-SHA256 under a salt of the namespace, so that a value can be looked for
 * (`sys/audit-hash`) but not read, and equal values of two tenants look different.
 */
export class AuditHasher {
  readonly #key: Buffer
  readonly #salts = new Map<string, KeyObject>()

  /** `key`: 32 secret bytes of the instance. */
  constructor(key: Buffer) {
    this.#key = key
  }

  /** `hmac-sha256:` and hex. */
  hash(namespaceId: string, value: string): string {
    return prefix + createHmac('sha256', this.#salt(namespaceId)).update(value).digest('hex')
  }

  /**
   * A copy in which every string is hashed, at any depth, and every name is kept; numbers and booleans stay, as in Vault. `plain`
   * names the fields whose values are no secrets and stay readable.
   */
  hashAll(namespaceId: string, value: unknown, plain: ReadonlySet<string> = none, field = ''): unknown {
    if (typeof value === 'string') return plain.has(field) ? value : this.hash(namespaceId, value)
    if (Array.isArray(value)) return value.map((item) => this.hashAll(namespaceId, item, plain, field))
    if (value === null || typeof value !== 'object') return value
    const copy: Record<string, unknown> = {}
    for (const [name, item] of Object.entries(value)) copy[name] = this.hashAll(namespaceId, item, plain, name)
    return copy
  }

  #salt(namespaceId: string): KeyObject {
    const known = this.#salts.get(namespaceId)
    if (known) return known
    if (this.#salts.size >= 10_000) this.#salts.clear()
    const salt = createSecretKey(createHmac('sha256', this.#key).update(`audit salt:${namespaceId}`).digest())
    this.#salts.set(namespaceId, salt)
    return salt
  }
}

const none: ReadonlySet<string> = new Set()
