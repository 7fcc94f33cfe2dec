import { exchangeGrant } from './token.ts'

/** RFC 8414, for whoever reached the gateway at `origin`. */
export function metadata(origin: string): Record<string, unknown> {
  const clientMethods = ['client_secret_basic', 'client_secret_post']
  return {
    issuer: origin,
    token_endpoint: `${origin}/oauth/token`,
    jwks_uri: `${origin}/oauth/jwks`,
    introspection_endpoint: `${origin}/oauth/introspect`,
    revocation_endpoint: `${origin}/oauth/revoke`,
    response_types_supported: [],
    grant_types_supported: ['client_credentials', exchangeGrant],
    token_endpoint_auth_methods_supported: clientMethods,
    introspection_endpoint_auth_methods_supported: clientMethods,
    revocation_endpoint_auth_methods_supported: clientMethods,
  }
}
