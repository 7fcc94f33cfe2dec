import { attestKey } from './attestation.ts'
import { authenticate } from './authentication.ts'
import { type CryptoOperation, runCryptoOperation } from './crypto-operations.ts'
import { badParameter, notAllowed, ServiceError, type ServiceResponse } from './errors.ts'
import { checkName } from './key-parameters.ts'
import { createKey, getKey, importKey, updateKey } from './keys.ts'
import { deleteKey, getDeletedKey, listDeletedKeys, listKeys, listVersions, purgeKey, recoverKey } from './lifecycle.ts'
import { authorize, checkFirewall } from './permissions.ts'
import { type EmulatorRequest, jsonBody } from './request.ts'
import type { Permission } from './specs.ts'
import type { EmulatorState } from './state.ts'
import type { Vault } from './vault.ts'

/** What one operation of a vault gets to work with. */
interface Call {
  readonly state: EmulatorState
  readonly vault: Vault
  readonly name: string
  /** Empty or absent means the latest. */
  readonly version: string | undefined
  readonly query: URLSearchParams
  body(): Record<string, unknown>
}

interface Operation {
  readonly name: string
  readonly method: string
  readonly pattern: readonly string[]
  readonly permission: Permission
  run(call: Call): ServiceResponse | Promise<ServiceResponse>
}

function operation(route: string, name: string, permission: Permission, run: Operation['run']): Operation {
  const [method = '', path = ''] = route.split(' ')
  return { name, method, pattern: path.slice(1).split('/'), permission, run }
}

/** Operations of the real service that the emulator leaves out. They come first, so that no `:version` catches them. */
const leftOut = [
  'POST /keys/restore',
  'POST /keys/:name/rotate',
  'POST /keys/:name/backup',
  'GET /keys/:name/rotationpolicy',
  'PUT /keys/:name/rotationpolicy',
  'POST /keys/:name/:version/release',
].map((route) =>
  operation(route, 'unsupported', 'get', ({ query }) => {
    throw notAllowed(`The emulator does not support ${route} (api-version ${query.get('api-version')}).`)
  }),
)

const cryptoOperations = (['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'] as CryptoOperation[]).map(
  (name) =>
    operation(`POST /keys/:name/:version/${name.toLowerCase()}`, name, name, (call) =>
      runCryptoOperation(call.vault, name, call.name, call.version, call.body()),
    ),
)

/** Every route: what it is called, the permission that it needs, what it does. The first that fits is taken. */
const operations: readonly Operation[] = [
  ...leftOut,
  operation('GET /keys', 'list', 'list', ({ vault, query }) => listKeys(vault, query)),
  operation('POST /keys/:name/create', 'create', 'create', ({ state, vault, name, body }) => {
    const parameters = body()
    const hsm = typeof parameters.kty === 'string' && parameters.kty.endsWith('-HSM')
    state.throttle.take(vault, hsm ? 'createHsm' : 'createSoftware')
    return createKey(vault, name, parameters, state.rsaKeyPairs)
  }),
  operation('PUT /keys/:name', 'import', 'import', ({ state, vault, name, body }) => {
    state.throttle.take(vault, 'import')
    return importKey(vault, name, body())
  }),
  operation('GET /keys/:name/versions', 'listVersions', 'list', ({ vault, name, query }) =>
    listVersions(vault, name, query),
  ),
  operation('GET /keys/:name/:version/attestation', 'attestation', 'get', ({ vault, name, version }) =>
    attestKey(vault, name, version),
  ),
  operation('GET /keys/:name', 'get', 'get', ({ vault, name }) => getKey(vault, name, undefined)),
  operation('GET /keys/:name/:version', 'get', 'get', ({ vault, name, version }) => getKey(vault, name, version)),
  operation('PATCH /keys/:name', 'update', 'update', ({ vault, name, body }) =>
    updateKey(vault, name, undefined, body()),
  ),
  operation('PATCH /keys/:name/:version', 'update', 'update', ({ vault, name, version, body }) =>
    updateKey(vault, name, version, body()),
  ),
  operation('DELETE /keys/:name', 'delete', 'delete', ({ vault, name }) => deleteKey(vault, name)),
  ...cryptoOperations,
  operation('GET /deletedkeys', 'listDeleted', 'list', ({ vault, query }) => listDeletedKeys(vault, query)),
  operation('GET /deletedkeys/:name', 'getDeleted', 'get', ({ vault, name }) => getDeletedKey(vault, name)),
  operation('POST /deletedkeys/:name/recover', 'recover', 'recover', ({ vault, name }) => recoverKey(vault, name)),
  operation('DELETE /deletedkeys/:name', 'purge', 'purge', ({ vault, name }) => purgeKey(vault, name)),
]

/** The values of `:name` and `:version`, or `undefined` when the path is another. Fixed parts are matched without regard to case. */
function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined
  const values: Record<string, string> = {}
  for (const [i, part] of pattern.entries()) {
    const segment = segments[i] ?? ''
    if (part.startsWith(':')) values[part.slice(1)] = segment
    else if (part !== segment.toLowerCase()) return undefined
  }
  return values
}

/** The api-versions of the data plane that the emulator answers to. */
export const apiVersions: readonly string[] = [
  '7.2',
  '7.3',
  '7.4',
  '7.5',
  '7.6-preview.1',
  '7.6-preview.2',
  '7.6',
  '2025-06-01-preview',
  '2025-07-01',
]

function checkApiVersion(query: URLSearchParams): void {
  const version = query.get('api-version')
  if (version === null || version === '') throw badParameter('api-version must be specified')
  if (apiVersions.includes(version)) return
  throw badParameter(
    `The specified version (${version}) is not recognized. Consider using the latest supported version (${apiVersions.at(-1)}).`,
  )
}

/** A request to a vault with its operation found: what to call it, and how to carry it out. */
export interface RoutedCall {
  readonly operation: string
  run(identify: (clientId: string) => void): ServiceResponse | Promise<ServiceResponse>
}

/**
 * Finds the operation of a request to `vault`. Carrying it out checks, in this order, api-version, token, firewall, permission, name,
 * limits and parameters; `identify` is told the caller's client id as soon as it is known.
 */
export function routeToVault(state: EmulatorState, vault: Vault, request: EmulatorRequest): RoutedCall {
  const { method, segments, path, query } = request
  const fits = (entry: Operation) => match(entry.pattern, segments) !== undefined
  const found = operations.find((entry) => entry.method === method && fits(entry))
  if (found === undefined) {
    const error = operations.some(fits)
      ? notAllowed(`The method ${method} is not allowed on ${path}.`)
      : new ServiceError(404, 'NotFound', `There is no resource at ${path}.`)
    return {
      operation: 'unknown',
      run: () => {
        throw error
      },
    }
  }
  const values = match(found.pattern, segments) ?? {}
  return {
    operation: request.headers.authorization === undefined ? 'challenge' : found.name,
    run: (identify) => {
      checkApiVersion(query)
      const claims = authenticate(state, vault, request)
      identify(claims.clientId)
      checkFirewall(vault, claims)
      authorize(state, vault, claims, found.permission, path)
      const name = values.name === undefined ? '' : checkName(values.name)
      return found.run({ state, vault, name, version: values.version, query, body: () => jsonBody(request) })
    },
  }
}
