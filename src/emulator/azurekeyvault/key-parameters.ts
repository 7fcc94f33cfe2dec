import { badParameter } from './errors.ts'
import type { KeyType } from './key-material.ts'

export type KeyOperation = 'encrypt' | 'decrypt' | 'sign' | 'verify' | 'wrapKey' | 'unwrapKey' | 'import'

/** What each family of keys can be asked to do; `import` belongs to key exchange keys (RSA-HSM) alone. */
const operationsByFamily: Readonly<Record<'RSA' | 'EC' | 'oct', readonly KeyOperation[]>> = {
  RSA: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
  EC: ['sign', 'verify'],
  oct: ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'],
}

export interface Attributes {
  enabled: boolean
  /** Seconds since 1970, as `exp`. */
  nbf?: number
  exp?: number
}

function allowedOperations(kty: KeyType): readonly KeyOperation[] {
  return operationsByFamily[kty.replace('-HSM', '') as 'RSA' | 'EC' | 'oct']
}

const quoted = (values: readonly unknown[]) => values.map((value) => `"${String(value)}"`).join(', ')

/**
 * Reads `key_ops`. Absent means everything that the type can do.
 *
 * @param importAllowed whether `["import"]` may be asked for: only when an RSA-HSM key is created
 * @throws {ServiceError} 400 for an operation that the type lacks, and for `import` together with another (BYOK specification: it is
 * mutually exclusive with all other operations)
 */
export function parseKeyOps(kty: KeyType, value: unknown, importAllowed: boolean): KeyOperation[] {
  const allowed = allowedOperations(kty)
  if (value === undefined || value === null) return [...allowed]
  if (!Array.isArray(value)) throw badParameter('Property "key_ops" must be an array of strings.')
  const unique = [...new Set<unknown>(value)]
  if (importAllowed && unique.includes('import')) {
    if (unique.length > 1) {
      throw badParameter(
        'Key operation "import" is mutually exclusive with all other key operations.',
        'KeyOperationsInvalid',
      )
    }
    return ['import']
  }
  const operations = allowed.filter((operation) => unique.includes(operation))
  if (operations.length !== unique.length) {
    const unsupported = unique.filter((operation) => !allowed.some((name) => name === operation))
    throw badParameter(
      `Unsupported key operation(s): ${quoted(unsupported)}. Supported values are ${quoted(allowed)}.`,
      'KeyOperationsInvalid',
    )
  }
  // As sent, since the service gives them back in that order.
  return unique as KeyOperation[]
}

/** The last second of the year 9999: later ones are no dates in .NET, which the service is written in. */
const lastSecond = 253_402_300_799

function parseTime(name: 'nbf' | 'exp', value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= lastSecond) return value
  throw badParameter(`Property "${name}" must be a whole number of seconds since 1970-01-01T00:00:00Z.`)
}

/**
 * Reads `attributes` over what is there already (for an update) or the defaults. Read-only members (created, recoveryLevel, …) are
 * ignored, as the service does with a bundle that is sent back to it.
 *
 * @throws {ServiceError} 400 for wrong types, `exp` not after `nbf`, and `exportable` or a release policy, which belong to Secure
 * Key Release: the emulator does not have it
 */
export function parseAttributes(body: Record<string, unknown>, before: Attributes = { enabled: true }): Attributes {
  const value = body.attributes ?? {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badParameter('Property "attributes" must be a JSON object.')
  }
  const given = value as Record<string, unknown>
  const exportable = given.exportable ?? false
  if (typeof exportable !== 'boolean') throw badParameter('Property "exportable" must be true or false.')
  const hasPolicy = body.release_policy !== undefined && body.release_policy !== null
  if (exportable && !hasPolicy) throw badParameter('Exportable keys must have release policy.')
  if (!exportable && hasPolicy) throw badParameter('Non-exportable keys must not have release policy.')
  if (hasPolicy) throw badParameter('The emulator does not support Secure Key Release: no release policy is accepted.')

  const enabled = given.enabled ?? before.enabled
  if (typeof enabled !== 'boolean') throw badParameter('Property "enabled" must be true or false.')
  const nbf = parseTime('nbf', given.nbf) ?? before.nbf
  const exp = parseTime('exp', given.exp) ?? before.exp
  if (nbf !== undefined && exp !== undefined && exp <= nbf) {
    throw badParameter('Property "exp" must be later than property "nbf".')
  }
  return { enabled, ...(nbf === undefined ? {} : { nbf }), ...(exp === undefined ? {} : { exp }) }
}

const maximumTags = 15
const maximumTagLength = 256

/**
 * Reads `tags`: at most 15, names and values of at most 256 characters (Azure: about keys, secrets and certificates).
 *
 * @returns `undefined` when the member is absent, which an update understands as "as before"
 * @throws {ServiceError} 400
 */
export function parseTags(value: unknown): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) throw badParameter('Property "tags" must be a JSON object.')
  const entries = Object.entries(value)
  if (entries.length > maximumTags) {
    throw badParameter(`A key can have at most ${maximumTags} tags, not ${entries.length}.`, 'TagsInvalid')
  }
  for (const [name, text] of entries) {
    if (typeof text !== 'string') throw badParameter(`The value of tag "${name}" must be a string.`, 'TagsInvalid')
    if (name.length === 0 || name.length > maximumTagLength || text.length > maximumTagLength) {
      throw badParameter(`Tag names and values have at most ${maximumTagLength} characters.`, 'TagsInvalid')
    }
  }
  return Object.fromEntries(entries)
}

/** @throws {ServiceError} 400 unless `name` has 1 to 127 of 0-9, a-z, A-Z and "-" */
export function checkName(name: string): string {
  if (/^[0-9a-zA-Z-]{1,127}$/.test(name)) return name
  throw badParameter(`The request URI contains an invalid name: ${name}`)
}
