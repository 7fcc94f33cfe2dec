import { X509Certificate } from 'node:crypto'
import type { JSONWebKeySet, JWTPayload, JWTVerifyOptions } from 'jose'
import type { Principal } from './directory.ts'
import { DirectoryError } from './directory-error.ts'

/**
 * Client assertions: a JWT that the client signed with the key of a registered certificate, or one of a trusted issuer (workload identity
 * federation). The signature, issuer, subject, audience and expiry are really checked.
 */

const invalidAssertion = (code: string, message: string) => new DirectoryError(401, 'invalid_client', code, message)

/** The thumbprints of a certificate as JWT headers carry them: `x5t` (SHA-1) and `x5t#S256`. */
function thumbprints(certificate: X509Certificate): string[] {
  return [certificate.fingerprint, certificate.fingerprint256].map((hex) =>
    Buffer.from(hex.replaceAll(':', ''), 'hex').toString('base64url'),
  )
}

/**
 * Accepts an assertion of `principal`, or throws.
 *
 * @param now ms since 1970 by the clients' clock
 * @throws {DirectoryError} invalid_client: no such certificate or federated credential, wrong signature, audience or time
 */
export async function verifyClientAssertion(principal: Principal, assertion: string, now: number): Promise<void> {
  const jose = await import('jose')
  let header: { x5t?: unknown; 'x5t#S256'?: unknown }
  let claims: JWTPayload
  try {
    header = jose.decodeProtectedHeader(assertion) as typeof header
    claims = jose.decodeJwt(assertion)
  } catch {
    throw invalidAssertion('AADSTS50027', 'JWT token is invalid or malformed.')
  }
  const options: JWTVerifyOptions = {
    currentDate: new Date(now),
    clockTolerance: 300,
    requiredClaims: ['exp'],
    issuer: claims.iss ?? '',
    subject: claims.sub ?? '',
  }

  if (claims.iss === principal.clientId && claims.sub === principal.clientId) {
    const certificate = principal.certificates
      ?.map((pem) => new X509Certificate(pem))
      .find((entry) => thumbprints(entry).some((print) => print === header.x5t || print === header['x5t#S256']))
    if (certificate === undefined) {
      throw invalidAssertion(
        'AADSTS700027',
        'The certificate with identifier used to sign the client assertion is not registered on application.',
      )
    }
    const audiences = [claims.aud ?? []].flat()
    const tokenEndpoint = new RegExp(
      `^https://[^/]+/${escapeRegExp(principal.tenantId)}/(oauth2/v2\\.0/token|v2\\.0)$`,
      'i',
    )
    if (!audiences.some((audience) => tokenEndpoint.test(audience))) {
      throw invalidAssertion('AADSTS700023', 'Client assertion audience claim does not match Realm issuer.')
    }
    await verified(() =>
      jose.jwtVerify(assertion, certificate.publicKey, { ...options, algorithms: ['RS256', 'PS256'] }),
    )
    return
  }

  const credential = principal.federatedCredentials?.find(
    ({ issuer, subject }) => issuer === claims.iss && subject === claims.sub,
  )
  if (credential === undefined) {
    throw invalidAssertion(
      'AADSTS700213',
      `No matching federated identity record found for presented assertion subject '${claims.sub ?? ''}'.`,
    )
  }
  const keySet = jose.createLocalJWKSet(credential.jwks as JSONWebKeySet)
  await verified(() =>
    jose.jwtVerify(assertion, keySet, {
      ...options,
      audience: credential.audience,
      algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384'],
    }),
  )
}

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

async function verified(run: () => Promise<unknown>): Promise<void> {
  try {
    await run()
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown'
    throw invalidAssertion('AADSTS700027', `Client assertion failed signature validation: ${reason}.`)
  }
}
