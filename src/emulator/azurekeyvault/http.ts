import { randomUUID } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { routeToAdmin } from './admin.ts'
import { routeToAuthority } from './authority.ts'
import { errorResponse, ServiceError, type ServiceResponse } from './errors.ts'
import { faultResponse } from './faults.ts'
import { routeToManagedIdentity } from './managed-identity.ts'
import { type RoutedCall, routeToVault } from './operations.ts'
import { type EmulatorRequest, readRequest } from './request.ts'
import type { EmulatorState } from './state.ts'
import type { Vault } from './vault.ts'

/** Where a request goes: admin API, a vault by Host name, token authority or managed-identity endpoint by path, or nowhere. */
interface Target extends RoutedCall {
  readonly vault?: Vault
  /** The admin API is neither logged nor hit by faults. */
  readonly hidden?: boolean
}

export type Router = (request: EmulatorRequest) => Target

function nowhere(message: string): Target {
  return {
    operation: 'unknown',
    run: () => {
      throw new ServiceError(404, 'NotFound', message)
    },
  }
}

/** The routes of the HTTPS listener. */
export function routeAll(state: EmulatorState, admin: ReturnType<typeof routeToAdmin>): Router {
  return (request) => {
    if (request.segments[0] === '_emulator') return { ...admin(request), hidden: true }
    const vault = state.vaults.get(request.hostname)
    if (vault !== undefined) return { ...routeToVault(state, vault, request), vault }
    return (
      routeToAuthority(state, request) ??
      routeToManagedIdentity(state, request) ??
      nowhere(
        `The emulator has no vault with the host name '${request.hostname}', and nothing else at ${request.path}.`,
      )
    )
  }
}

/** The one route of the plain HTTP listener, since managed identity has no TLS. */
export function routeManagedIdentity(state: EmulatorState): Router {
  return (request) => routeToManagedIdentity(state, request) ?? nowhere(`There is nothing at ${request.path}.`)
}

function asResponse(error: unknown, vault: Vault | undefined): ServiceResponse {
  if (error instanceof ServiceError) return errorResponse(error, vault?.isManagedHsm)
  const message = error instanceof Error ? error.message : 'unknown'
  return errorResponse(new ServiceError(500, 'InternalServerError', `The emulator failed: ${message}`))
}

/** Sends an answer with the headers that Key Vault sends. */
function send(state: EmulatorState, outgoing: ServerResponse, response: ServiceResponse): void {
  const { status, body, headers } = response
  const payload = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  outgoing.sendDate = false
  outgoing.writeHead(status, {
    date: new Date(state.now()).toUTCString(),
    'cache-control': 'no-cache',
    pragma: 'no-cache',
    ...(payload === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    'x-ms-keyvault-region': 'westeurope',
    'x-ms-keyvault-service-version': 'emulator',
    'x-ms-request-id': randomUUID(),
    'x-content-type-options': 'nosniff',
    ...(status === 204 || status === 304 ? {} : { 'content-length': payload?.length ?? 0 }),
    ...headers,
  })
  outgoing.end(payload)
}

/**
 * Makes a request listener: read, route, apply a fault if one strikes, run, answer, log. Whatever a request holds, it ends in an answer or,
 * by a fault, in a dropped connection.
 *
 * @param closing aborted when the emulator closes, which ends injected delays
 */
export function createListener(state: EmulatorState, route: Router, closing: AbortSignal): RequestListener {
  async function answer(request: EmulatorRequest): Promise<ServiceResponse | 'dropped'> {
    const target = route(request)
    let clientId: string | undefined
    const run = async () => {
      try {
        return await target.run((id) => {
          clientId = id
        })
      } catch (error) {
        return asResponse(error, target.vault)
      }
    }
    if (target.hidden) return run()
    const { method, hostname: host, path } = request
    const { operation } = target
    const vault = target.vault?.name
    const result = await withFault({ method, host, path, operation, vault }, run)
    const status = result === 'dropped' ? 0 : result.status
    state.log.add({ method, host, path, operation, vault, clientId, status })
    return result
  }

  async function withFault(
    fault: Parameters<EmulatorState['faults']['strike']>[0],
    run: () => Promise<ServiceResponse>,
  ): Promise<ServiceResponse | 'dropped'> {
    const action = state.faults.strike(fault)
    if (action === undefined) return run()
    const { status, effect = false, delayMs = 0, answerDelayMs = 0, drop, headers } = action
    const injected = status === undefined ? undefined : faultResponse({ ...action, status })
    if (delayMs > 0) await sleep(delayMs, undefined, { signal: closing })
    if (drop === 'before') return 'dropped'
    if (injected !== undefined && !effect && drop === undefined) return injected
    const response = await run()
    if (answerDelayMs > 0) await sleep(answerDelayMs, undefined, { signal: closing })
    if (drop === 'after') return 'dropped'
    return injected ?? { ...response, headers: { ...response.headers, ...headers } }
  }

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    let response: ServiceResponse | 'dropped'
    try {
      response = await answer(await readRequest(incoming))
    } catch (error) {
      // A client that goes away while it sends, or an emulator that closes, leaves nobody to answer.
      if (incoming.destroyed && !incoming.complete) return
      response = closing.aborted ? 'dropped' : asResponse(error, undefined)
    }
    if (response === 'dropped') incoming.socket.destroy()
    else if (!outgoing.destroyed) send(state, outgoing, response)
  }

  return (incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => incoming.socket.destroy())
  }
}
