import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import type { IssuerKeys } from './issuer-keys.ts'

/** A longer string is not looked at. */
export const longestJwt = 16_384
/** Types of JWTs that say who somebody is (RFC 8725 3.11): not, say, a logout token or a security event of the same issuer. */
const types = ['JWT', 'JOSE', 'AT+JWT', 'APPLICATION/AT+JWT', 'APPLICATION/JWT']
const mostTries = 16
/** Decoders overlook blanks; RFC 7515 does not. */
const compact = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** What a JWT says of itself, before anything is known to be true. */
export interface Unverified {
  algorithm: string
  kid: string | undefined
  issuer: unknown
}

/** Undefined for what is no JWT, or of a type that is not for this. */
export function peek(jwt: string): Unverified | undefined {
  if (jwt.length > longestJwt || !compact.test(jwt)) return undefined
  try {
    const { alg, kid, typ } = decodeProtectedHeader(jwt)
    if (typeof alg !== 'string' || (kid !== undefined && typeof kid !== 'string')) return undefined
    if (typ !== undefined && !(typeof typ === 'string' && types.includes(typ.toUpperCase()))) return undefined
    return { algorithm: alg, kid, issuer: decodeJwt(jwt).iss }
  } catch {
    return undefined
  }
}

/**
 * The claims of a JWT whose signature is by one of the keys. Only keys that are configured are ever used: what a token brings along
 * (`jwk`, `jku`, `x5c`) is not looked at, and its `kid` only picks among them. Times are the caller's to check.
 */
export async function verifySignature(
  jwt: string,
  keys: IssuerKeys,
  algorithms: readonly string[],
): Promise<JWTPayload | undefined> {
  // The epoch as "now", with tolerance for all there is: times are measured elsewhere, with the leeways of the role.
  const options = { algorithms: [...algorithms], clockTolerance: Number.MAX_SAFE_INTEGER, requiredClaims: ['exp'] }
  try {
    return (await jwtVerify(jwt, keys.find, options)).payload
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return await tryEach(jwt, error, options)
    if (isRefusal(error)) return undefined
    throw error
  }
}

/** A token without a key id, of an issuer with several keys. */
async function tryEach(
  jwt: string,
  candidates: errors.JWKSMultipleMatchingKeys,
  options: Parameters<typeof jwtVerify>[2],
): Promise<JWTPayload | undefined> {
  let tries = 0
  for await (const key of candidates) {
    tries += 1
    if (tries > mostTries) return undefined
    try {
      return (await jwtVerify(jwt, key, options)).payload
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }
  return undefined
}

/** jose's own refusals, and a key that does not do for the algorithm (too short, another curve). */
function isRefusal(error: unknown): boolean {
  return error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException
}
