import { createHash, timingSafeEqual } from 'node:crypto'
import { notAllowed, ServiceError, type ServiceResponse } from './errors.ts'
import type { RoutedCall } from './operations.ts'
import { type EmulatorRequest, jsonBody } from './request.ts'
import type { RequestRecord } from './request-log.ts'
import {
  clockSpec,
  type FaultSpec,
  type Permission,
  type PrincipalSpec,
  parseSpec,
  restrictionSpec,
  type VaultSpec,
} from './specs.ts'

/** What is told of a vault and of a principal: never a secret. */
export interface VaultInfo {
  readonly name: string
  readonly kind: 'premium' | 'standard' | 'managedhsm'
  readonly host: string
  readonly url: string
  readonly tenantId: string
}

export interface PrincipalInfo {
  readonly tenantId: string
  readonly clientId: string
  readonly objectId: string
  readonly permissions: readonly Permission[] | null
  readonly vaults: readonly string[] | null
}

/** What can be done with an emulator while it runs: the library object has these as methods, and the admin API serves them. */
export interface EmulatorControls {
  /** The CA's certificate in PEM. */
  readonly caCertificate: string
  addVault(spec: VaultSpec): Promise<VaultInfo>
  listVaults(): readonly VaultInfo[]
  addPrincipal(spec: PrincipalSpec): PrincipalInfo
  listPrincipals(): readonly PrincipalInfo[]
  restrict(clientId: string, permissions: readonly Permission[] | null, vaults?: readonly string[] | null): void
  injectFault(spec: FaultSpec): string
  listFaults(): readonly { id: string; hits: number; spec: unknown }[]
  clearFaults(): void
  advanceClock(ms: number): number
  /** The emulator's clock, in ms since 1970. */
  now(): number
  readonly requests: readonly RequestRecord[]
  clearRequests(): void
}

type Handler = (controls: EmulatorControls, request: EmulatorRequest, id: string) => unknown

/** The admin API: `METHOD path` under /_emulator, and what it answers (204 where that is nothing). */
const routes: Readonly<Record<string, Handler>> = {
  'GET ': ({ listVaults, listPrincipals, listFaults, now }) => ({
    vaults: listVaults(),
    principals: listPrincipals(),
    faults: listFaults(),
    now: now(),
  }),
  'GET vaults': ({ listVaults }) => listVaults(),
  'POST vaults': (controls, request) => controls.addVault(jsonBody(request) as unknown as VaultSpec),
  'GET principals': ({ listPrincipals }) => listPrincipals(),
  'POST principals': (controls, request) => controls.addPrincipal(jsonBody(request) as unknown as PrincipalSpec),
  'PUT principals/:id/permissions': (controls, request, id) => {
    const { permissions, vaults } = parseSpec('restriction', restrictionSpec, jsonBody(request))
    controls.restrict(id, permissions, vaults)
  },
  'GET faults': ({ listFaults }) => listFaults(),
  'POST faults': (controls, request) => ({ id: controls.injectFault(jsonBody(request) as FaultSpec) }),
  'DELETE faults': (controls) => controls.clearFaults(),
  'GET clock': (controls) => ({ now: controls.now() }),
  'POST clock': (controls, request) => {
    const { advanceMs } = parseSpec('clock change', clockSpec, jsonBody(request))
    return { now: controls.advanceClock(advanceMs) }
  },
  'GET requests': (controls) => controls.requests,
  'DELETE requests': (controls) => controls.clearRequests(),
}

const digest = (text: string) => createHash('sha256').update(text).digest()

function checkToken(request: EmulatorRequest, adminToken: string): void {
  const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
  if (timingSafeEqual(digest(token), digest(adminToken))) return
  throw new ServiceError(401, 'Unauthorized', "The admin API needs the emulator's admin token as a bearer token.", {
    headers: { 'www-authenticate': 'Bearer realm="emulator"' },
  })
}

/** Serves {@link EmulatorControls} under /_emulator, to whoever holds the admin token; the CA's certificate to everybody. */
export function routeToAdmin(controls: EmulatorControls, adminToken: string): (request: EmulatorRequest) => RoutedCall {
  return (request) => ({ operation: 'admin', run: () => serveAdmin(controls, adminToken, request) })
}

async function serveAdmin(
  controls: EmulatorControls,
  adminToken: string,
  request: EmulatorRequest,
): Promise<ServiceResponse> {
  const [first = '', id = '', ...rest] = request.segments.slice(1)
  if (request.method === 'GET' && first === 'ca.pem') {
    return { status: 200, body: controls.caCertificate, headers: { 'content-type': 'application/x-pem-file' } }
  }
  checkToken(request, adminToken)
  const path = id === '' ? first : [first, ':id', ...rest].join('/')
  const handler = Object.hasOwn(routes, `${request.method} ${path}`) ? routes[`${request.method} ${path}`] : undefined
  if (handler === undefined) {
    const methods = Object.keys(routes).filter((route) => route.split(' ')[1] === path)
    if (methods.length > 0) throw notAllowed(`The method ${request.method} is not allowed on ${request.path}.`)
    throw new ServiceError(404, 'NotFound', `The admin API has nothing at ${request.path}.`)
  }
  try {
    const body = await handler(controls, request, id)
    return body === undefined ? { status: 204 } : { status: request.method === 'POST' ? 201 : 200, body }
  } catch (error) {
    // What the library object throws for a wrong spec is the caller's mistake here.
    if (error instanceof TypeError) throw new ServiceError(400, 'BadParameter', error.message)
    throw error
  }
}
