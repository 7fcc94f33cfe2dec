import type { Core } from '../core/core.ts'
import { AnswerCache } from './answer-cache.ts'
import { type Failed, respondError } from './errors.ts'
import type { Incoming } from './incoming.ts'
import { authenticate, tokenOf } from './middleware/authenticate.ts'
import { authorize, checkWithin } from './middleware/authorize.ts'
import { answerOnce, changedBefore, idempotencyKeyOf } from './middleware/idempotency.ts'
import { readBody } from './middleware/limits.ts'
import { findLogin } from './middleware/login.ts'
import { fullPathOf, mountPointOf, noRoute, type Resolved, resolve, rootOf } from './middleware/resolve.ts'
import { accepted, prefersAsync } from './middleware/respond-async.ts'
import { Trail } from './middleware/trail.ts'
import { findUnwrapping } from './middleware/unwrapping.ts'
import { finish, wrapTtlOf } from './middleware/wrap.ts'
import type { AppOptions } from './options.ts'
import { doorTables, keymgmtTable, publicTable, sysTable, tokenTable } from './route-tables.ts'
import { checkPatchType, parseBody } from './vault/body.ts'
import { type Answer, type Respond, respondAnswer, respondJson, withRequestId } from './vault/envelope.ts'
import { helpOf, wantsHelp } from './vault/help.ts'
import { operationOf, unsupportedOperation, unsupportedPath, usualCapability } from './vault/operation.ts'
import { parseQuery } from './vault/query.ts'
import type { PublicRoute, Route, SystemCall } from './vault/route.ts'
import type { RouteTable } from './vault/route-table.ts'
import { lookupWrapped, unwrap } from './vault/sys/wrapping.ts'
import { parseTarget } from './vault/target.ts'

/** Only these have a body that means something; any other is not read. */
const writes = new Set(['POST', 'PUT', 'PATCH'])

/**
 * The way of a request, one step after the other: limits, request id, token, namespace and mount, right, decoding, one service of the core,
 * envelope.
 */
export class Pipeline {
  readonly #core: Core
  readonly #options: AppOptions
  readonly #cache: AnswerCache

  constructor(core: Core, options: AppOptions) {
    this.#core = core
    this.#options = options
    this.#cache = new AnswerCache(options.maxCachedAnswers, options.maxCachedCharacters)
  }

