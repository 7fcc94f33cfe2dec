import { z } from 'zod'
import { type JsonSchema, jsonSchema } from './schemas.ts'

const form = 'application/x-www-form-urlencoded'
const client = { client_id: z.string().optional(), client_secret: z.string().optional() }

const tokenRequest = z.object({
  grant_type: z.string().describe('client_credentials, or urn:ietf:params:oauth:grant-type:token-exchange.'),
  scope: z.string().optional().describe('Policies, with blanks between: fewer than the role gives.'),
  ...client,
  subject_token: z.string().optional().describe('Exchange: the JWT.'),
  subject_token_type: z.string().optional(),
  requested_token_type: z.string().optional(),
  audience: z.string().optional().describe('Exchange: the JWT mount and role, mount/role.'),
})

const tokenResponse = z.object({
  access_token: z.string(),
  issued_token_type: z.string().optional(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int(),
  scope: z.string(),
})

const aboutToken = z.object({ token: z.string(), token_type_hint: z.string().optional(), ...client })

const schemas: Record<string, JsonSchema> = {
  OAuthTokenRequest: jsonSchema(tokenRequest, 'input'),
  OAuthTokenResponse: jsonSchema(tokenResponse, 'output'),
  OAuthAboutToken: jsonSchema(aboutToken, 'input'),
  OAuthIntrospection: jsonSchema(z.looseObject({ active: z.boolean() }), 'output'),
  OAuthRevocation: jsonSchema(z.object({}), 'output'),
  OAuthKeys: jsonSchema(z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) }), 'output'),
  OAuthMetadata: jsonSchema(z.looseObject({ issuer: z.string(), token_endpoint: z.string() }), 'output'),
  OAuthError: {
    description: "RFC 6749's error.",
    ...jsonSchema(z.object({ error: z.string(), error_description: z.string() }), 'output'),
  },
}

const ref = (name: string) => ({ 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } })

function post(operationId: string, summary: string, sent: string, given: string) {
  const failure = (description: string) => ({ description, content: ref('OAuthError') })
  return {
    post: {
      operationId,
      summary,
      tags: ['oauth'],
      security: [{}, { client: [] }, { bearer: [] }],
      parameters: [{ $ref: '#/components/parameters/namespace' }],
      requestBody: { required: true, content: { [form]: { schema: { $ref: `#/components/schemas/${sent}` } } } },
      responses: {
        200: { description: 'OK', content: ref(given) },
        400: failure('The request is not one that can be met.'),
        401: failure('The client or the token is not known.'),
        403: failure('The token has no right to this.'),
        500: failure('Something is wrong here, and was logged under the id that the sentence names.'),
        503: failure('Not now.'),
      },
    },
  }
}

function get(operationId: string, summary: string, given: string) {
  const responses = { 200: { description: 'OK', content: ref(given) } }
  return { get: { operationId, summary, tags: ['oauth'], security: [], responses } }
}

/** What is not of Vault's wire: `/oauth` and its metadata. */
export const oauthDocument = {
  schemas,
  paths: {
    '/oauth/token': post(
      'oauth-token',
      'Get a token (RFC 6749 4.4, RFC 8693).',
      'OAuthTokenRequest',
      'OAuthTokenResponse',
    ),
    '/oauth/introspect': post(
      'oauth-introspect',
      'Ask about a token (RFC 7662).',
      'OAuthAboutToken',
      'OAuthIntrospection',
    ),
    '/oauth/revoke': post('oauth-revoke', 'Revoke a token (RFC 7009).', 'OAuthAboutToken', 'OAuthRevocation'),
    '/oauth/jwks': get('oauth-keys', 'The keys that tokens are signed with (RFC 7517).', 'OAuthKeys'),
    '/.well-known/oauth-authorization-server': get(
      'oauth-metadata',
      'Where all of this is (RFC 8414).',
      'OAuthMetadata',
    ),
  },
}
