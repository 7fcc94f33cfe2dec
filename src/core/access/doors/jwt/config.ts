import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { invalid, oneOf } from '../../../errors.ts'
import { printable } from '../../../keys/types.ts'
import { checkDocumentUrl, DocumentError } from '../documents.ts'

/** Asymmetric only (RFC 8725 3.1): no key of these can be taken for a secret. */
export const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const

/** Where a mount's keys come from, one of three, and what holds for all its roles. '' is "not set". */
export interface JwtConfig {
  oidcDiscoveryUrl: string
  oidcDiscoveryCaPem: string
  jwksUrl: string
  jwksCaPem: string
  /** PEM. */
  validationPubkeys: string[]
  boundIssuer: string
  /** [] is all of `algorithms`. */
  supportedAlgs: string[]
  defaultRole: string
}

const noConfig: JwtConfig = {
  oidcDiscoveryUrl: '',
  oidcDiscoveryCaPem: '',
  jwksUrl: '',
  jwksCaPem: '',
  validationPubkeys: [],
  boundIssuer: '',
  supportedAlgs: [],
  defaultRole: '',
}

const mostKeys = 20
const longestPem = 64 * 1024

/** What a mount holds; undefined before it was configured. */
export function jwtConfigOf(config: Record<string, unknown>): JwtConfig | undefined {
  return Object.keys(config).length === 0 ? undefined : { ...noConfig, ...(config as Partial<JwtConfig>) }
}

/** Throws `invalid` naming the field; asks nobody. */
export function checkJwtConfig(input: Partial<JwtConfig>): JwtConfig {
  const config = { ...noConfig, ...input }
  const sources = [config.oidcDiscoveryUrl !== '', config.jwksUrl !== '', config.validationPubkeys.length > 0]
  if (sources.filter(Boolean).length !== 1) {
    throw invalid("exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set")
  }
  if (config.oidcDiscoveryUrl !== '') {
    const url = checkUrl('oidc_discovery_url', config.oidcDiscoveryUrl)
    if (url.search !== '') throw invalid('oidc_discovery_url: an issuer has no query (OpenID Connect Discovery 1.0)')
  }
  if (config.jwksUrl !== '') checkUrl('jwks_url', config.jwksUrl)
  checkCa('oidc_discovery_ca_pem', config.oidcDiscoveryCaPem)
  checkCa('jwks_ca_pem', config.jwksCaPem)
  if (config.validationPubkeys.length > mostKeys) throw invalid(`jwt_validation_pubkeys: allowed are up to ${mostKeys}`)
  for (const pem of config.validationPubkeys) publicKey(pem)
  for (const algorithm of config.supportedAlgs) {
    if (!algorithms.some((one) => one === algorithm)) {
      throw invalid(`jwt_supported_algs: "${printable(algorithm)}" is not allowed: allowed are ${oneOf(algorithms)}`)
    }
  }
  for (const [field, value] of [
    ['bound_issuer', config.boundIssuer],
    ['default_role', config.defaultRole],
  ] as const) {
    if (value.length > 1024) throw invalid(`${field}: allowed are up to 1024 characters`)
  }
  return config
}

/** A public key of a PEM, or of a certificate. Throws `invalid` for a private key above all, and for what no algorithm here is for. */
export function publicKey(pem: string): KeyObject {
  const rule = 'jwt_validation_pubkeys: allowed are PEM public keys (or certificates)'
  if (pem.length > longestPem || !/^\s*-----BEGIN (?:RSA )?(?:PUBLIC KEY|CERTIFICATE)-----/.test(pem)) {
    throw invalid(`${rule}, each from its BEGIN line on`)
  }
  if (pem.includes('PRIVATE KEY')) throw invalid(`${rule}, and no private keys`)
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch {
    throw invalid(`${rule}: one does not parse`)
  }
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  const good =
    (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) ||
    (key.asymmetricKeyType === 'ec' && ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve)) ||
    key.asymmetricKeyType === 'ed25519'
  if (!good) throw invalid(`${rule} of RSA with 2048 bits or more, of P-256, P-384 or P-521, or of Ed25519`)
  return key
}

function checkUrl(field: string, text: string): URL {
  try {
    return checkDocumentUrl(text)
  } catch (error) {
    if (error instanceof DocumentError) throw invalid(`${field}: ${error.message}`)
    throw error
  }
}

function checkCa(field: string, pem: string): void {
  if (pem === '') return
  if (pem.length > longestPem || pem.includes('PRIVATE KEY')) throw invalid(`${field}: allowed are PEM certificates`)
  try {
    new X509Certificate(pem)
  } catch {
    throw invalid(`${field}: allowed are PEM certificates: it does not parse`)
  }
}