  /** `remoteAddress`: of the client, where it is known. Never rejects: whatever goes wrong is an answer. */
  async answer(request: Request, remoteAddress?: string): Promise<Respond> {
    const { context } = this.#core
    const { telemetry } = this.#options
    const { method, url } = request
    const begun = telemetry?.begun() ?? 0
    const failed: Failed = { requestId: context.uuid(), method, path: '', operation: undefined }
    let trail: Trail | undefined
    let answer: Respond
    try {
      const target = parseTarget(url)
      failed.path = target.path
      const query = parseQuery(target.query)
      const body = writes.has(method) ? await readBody(request, this.#options) : ''
      this.#core.freshen()
      const open = publicTable.get(target.path)
      // What is open to everybody is not recorded.
      if (open) answer = await this.#public({ request, query, body, failed }, open)
      else {
        const about = { id: failed.requestId, path: target.path, remoteAddress, token: tokenOf(request.headers) }
        trail = new Trail(this.#core.audit, about)
        const incoming = { request, target, query, body, remoteAddress, failed, trail }
        answer =
          (await this.#login(incoming)) ?? (await this.#ownWrapping(incoming)) ?? (await this.#authenticated(incoming))
      }
    } catch (error) {
      answer = respondError(error, failed, context.log)
    }
    try {
      // Before it leaves: what cannot be recorded is not told either.
      await trail?.end(answer)
    } catch (error) {
      answer = respondError(error, failed, context.log)
    }
    telemetry?.ended(begun, failed.route ?? 'other', method, answer.status)
    return answer
  }

  async #public(
    { request, query, body, failed }: Pick<Incoming, 'request' | 'query' | 'body' | 'failed'>,
    route: PublicRoute,
  ): Promise<Respond> {
    const { requestId } = failed
    failed.route = route.path
    const name = operationOf(request.method === 'HEAD' ? 'GET' : request.method, query)
    failed.operation = name
    if (name === 'read' && wantsHelp(query)) return respondJson(200, JSON.stringify(helpOf(route.path, route, [])))
    const operation = route.operations[name]
    if (!operation) throw unsupportedOperation()
    const sent = { query, body: parseBody(body, request.headers.get('content-type')) }
    const answer = await operation.run({ core: this.#core, options: this.#options, requestId }, sent)
    return respondAnswer(answer, { requestId, mountType: 'system', reading: name === 'read' })
  }

  /** A login, where the path is one's; else nothing. It is not told whether there is a namespace or a mount where there is no login. */
  async #login({ request, target, query, body, remoteAddress, failed, trail }: Incoming): Promise<Respond | undefined> {
    const core = this.#core
    const found = writes.has(request.method) ? await findLogin(core, request.headers, target) : undefined
    if (!found) return undefined
    const { login, door, namespace, path } = found
    failed.route = `auth/${door.type}/login`
    failed.operation = operationOf(request.method, query)
    if (failed.operation !== 'write') throw unsupportedOperation()
    await core.quotas.take(() => core.namespaces.lineage(namespace), path, remoteAddress ?? '')
    const wrapTtl = wrapTtlOf(request.headers)
    const sent = { query, body: parseBody(body, request.headers.get('content-type')) }
    trail.operation('write')
    trail.place(namespace, path, `auth/${door.path}`, door.type)
    trail.sent(sent.body, wrapTtl)
    await trail.begin()
    const call = { core, options: this.#options, requestId: failed.requestId, namespace, door, remoteAddress }
    const answer = await login.run(call, sent)
    const about = { requestId: failed.requestId, mountType: door.type, reading: false }
    return await finish(this.#core, answer, about, { namespaceId: namespace.id, path: path, ttl: wrapTtl })
  }

  /** A wrapping token that is sent as the request's own. */
  async #ownWrapping({ request, target, query, body, remoteAddress, failed, trail }: Incoming) {
    const core = this.#core
    const found = writes.has(request.method) ? await findUnwrapping(core, request.headers, target) : undefined
    if (!found) return undefined
    const { operation, namespace, path } = found
    failed.route = `sys/wrapping/${operation}`
    const sent = { query, body: parseBody(body, request.headers.get('content-type')) }
    if (sent.body.token) return undefined
    failed.operation = 'write'
    trail.operation('write')
    trail.place(namespace, path, 'sys/', 'system')
    trail.sent(sent.body, undefined)
    await core.quotas.take(() => core.namespaces.lineage(namespace), path, remoteAddress ?? '')
    await trail.begin()
    const call = { core, presentedToken: found.presentedToken }
    const answer = operation === 'lookup' ? await lookupWrapped(call) : await unwrap(call)
    return respondAnswer(answer, { requestId: failed.requestId, mountType: 'system', reading: false })
  }

  async #authenticated(incoming: Incoming): Promise<Respond> {
    const core = this.#core
    const options = this.#options
    const { request, target, query, failed, remoteAddress, trail } = incoming
    const namespaceHeader = request.headers.get('x-vault-namespace')
    const fullPath = fullPathOf(namespaceHeader, target)
    // The operator's own limits hold for wrong tokens and paths that lead nowhere too, and tell nothing of what there is.
    await core.quotas.take(() => rootOf(core), fullPath, remoteAddress ?? '')
    const { caller, presentedToken } = await authenticate(core, request.headers, remoteAddress)
    trail.caller(caller)
    // Before anything is looked at: what is wrong with a request must not tell whether there is a namespace.
    checkWithin(caller, fullPath)
    const resolved = await resolve(core, namespaceHeader, target)
    if (!resolved) {
      const operation = request.method === 'HEAD' ? 'read' : operationOf(request.method, query)
      const parameters = parseBody(incoming.body, request.headers.get('content-type'))
      const wrapTtl = wrapTtlOf(request.headers)
      const capability = usualCapability(operation)
      await authorize(core, caller, { path: fullPath, operation, capability, parameters, wrapTtl })
      throw noRoute(target)
    }
    const { namespace } = resolved
    const belowRoot = async () => (await core.namespaces.lineage(namespace)).filter(({ id }) => id !== 'root')
    await core.quotas.take(belowRoot, resolved.path, remoteAddress ?? '')
    const call: SystemCall = { core, options, requestId: failed.requestId, caller, presentedToken, namespace }
    if (resolved.kind === 'sys') return await this.#operate(incoming, resolved, sysTable, call, 'system')
    if (resolved.kind === 'token') return await this.#operate(incoming, resolved, tokenTable, call, 'token')
    if (resolved.kind === 'door') {
      const { door } = resolved
      const table = doorTables.get(door.type)
      if (!table) throw unsupportedPath()
      return await this.#operate(incoming, resolved, table, { ...call, door }, door.type)
    }
    const { id, path, type } = resolved.mount
    const scope = { namespaceId: namespace.id, namespacePath: namespace.path, mountId: id, mountPath: path }
    const unfinished: string[] = []
    const async = prefersAsync(request.headers)
    const deadline = core.context.now() + (async ? 0 : options.requestDeadlineMs)
    const waiting = { deadline, unfinished: (operationId: string) => void unfinished.push(operationId) }
    const mountUrl = `/v1/${target.segments.slice(0, resolved.under).map(encodeURIComponent).join('/')}`
    const settle = (answer: Answer) => (async ? accepted(answer, unfinished, mountUrl) : answer)
    return await this.#operate(incoming, resolved, keymgmtTable, { ...call, scope, waiting }, type, { id, settle })
  }

  async #operate<C extends SystemCall>(
    { request, target, query, body, failed, trail }: Incoming,
    resolved: Resolved,
    table: RouteTable<Route<C>>,
    call: C,
    mountType: string,
    mount?: { id: string; settle(answer: Answer): Answer },
  ): Promise<Respond> {
    const mountId = mount?.id
    const name = request.method === 'HEAD' ? 'read' : operationOf(request.method, query)
    failed.operation = name
    trail.operation(name)
    const match = table.match(target.segments, resolved.under)
    if (match) failed.route = match.template
    const helps = name === 'read' && wantsHelp(query) && (match || target.segments.length === resolved.under)
    // As in Vault for every token, of its own namespace; of others for those who may read.
    if (helps && call.caller.token.namespaceId === resolved.namespace.id) {
      return respondJson(200, JSON.stringify(helpOf(resolved.path, match?.route, table.routes)))
    }
    const operation = request.method === 'HEAD' ? undefined : match?.route.operations[name]
    const needed = operation?.capability ?? usualCapability(name)
    const sent = { query, body: parseBody(body, request.headers.get('content-type')) }
    const wrapTtl = wrapTtlOf(request.headers)
    const { namespace } = resolved
    trail.place(namespace, resolved.path, mountPointOf(resolved), mountType)
    trail.sent(sent.body, wrapTtl)
    await authorize(this.#core, call.caller, {
      path: namespace.path === '' ? resolved.path : `${namespace.path}/${resolved.path}`,
      operation: name,
      capability: typeof needed === 'string' ? needed : () => needed(call, match?.params ?? {}),
      parameters: sent.body,
      wrapTtl,
    })
    // Here it is known who wants what; nothing has had an effect yet.
    await trail.begin()
    if (helps) return respondJson(200, JSON.stringify(helpOf(resolved.path, match?.route, table.routes)))
    if (!match) throw unsupportedPath()
    if (!operation) throw unsupportedOperation()
    if (name === 'patch') checkPatchType(request.headers.get('content-type'))

    const cacheable = operation.cacheable && mountId !== undefined && wrapTtl === undefined
    const cacheKey = cacheable ? `${name} ${mountId} ${target.raw}` : undefined
    const stamp = mountId === undefined ? 0 : this.#core.stamp(mountId)
    const known = cacheKey === undefined ? undefined : this.#cache.get(cacheKey, stamp)
    if (known) return { ...respondJson(200, withRequestId(failed.requestId, known.tail)), kept: known }

    const about = { requestId: failed.requestId, mountType, reading: name === 'read' || name === 'list' }
    const wrapping = { namespaceId: namespace.id, path: resolved.path, ttl: wrapTtl }
    const keep = (tail: string) => {
      if (cacheKey !== undefined) this.#cache.set(cacheKey, stamp, tail)
    }
    const work = async () => {
      const answer = await operation.run(call, match.params, sent)
      return await finish(this.#core, mount ? mount.settle(answer) : answer, about, wrapping, keep)
    }
    const key = mountId === undefined || about.reading ? undefined : idempotencyKeyOf(request.headers)
    if (key === undefined) return await work()
    const path = `${mountId} ${resolved.path}`
    return await answerOnce(
      this.#core,
      { namespaceId: namespace.id, tokenId: call.caller.token.id, method: request.method, path, key, body },
      () => work().catch((error: unknown) => respondError(error, failed, this.#core.context.log)),
      () => respondAnswer({ data: null, warnings: [changedBefore] }, about),
    )
  }
}
