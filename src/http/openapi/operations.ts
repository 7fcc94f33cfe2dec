import type { DescribedOperation, OperationName, RouteText } from '../vault/route.ts'
import { answerSchema, type JsonSchema, jsonSchema } from './schemas.ts'

/** Routes that are mounted together. */
export interface Group {
  /** Before the routes' own paths; may have a parameter: `/v1/{keymgmt_mount_path}/`. */
  prefix: string
  /** The beginning of each operation's id. */
  name: string
  tag: string
  /** No token is needed. */
  open?: boolean
  /** Writes take an `Idempotency-Key`. */
  idempotent?: boolean
  routes: readonly DescribedRoute[]
}

export interface DescribedRoute extends RouteText {
  path: string
  operations: Partial<Record<OperationName, DescribedOperation & { capability?: unknown }>>
}

/** An operation of OpenAPI, and the schemas that it refers to. */
export interface Described {
  path: string
  method: 'get' | 'post' | 'patch' | 'delete'
  operation: Record<string, unknown> & { operationId: string }
  schemas: Record<string, JsonSchema>
}

const methods = { read: 'get', list: 'get', write: 'post', patch: 'patch', delete: 'delete' } as const
const bodyTypes = { write: 'application/json', patch: 'application/merge-patch+json' } as const

/** Everything that a group serves. A list has the path with a slash at its end, as in Vault's own document. */
export function describeGroup(group: Group): Described[] {
  const taken = new Set<string>()
  return group.routes.flatMap((route) =>
    (Object.keys(route.operations) as OperationName[]).map((name) => {
      const operationId = idOf(group, name, route.path.split('/'), taken)
      taken.add(operationId)
      return describe(group, route, name, operationId)
    }),
  )
}

function describe(group: Group, route: DescribedRoute, name: OperationName, operationId: string): Described {
  const { body, query, answers, capability, async } = route.operations[name] ?? { answers: {} }
  const parts = route.path.split('/')
  const title = titleOf(operationId)
  const schemas: Record<string, JsonSchema> = {}
  const ref = (kind: 'Request' | 'Response', schema: JsonSchema) => {
    schemas[`${title}${kind}`] = schema
    return { $ref: `#/components/schemas/${title}${kind}` }
  }

  const path = `${group.prefix}${parts.map(templateOf).join('/')}${name === 'list' ? '/' : ''}`
  const sent = body && jsonSchema(body, 'input')
  const hasBody = sent && (Object.keys(sent.properties ?? {}).length > 0 || sent.additionalProperties !== undefined)
  const type = name === 'patch' ? bodyTypes.patch : bodyTypes.write
  const writes = name === 'write' || name === 'delete'
  const idempotent = group.idempotent === true && writes
  return {
    path,
    method: methods[name],
    schemas,
    operation: {
      operationId,
      summary: route.synopsis,
      description: route.description.trim().replaceAll('\n', ' '),
      tags: [group.tag],
      ...(group.open && { security: [] }),
      ...(capability === 'sudo' && { 'x-vault-sudo': true }),
      ...(typeof capability === 'function' && { 'x-vault-createSupported': true }),
      parameters: [
        ...mountParameter(group),
        ...parts.filter((part) => part.startsWith(':')).map(pathParameter),
        ...(name === 'list' ? ['list', 'after', 'limit'].map(shared) : []),
        ...Object.entries((query && jsonSchema(query, 'input').properties) ?? {}).map(queryParameter),
        ...(group.open && group.prefix === '/v1/' ? [] : [shared('namespace')]),
        ...(idempotent ? [shared('idempotencyKey')] : []),
        ...(async ? [shared('prefer')] : []),
      ],
      ...(sent && hasBody && { requestBody: { content: { [type]: { schema: ref('Request', sent) } } } }),
      responses: {
        ...successes(answers, (schema) => ref('Response', schema)),
        ...(async && { 202: { $ref: '#/components/responses/202' } }),
        ...refusals(group, name, idempotent, answers.anyStatus === true),
      },
    },
  }
}

function successes(answers: DescribedOperation['answers'], ref: (schema: JsonSchema) => JsonSchema) {
  if (answers.text !== undefined)
    return { 200: { description: 'OK', content: { [answers.text]: { schema: { type: 'string' } } } } }
  const schema = answerSchema(answers)
  const json = (of: JsonSchema) => ({ 'application/json': { schema: of } })
  const nothing = { description: 'Done; there is nothing to say.' }
  if (!schema) {
    const some = { description: 'Done, with warnings.', content: json({ $ref: '#/components/schemas/Warnings' }) }
    return { 200: some, 204: nothing }
  }
  return {
    200: { description: 'OK', content: json(ref(schema)) },
    ...(answers.orNothing && { 204: nothing }),
    ...(answers.anyStatus && {
      default: { description: 'The status that was asked for.', content: json(ref(schema)) },
    }),
  }
}

/** What each operation may be refused with. */
function refusals(
  { open, prefix }: Group,
  name: OperationName,
  idempotent: boolean,
  anyStatus: boolean,
): Record<string, unknown> {
  const bare = open === true && prefix === '/v1/'
  const statuses = [
    400,
    ...(bare ? [] : [403, 404]),
    405,
    ...(idempotent ? [409] : []),
    ...(name === 'write' || name === 'patch' ? [413] : []),
    ...(name === 'patch' ? [415] : []),
    ...(idempotent ? [422] : []),
    ...(bare ? [] : [429]),
    500,
    ...(anyStatus ? [] : [503]),
  ]
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]))
}

function shared(name: string): JsonSchema {
  return { $ref: `#/components/parameters/${name}` }
}

function mountParameter({ prefix }: Group): JsonSchema[] {
  const name = /\{(\w+)\}/.exec(prefix)?.[1]
  if (name === undefined) return []
  const schema = { type: 'string', default: name.replace(/_mount_path$/, '') }
  return [{ name, in: 'path', required: true, description: 'Where it is mounted.', schema }]
}

function pathParameter(part: string): JsonSchema {
  const many = part.endsWith('+') && { description: 'One part or more, with "/" between.' }
  return { name: nameOf(part), in: 'path', required: true, ...many, schema: { type: 'string', minLength: 1 } }
}

function queryParameter([name, schema]: [string, unknown]): JsonSchema {
  const { description, ...rest } = schema as JsonSchema
  return { name, in: 'query', ...(description ? { description } : {}), schema: rest }
}

function templateOf(part: string): string {
  return part.startsWith(':') ? `{${nameOf(part)}}` : part
}

function nameOf(part: string): string {
  return part.replace(/^:|\+$/g, '')
}

/** `key-management-write-key-rotate`: by the words of the path; where these are `taken`, also by the parameter at its end. */
function idOf({ name }: Group, operation: OperationName, parts: readonly string[], taken: Set<string>): string {
  const id = [name, operation, ...parts.filter((part) => !part.startsWith(':'))].join('-')
  return taken.has(id) ? `${id}-by-${nameOf(parts.at(-1) ?? '')}` : id
}

function titleOf(id: string): string {
  return id.replace(/(?:^|[-_])(\w)/g, (_, letter: string) => letter.toUpperCase())
}
