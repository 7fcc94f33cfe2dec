import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import { createThrowAwayAuthority } from '../../src/emulator/azurekeyvault/tls.ts'

/** An issuer of JWTs on loopback: real TLS, by an authority of its own, for `localhost` and `*.keyferry.example`. */
export interface TestIssuer {
  /** `https://localhost:<port>`, also the `iss` of its tokens. */
  url: string
  host: string
  port: number
  /** The authority's certificate, PEM. */
  ca: string
  /** The kid and private key that it signs with; replace them to rotate. */
  signing: { kid: string; privateKey: CryptoKey }
  jwks: { keys: JWK[] }
  /** What it was asked for, in order. */
  asked: string[]
  /** Answers instead of the issuer, for a path. */
  instead: Map<string, (request: IncomingMessage, response: ServerResponse) => void>
  /** Signs claims over the usual ones: iss, sub `build-7`, aud `keyferry`, iat now, exp in five minutes. `undefined` leaves one out. */
  sign(claims?: JWTPayload, header?: Record<string, unknown>): Promise<string>
  close(): Promise<void>
}

export async function testIssuer(): Promise<TestIssuer> {
  const authority = await createThrowAwayAuthority()
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }] }
  const asked: string[] = []
  const instead: TestIssuer['instead'] = new Map()
  const server = createServer(await authority.issue(['keyferry.example']), (request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const other = instead.get(path)
    if (other) return other(request, response)
    const body =
      path === '/.well-known/openid-configuration'
        ? { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` }
        : path === '/jwks'
          ? issuer.jwks
          : undefined
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const issuer: TestIssuer = {
    url: `https://localhost:${port}`,
    host: `localhost:${port}`,
    port,
    ca: authority.certificate,
    signing: { kid: 'one', privateKey },
    jwks,
    asked,
    instead,
    sign: async (claims = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1000)
      const usual = { iss: issuer.url, sub: 'build-7', aud: 'keyferry', iat: now, exp: now + 300 }
      return await new SignJWT({ ...usual, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: issuer.signing.kid, typ: 'JWT', ...header })
        .sign(issuer.signing.privateKey)
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return issuer
}
