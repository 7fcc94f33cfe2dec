import { approle } from '../vault/auth/approle/index.ts'
import type { DoorRoutes } from '../vault/auth/door.ts'
import { tokenRoutes } from '../vault/auth/index.ts'
import { jwt } from '../vault/auth/jwt/index.ts'
import { keymgmtRoutes } from '../vault/keymgmt/index.ts'
import { publicRoutes, sysRoutes } from '../vault/sys/index.ts'
import { oauthDocument } from './oauth.ts'
import { describeGroup, type Group } from './operations.ts'
import { type JsonSchema, sharedSchemas } from './schemas.ts'

/** An OpenAPI 3.1 document. */
export interface Document {
  openapi: '3.1.0'
  paths: Record<string, Record<string, JsonSchema>>
  components: { schemas: Record<string, JsonSchema> } & Record<string, unknown>
  [member: string]: unknown
}

const description = `
Vault's HTTP API for key management, and what belongs to it. PUT is the same as POST. A list can also be asked for by the verb LIST,
without ?list=true. Any path takes ?help=1, and any request X-Vault-Wrap-TTL: their answers are the schemas Help and Wrapped. Fields are
read as weakly as Vault reads them: numbers, booleans and durations ("1h30m") may come as strings, lists as one string with commas.`

const refusals: Readonly<Record<number, string>> = {
  400: 'The request is not one that can be met; the sentence says why, and what is allowed.',
  403: 'No token, one that is not good, or one without the right.',
  404: 'There is nothing there.',
  405: 'The path does not have this operation.',
  409: 'The first request with this Idempotency-Key still runs.',
  413: 'The body is too large.',
  415: 'The body is of another type than this operation takes.',
  422: 'The first request with this Idempotency-Key had another body.',
  429: 'Too many requests, or a quota is used up.',
  500: 'Something is wrong here, and was logged under the id that the sentence names.',
  503: 'Not now: try again.',
}

const query = (name: string, schema: JsonSchema, more: JsonSchema = {}) => ({ name, in: 'query', schema, ...more })
const header = (name: string, text: string) => ({ name, in: 'header', description: text, schema: { type: 'string' } })

const parameters = {
  list: query('list', { type: 'string', enum: ['true'] }, { required: true }),
  after: query('after', { type: 'string' }, { description: 'Names after this one.' }),
  limit: query('limit', { type: 'integer' }, { description: 'So many at most; 0 or less for all.' }),
  namespace: header('X-Vault-Namespace', 'The namespace; it can also be the beginning of the path.'),
  idempotencyKey: header(
    'Idempotency-Key',
    'A name of your own choice for this request: sent again within 24 hours, it is answered as the first time, and done once.',
  ),
  prefer: header(
    'Prefer',
    'respond-async: what is not done at once is answered with 202 and the place to look, and goes on.',
  ),
}

/** To a request that asked not to wait. */
const accepted = {
  description: 'It goes on: see the operation.',
  headers: { Location: { description: 'Where to read how the operation stands.', schema: { type: 'string' } } },
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Accepted' } } },
}

function door(type: string, name: string, { login, routes }: DoorRoutes): Group[] {
  const prefix = `/v1/auth/{${type}_mount_path}/`
  const loginOperation = { ...login, operations: { write: { body: login.body, answers: login.answers } } }
  return [
    { prefix, name, tag: type, open: true, routes: [loginOperation] },
    { prefix, name, tag: type, routes },
  ]
}

const groups = (): Group[] => [
  { prefix: '/v1/', name: 'system', tag: 'system', open: true, routes: publicRoutes },
  { prefix: '/v1/sys/', name: 'system', tag: 'system', routes: sysRoutes },
  { prefix: '/v1/auth/token/', name: 'token', tag: 'token', routes: tokenRoutes },
  ...door('approle', 'app-role', approle),
  ...door('jwt', 'jwt', jwt),
  {
    prefix: '/v1/{keymgmt_mount_path}/',
    name: 'key-management',
    tag: 'keymgmt',
    idempotent: true,
    routes: keymgmtRoutes,
  },
]

const made = new Map<string, Document>()

/** Everything that the gateway serves, from the tables and schemas that serve it; made once. `version`: Keyferry's own. */
export function openApiDocument(version: string): Document {
  const document = made.get(version) ?? makeDocument(version)
  made.set(version, document)
  return document
}

function makeDocument(version: string): Document {
  const paths: Document['paths'] = {}
  const schemas: Record<string, JsonSchema> = { ...sharedSchemas }
  for (const { path, method, operation, schemas: used } of groups().flatMap(describeGroup)) {
    paths[path] = { ...paths[path], [method]: operation }
    Object.assign(schemas, used)
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Keyferry', version, description: description.trim(), license: { name: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { bearer: [] }],
    tags: ['keymgmt', 'system', 'token', 'approle', 'jwt', 'oauth'].map((name) => ({ name })),
    paths: { ...paths, ...oauthDocument.paths },
    components: {
      securitySchemes: {
        token: { type: 'apiKey', in: 'header', name: 'X-Vault-Token' },
        bearer: { type: 'http', scheme: 'bearer' },
        client: { type: 'http', scheme: 'basic', description: 'Role id and secret id of an AppRole.' },
      },
      parameters,
      responses: {
        202: accepted,
        ...Object.fromEntries(
          Object.entries(refusals).map(([status, text]) => [
            status,
            { description: text, content: { 'application/json': { schema: { $ref: '#/components/schemas/Errors' } } } },
          ]),
        ),
      },
      schemas: { ...schemas, ...oauthDocument.schemas },
    },
  }
}
