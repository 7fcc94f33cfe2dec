import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { openApiDocument } from '../../src/http/openapi/document.ts'

/** A request that was answered. `path`: with `/v1/` and without its query. */
export interface Exchange {
  method: string
  path: string
  query: URLSearchParams
  headers: Headers
  status: number
  type: string | null
  text: string
}

interface Operation {
  operationId: string
  responses: Record<string, Answer | { $ref: string }>
}

interface Answer {
  content?: Record<string, { schema: object }>
}

interface Candidate {
  method: string
  pattern: RegExp
  literals: number
  mountType: string | undefined
  operation: Operation
}

const document = openApiDocument('1.2.3')
const ajv = new Ajv2020({ strict: false, validateFormats: false })
ajv.addSchema(document, 'openapi')
const validators = new Map<string, ValidateFunction>()

/** Of the document's `default` parameters of mounts: what kind is mounted where a path has one. */
const mountTypes: Readonly<Record<string, string[]>> = {
  keymgmt: ['keymgmt'],
  approle: ['approle'],
  jwt: ['jwt', 'oidc'],
}

const candidates: Candidate[] = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({
    method,
    pattern: patternOf(path),
    literals: path.split('/').filter((part) => part !== '' && !part.startsWith('{')).length,
    mountType: /\{(\w+)_mount_path\}/.exec(path)?.[1],
    operation: operation as unknown as Operation,
  })),
)

/** A mount's path, and parameters that take several parts, may hold slashes; a namespace may stand before all of it. */
function patternOf(path: string): RegExp {
  const source = path
    .replace(/^\/v1\//, '/v1/(?:[^/]+/)*?')
    .replace(/\{\w+_mount_path\}/g, '.+?')
    .replace(/\{(?:path|name)\}$/g, '.+')
    .replace(/\{path\}/g, '.+')
    .replace(/\{\w+\}/g, '[^/]+')
    .replaceAll('/.well-known', '/\\.well-known')
  return new RegExp(`^${source}$`)
}

/**
 * What is not as the OpenAPI document says of an answer; undefined where all is. What no operation of the document is for must have been
 * refused, in Vault's shape.
 */
export function breach(exchange: Exchange): string | undefined {
  const { method, path, status, text } = exchange
  if (exchange.query.has('help') && status === 200) return problem(exchange, '#/components/schemas/Help')
  const found = operationsFor(exchange)
  if (found.length === 0) {
    if (status < 400) return `${method} ${path} is answered with ${status}, and is not in the document`
    const shape = path.startsWith('/oauth/') ? 'OAuthError' : 'Errors'
    return method === 'HEAD' ? undefined : problem(exchange, `#/components/schemas/${shape}`)
  }
  const reasons = found.map(({ operation }) => breachOf(exchange, operation))
  if (reasons.includes(undefined)) return undefined
  return `${method} ${path} -> ${status}: ${reasons.join('; ')}: ${text.slice(0, 500)}`
}

/** The operations that a request may be for: of those with the most literal parts, more than one only where mounts look alike. */
function operationsFor({ method, path, query, text }: Exchange): Candidate[] {
  const list = method === 'LIST' || (method === 'GET' && /^(?:1|t|T|true|TRUE|True)$/.test(query.get('list') ?? ''))
  const wanted = { GET: 'get', HEAD: 'get', LIST: 'get', POST: 'post', PUT: 'post', PATCH: 'patch', DELETE: 'delete' }[
    method
  ]
  const bare = path.replace(/\/+$/, '')
  const all = candidates.filter(
    (one) => one.method === wanted && one.pattern.test(list ? `${bare}/` : bare) && isList(one) === list,
  )
  const mountType = /"mount_type":"(\w+)"/.exec(text)?.[1]
  const most = Math.max(...all.map(({ literals }) => literals))
  const best = all.filter(({ literals }) => literals === most)
  const sure = best.filter((one) => one.mountType && mountType && mountTypes[one.mountType]?.includes(mountType))
  return sure.length > 0 ? sure : best
}

function isList({ operation }: Candidate): boolean {
  return operation.operationId.includes('-list-')
}

function breachOf(exchange: Exchange, { operationId, responses }: Operation): string | undefined {
  const { method, status, text, headers } = exchange
  const declared = responses[status] ?? responses.default
  if (!declared) return `${operationId} does not declare ${status}`
  const answer = '$ref' in declared ? (resolved(declared.$ref) as Answer) : declared
  if (method === 'HEAD') return text === '' ? undefined : 'HEAD has a body'
  if (status < 400 && status !== 204) {
    if (headers.has('x-vault-wrap-ttl') && text.includes('"wrap_info":{')) {
      return problem(exchange, '#/components/schemas/Wrapped')
    }
  }
  const plain = answer.content?.['text/plain']
  if (plain) return exchange.type?.startsWith('text/plain;') ? undefined : `the content type is ${exchange.type}`
  const schema = answer.content?.['application/json']?.schema
  if (!schema) return text === '' ? undefined : `${operationId} ${status} must have no body`
  return problem(exchange, '$ref' in schema ? String(schema.$ref) : schema)
}

/** What is wrong with a body. `schema`: itself, or where in the document it is. */
function problem({ type, text }: Exchange, schema: string | object): string | undefined {
  if (type !== 'application/json') return `the content type is ${type}`
  const key = typeof schema === 'string' ? schema : JSON.stringify(schema)
  const validate =
    validators.get(key) ?? ajv.compile(typeof schema === 'string' ? { $ref: `openapi${schema}` } : schema)
  validators.set(key, validate)
  return validate(JSON.parse(text)) ? undefined : ajv.errorsText(validate.errors)
}

function resolved(reference: string): unknown {
  const parts = reference.slice(2).split('/')
  return parts.reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], document)
}

/** For people, and no part of the API. */
const pages = /^\/(?:docs(?:\/.*)?|openapi\.json|metrics)$/

/** Wraps the `fetch` of an app: an answer that is not as the document says is thrown. */
export function holdToContract<
  A extends { fetch: (request: Request, ...rest: never[]) => Response | Promise<Response> },
>(app: A): A {
  const fetch = app.fetch
  const checked = async (request: Request, ...rest: never[]) => {
    const { method, url, headers } = request
    const response = await fetch(request, ...rest)
    const { pathname, searchParams } = new URL(url)
    if (pages.test(pathname)) return response
    const text = await response.clone().text()
    const type = response.headers.get('content-type')
    const found = breach({ method, path: pathname, query: searchParams, headers, status: response.status, type, text })
    if (found !== undefined) throw new Error(`not as OpenAPI says: ${found}`)
    return response
  }
  app.fetch = checked as A['fetch']
  return app
}
