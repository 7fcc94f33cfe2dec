import { randomUUID, timingSafeEqual } from 'node:crypto'
import { verifyClientAssertion } from './assertions.ts'
import { cloudOfAuthority, clouds } from './clouds.ts'
import type { Principal } from './directory.ts'
import { DirectoryError } from './directory-error.ts'
import type { ServiceResponse } from './errors.ts'
import type { RoutedCall } from './operations.ts'
import type { EmulatorRequest } from './request.ts'
import type { EmulatorState } from './state.ts'

/** The token authority, as far as clients that authenticate as themselves need it: discovery, and the client credentials grant. */

function openidConfiguration(host: string, tenant: string): ServiceResponse {
  const base = `https://${host}/${tenant}`
  return {
    status: 200,
    body: {
      issuer: `${base}/v2.0`,
      authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
      token_endpoint: `${base}/oauth2/v2.0/token`,
      device_authorization_endpoint: `${base}/oauth2/v2.0/devicecode`,
      jwks_uri: `${base}/discovery/v2.0/keys`,
      token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
      response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
      scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    },
  }
}

/** What MSAL asks the first time that it meets an authority: which hosts are aliases of one another. */
function instanceDiscovery(request: EmulatorRequest): ServiceResponse {
  const metadata = clouds.map(({ authorities }) => ({
    preferred_network: authorities[0],
    preferred_cache: authorities[0],
    aliases: authorities,
  }))
  let tenantPath = '/common/oauth2/v2.0/authorize'
  let host = request.host
  try {
    const endpoint = new URL(request.query.get('authorization_endpoint') ?? '')
    tenantPath = endpoint.pathname
    host = endpoint.host
  } catch {
    // Without an endpoint the answer is about the host that was asked.
  }
  const tenant = tenantPath.split('/')[1] ?? 'common'
  return {
    status: 200,
    body: {
      tenant_discovery_endpoint: `https://${host}/${tenant}/v2.0/.well-known/openid-configuration`,
      'api-version': '1.1',
      metadata,
    },
  }
}

/** The resource of a scope like `https://vault.azure.net/.default`, which must exist in the cloud of the authority that is asked. */
function parseScope(state: EmulatorState, hostname: string, scope: string | null): string {
  const resource = /^(https:\/\/[^/\s]+)\/+\.default$/i.exec(scope ?? '')?.[1]?.toLowerCase()
  if (resource === undefined) {
    throw new DirectoryError(
      400,
      'invalid_scope',
      'AADSTS1002012',
      `The provided value for scope ${scope ?? ''} is not valid. Client credential flows must have a scope value with /.default ` +
        'suffixed to the resource identifier (application ID URI).',
    )
  }
  if (!resourceExists(state, cloudOfAuthority(hostname), resource)) throw unknownResource(resource)
  return resource
}

const unknownResource = (resource: string) =>
  new DirectoryError(
    400,
    'invalid_resource',
    'AADSTS500011',
    `The resource principal named ${resource} was not found in the tenant.`,
  )

/** Whether `resource` is one of this cloud's, or of any where the cloud is not known, or a private one of a vault that is here. */
export function resourceExists(
  state: EmulatorState,
  cloud: ReturnType<typeof cloudOfAuthority>,
  resource: string,
): boolean {
  const suffixesOf = (list: readonly { vaultSuffix: string; managedHsmSuffix: string }[]) =>
    list.flatMap(({ vaultSuffix, managedHsmSuffix }) => [vaultSuffix, managedHsmSuffix])
  const known = suffixesOf(clouds)
  const own = suffixesOf(cloud === undefined ? clouds : [cloud])
  const privateOnes = [...state.vaults.values()].map(({ suffix }) => suffix).filter((suffix) => !known.includes(suffix))
  return [...own, ...privateOnes].some((suffix) => resource === `https://${suffix}`)
}

function sameSecret(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

async function authenticateClient(state: EmulatorState, principal: Principal, form: URLSearchParams): Promise<void> {
  const secret = form.get('client_secret')
  const assertion = form.get('client_assertion')
  if (secret !== null) {
    if (principal.clientSecret !== undefined && sameSecret(secret, principal.clientSecret)) return
    throw new DirectoryError(
      401,
      'invalid_client',
      'AADSTS7000215',
      'Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client ' +
        `secret ID, for a secret added to app '${principal.clientId}'.`,
    )
  }
  if (assertion === null) {
    throw new DirectoryError(
      401,
      'invalid_client',
      'AADSTS7000218',
      "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    )
  }
  if (form.get('client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer') {
    throw new DirectoryError(400, 'invalid_request', 'AADSTS900144', "The value of 'client_assertion_type' is wrong.")
  }
  await verifyClientAssertion(principal, assertion, state.clientNow())
}

async function token(
  state: EmulatorState,
  request: EmulatorRequest,
  tenantId: string,
  identify: (clientId: string) => void,
): Promise<ServiceResponse> {
  const form = new URLSearchParams(request.body.toString('utf8'))
  const clientId = form.get('client_id') ?? ''
  if (form.get('grant_type') !== 'client_credentials') {
    throw new DirectoryError(
      400,
      'unsupported_grant_type',
      'AADSTS70003',
      `The app requested an unsupported grant type '${form.get('grant_type') ?? ''}'.`,
    )
  }
  if (!state.directory.hasTenant(tenantId)) {
    throw new DirectoryError(400, 'invalid_request', 'AADSTS90002', `Tenant '${tenantId}' not found.`)
  }
  const principal = state.directory.find(tenantId, clientId)
  if (principal === undefined) {
    throw new DirectoryError(
      400,
      'unauthorized_client',
      'AADSTS700016',
      `Application with identifier '${clientId}' was not found in the directory '${tenantId}'.`,
    )
  }
  identify(principal.clientId)
  await authenticateClient(state, principal, form)
  const resource = parseScope(state, request.hostname, form.get('scope'))
  const lifetime = state.tokenLifetimeSeconds
  return {
    status: 200,
    headers: { 'cache-control': 'no-store, no-cache' },
    body: {
      token_type: 'Bearer',
      expires_in: lifetime,
      ext_expires_in: lifetime,
      access_token: state.tokens.issue({
        tenantId: principal.tenantId,
        clientId: principal.clientId,
        objectId: principal.objectId,
        resource,
        expires: state.now() + lifetime * 1000,
      }),
    },
  }
}

/** Finds what a request asks of the token authority; `undefined` for the paths of others. */
export function routeToAuthority(state: EmulatorState, request: EmulatorRequest): RoutedCall | undefined {
  const { method, segments, host } = request
  const [tenant = '', ...rest] = segments
  const path = rest.join('/').toLowerCase()
  if (method === 'GET' && path === 'discovery/instance') {
    return { operation: 'discovery', run: () => instanceDiscovery(request) }
  }
  if (method === 'GET' && path === 'v2.0/.well-known/openid-configuration') {
    return { operation: 'discovery', run: () => openidConfiguration(host, tenant) }
  }
  if (method === 'GET' && path === 'discovery/v2.0/keys') {
    // Tokens are opaque, so there is nothing to verify them with.
    return { operation: 'discovery', run: () => ({ status: 200, body: { keys: [] } }) }
  }
  if (method === 'POST' && path === 'oauth2/v2.0/token') {
    return {
      operation: 'token',
      run: async (identify) => {
        try {
          return await token(state, request, tenant, identify)
        } catch (error) {
          if (error instanceof DirectoryError) return error.response(state.now(), randomUUID())
          throw error
        }
      },
    }
  }
  return undefined
}
