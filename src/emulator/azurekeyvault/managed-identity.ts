import { resourceExists } from './authority.ts'
import type { Principal } from './directory.ts'
import type { ServiceResponse } from './errors.ts'
import type { RoutedCall } from './operations.ts'
import type { EmulatorRequest } from './request.ts'
import type { EmulatorState } from './state.ts'

/** The managed-identity endpoint of a virtual machine (IMDS): tokens for whoever can reach it, without credentials. */

const refuse = (error: string, description: string): ServiceResponse => ({
  status: 400,
  body: { error, error_description: description },
})

interface Selection {
  readonly systemAssigned: boolean
  readonly resourceId: string | undefined
}

function selection(principal: Principal): Selection | undefined {
  const { managedIdentity } = principal
  if (managedIdentity === undefined || managedIdentity === false) return undefined
  if (managedIdentity === true) return { systemAssigned: false, resourceId: undefined }
  return { systemAssigned: managedIdentity.systemAssigned ?? false, resourceId: managedIdentity.resourceId }
}

/**
 * The identity that a request selects by client id, object id or resource id; without one the system-assigned identity, else the only one.
 */
function select(principals: readonly Principal[], query: URLSearchParams): Principal | string {
  const identities = principals.flatMap((principal) => {
    const chosen = selection(principal)
    return chosen === undefined ? [] : [{ principal, ...chosen }]
  })
  const clientId = query.get('client_id')
  const objectId = query.get('object_id') ?? query.get('principal_id')
  const resourceId = query.get('msi_res_id') ?? query.get('mi_res_id')
  const same = (a: string | undefined, b: string) => a?.toLowerCase() === b.toLowerCase()
  if (clientId !== null || objectId !== null || resourceId !== null) {
    const found = identities.find(
      (identity) =>
        (clientId === null || same(identity.principal.clientId, clientId)) &&
        (objectId === null || same(identity.principal.objectId, objectId)) &&
        (resourceId === null || same(identity.resourceId, resourceId)),
    )
    return found?.principal ?? 'Identity not found'
  }
  const system = identities.find(({ systemAssigned }) => systemAssigned)
  const [only, another] = identities
  const chosen = system ?? (another === undefined ? only : undefined)
  if (chosen !== undefined) return chosen.principal
  return only === undefined
    ? 'Identity not found'
    : 'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request'
}

function token(state: EmulatorState, request: EmulatorRequest, identify: (clientId: string) => void): ServiceResponse {
  const { query, headers } = request
  if (headers.metadata !== 'true') {
    return refuse('invalid_request', 'Required metadata header not specified')
  }
  if (query.get('api-version') !== '2018-02-01') {
    return refuse('invalid_request', 'The api-version must be 2018-02-01')
  }
  const resource = (query.get('resource') ?? '').replace(/\/+$/, '').toLowerCase()
  if (!resourceExists(state, undefined, resource)) {
    return refuse(
      'invalid_resource',
      `AADSTS500011: The resource principal named ${resource} was not found in the tenant.`,
    )
  }
  const principal = select(state.directory.principals, query)
  if (typeof principal === 'string') return refuse('invalid_request', principal)
  identify(principal.clientId)
  const seconds = Math.floor(state.now() / 1000)
  const lifetime = state.tokenLifetimeSeconds
  return {
    status: 200,
    body: {
      access_token: state.tokens.issue({
        tenantId: principal.tenantId,
        clientId: principal.clientId,
        objectId: principal.objectId,
        resource,
        expires: state.now() + lifetime * 1000,
      }),
      client_id: principal.clientId,
      expires_in: String(lifetime),
      expires_on: String(seconds + lifetime),
      ext_expires_in: String(lifetime),
      not_before: String(seconds),
      resource,
      token_type: 'Bearer',
    },
  }
}

/** Finds a request to the managed-identity endpoint; `undefined` for the paths of others. */
export function routeToManagedIdentity(state: EmulatorState, request: EmulatorRequest): RoutedCall | undefined {
  if (request.method !== 'GET' || request.segments.join('/') !== 'metadata/identity/oauth2/token') return undefined
  return { operation: 'managedIdentity', run: (identify) => token(state, request, identify) }
}
