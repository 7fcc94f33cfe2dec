import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openApiDocument } from '../../src/http/openapi/document.ts'
import { doorRoutes } from '../../src/http/vault/auth/doors.ts'
import { tokenRoutes } from '../../src/http/vault/auth/index.ts'
import { keymgmtRoutes } from '../../src/http/vault/keymgmt/index.ts'
import { publicRoutes, sysRoutes } from '../../src/http/vault/sys/index.ts'
import { type Gateway, gateway } from '../http/gateway.ts'

interface Operation {
  operationId: string
  summary: string
  tags: string[]
  parameters?: ({ $ref: string } | { name: string; in: string; required?: boolean })[]
  responses: Record<string, unknown>
  security?: object[]
  [extension: string]: unknown
}

const document = openApiDocument('1.2.3')
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation: operation as unknown as Operation })),
)
const at = (path: string, method: string) =>
  operations.find((one) => one.path === path && one.method === method)?.operation as Operation

/** Every `$ref` in the document. */
function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, one]) =>
    name === '$ref' && typeof one === 'string' ? [one] : references(one),
  )
}

describe('the document', () => {
  it('has every operation of every route', () => {
    const doors = [doorRoutes.approle, doorRoutes.jwt].flatMap((door) => [
      ...(door?.routes ?? []),
      { operations: { write: 1 } },
    ])
    const count = [...publicRoutes, ...sysRoutes, ...tokenRoutes, ...keymgmtRoutes, ...doors]
      .map((route) => Object.keys(route.operations).length)
      .reduce((sum, one) => sum + one, 0)
    const oauth = operations.filter(({ operation }) => operation.tags[0] === 'oauth')
    expect([operations.length, oauth.length]).toEqual([count + 5, 5])
  })

  it('refers to nothing that is not there, and has nothing that nobody refers to', () => {
    const used = new Set(references(document))
    const there = Object.entries(document.components).flatMap(([kind, members]) =>
      kind === 'securitySchemes' ? [] : Object.keys(members as object).map((name) => `#/components/${kind}/${name}`),
    )
    const forAll = ['#/components/schemas/Wrapped', '#/components/schemas/Help']
    expect([...used, ...forAll].sort()).toEqual(there.sort())
  })

  it('has ids once each, texts, and every parameter of a path', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
    for (const { path, operation } of operations) {
      expect(operation.operationId).toMatch(/^[a-z][a-z_-]+$/)
      expect(operation.summary).toMatch(/\.$/)
      const declared = (operation.parameters ?? []).flatMap((one) =>
        'name' in one && one.in === 'path' ? [one.name] : [],
      )
      expect(declared).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))
    }
  })

  it('has schemas that a strict reader of JSON Schema 2020-12 takes', () => {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: false })
    ajv.addKeyword('components')
    ajv.addSchema(
      { $id: 'openapi', components: { schemas: document.components.schemas } } as object,
      'openapi',
      true,
      false,
    )
    for (const name of Object.keys(document.components.schemas)) {
      expect(() => ajv.compile({ $ref: `openapi#/components/schemas/${name}` }), name).not.toThrow()
    }
  })

  it('says what a reader wants to know of an operation', () => {
    expect(at('/v1/{keymgmt_mount_path}/key/{name}', 'post')).toMatchObject({
      operationId: 'key-management-write-key',
      'x-vault-createSupported': true,
      requestBody: {
        content: { 'application/json': { schema: { $ref: '#/components/schemas/KeyManagementWriteKeyRequest' } } },
      },
    })
    expect(document.components.schemas.KeyManagementWriteKeyRequest).toMatchObject({
      type: 'object',
      properties: {
        type: { type: 'string', enum: expect.arrayContaining(['rsa-2048', 'aes256-gcm96']) },
        deletion_allowed: { type: 'boolean', description: 'Whether the key may be deleted.' },
        min_enabled_version: { type: 'integer' },
        replica_regions: { type: 'array', items: { type: 'string' } },
      },
    })
    const { responses } = at('/v1/{keymgmt_mount_path}/key/{name}', 'post')
    expect(Object.keys(responses).filter((status) => status !== '202')).toEqual([
      '200',
      '204',
      '400',
      '403',
      '404',
      '405',
      '409',
      '413',
      '422',
      '429',
      '500',
      '503',
    ])
    expect(at('/v1/sys/remount', 'post')['x-vault-sudo']).toBe(true)
    expect(at('/v1/sys/health', 'get').security).toEqual([])
    expect(at('/v1/auth/{approle_mount_path}/login', 'post').security).toEqual([])
    expect(at('/v1/sys/namespaces/{path}', 'patch')).toMatchObject({
      requestBody: { content: { 'application/merge-patch+json': {} } },
      responses: { 415: {} },
    })
    expect(references(at('/v1/{keymgmt_mount_path}/key/', 'get').parameters)).toEqual(
      ['list', 'after', 'limit', 'namespace'].map((name) => `#/components/parameters/${name}`),
    )
  })
})

describe('the document is served', () => {
  let vault: Gateway
  beforeAll(async () => {
    vault = await gateway()
  })
  afterAll(() => vault.close())

  it('to everybody at /openapi.json', async () => {
    const response = await vault.app.request('http://gateway/openapi.json')
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify(document)))
  })

  it('to those with a token where Vault has it', async () => {
    const reply = await vault.send('GET', 'sys/internal/specs/openapi')
    expect([reply.status, JSON.parse(reply.text)]).toEqual([200, JSON.parse(JSON.stringify(document))])
    expect((await vault.send('GET', 'sys/internal/specs/openapi', undefined, { 'x-vault-token': '' })).status).toBe(403)
  })
})
