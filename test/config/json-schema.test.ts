import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { configurationSchema, publishedSchema } from '../../src/config/json-schema.ts'
import { loadSettings } from '../../src/config/load.ts'
import { checkTree } from '../../src/config/problems.ts'
import { allSettings, describedAt } from '../../src/config/schema.ts'

const repository = join(import.meta.dirname, '../..')
const schema = configurationSchema()
const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema)

describe('the JSON Schema of the configuration file', () => {
  test(`that is published is up to date: keyferry config schema > ${publishedSchema}; npm run fix`, () => {
    const published: unknown = JSON.parse(readFileSync(join(repository, publishedSchema), 'utf8'))
    expect(JSON.stringify(published)).toBe(JSON.stringify(schema))
  })

  test('is one that editors know, and describes every setting with its default', () => {
    expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#')
    for (const path of allSettings()) {
      let inner = schema as Inner
      for (const name of path) inner = (name === '*' ? inner.additionalProperties : inner.properties?.[name]) ?? {}
      const { description, default: usual } = describedAt(path)
      expect([path, inner.description, inner.default]).toEqual([path, description, usual])
    }
  })

  test.each([
    {},
    { $schema: 'keyferry.schema.json', data: 'x' },
    { tls: {}, http: { trustedProxies: ['10.0.0.0/8'] } },
    { azure: { clouds: { Mine: { vaultSuffix: 'v.test', kekType: 'RSA' } }, ambient: { namespaces: [''] } } },
    loadSettings({}, {}),
  ])('lets %j pass, as a start does', (tree) => {
    expect(checkTree(tree, String).problems).toEqual([])
    expect([validate(tree), validate.errors]).toEqual([true, null])
  })

  test.each([
    { lisen: 'x' },
    { data: 5 },
    { data: '' },
    { data: null },
    { tls: null },
    { tls: { minVersion: 'TLSv1' } },
    { http: { trustedProxies: '10.0.0.0/8' } },
    { http: { headerTimeoutMs: 0 } },
    { limits: { keys: 1.5 } },
    { log: { level: 'loud' } },
    { telemetry: { metrics: false } },
    { issuers: { allowedHosts: ['https://x'] } },
    { azure: { clouds: { Mine: { conectTo: 'x' } } } },
    [],
    'data',
  ])('refuses %j, as a start does', (tree) => {
    expect(checkTree(tree, String).problems).toHaveLength(1)
    expect(validate(tree)).toBe(false)
  })
})

interface Inner {
  properties?: Record<string, Inner>
  additionalProperties?: Inner
  description?: string
  default?: unknown
}
