import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FieldError, fieldsOf } from '../../src/client/fields.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-fields-'))
  writeFileSync(join(folder, 'policy.hcl'), 'path "a" {}\n')
  writeFileSync(join(folder, 'body.json'), '{"type": "rsa-3072", "deletion_allowed": true}')
  writeFileSync(join(folder, 'list.json'), '["secret-in-a-list"]')
})
afterAll(() => rmSync(folder, { recursive: true }))

const noStdin = () => Promise.reject(new Error('standard input was read'))
const of = (args: string[], stdin?: string) =>
  fieldsOf(args, stdin === undefined ? noStdin : () => Promise.resolve(stdin))

describe('fields are what Vault sends for the same arguments', () => {
  test.each<[string[], string]>([
    [['type=rsa-3072'], '{"type":"rsa-3072"}'],
    [['min_enabled_version=2', 'deletion_allowed=true'], '{"min_enabled_version":"2","deletion_allowed":"true"}'],
    [
      ['credentials=client_id=a', 'credentials=client_secret=b==', 'credentials=tenant_id=c'],
      '{"credentials":["client_id=a","client_secret=b==","tenant_id=c"]}',
    ],
    [['credentials=client_id=a'], '{"credentials":"client_id=a"}'],
    [['a='], '{"a":""}'],
    [['a=\\@b', 'c=\\d'], '{"a":"@b","c":"\\\\d"}'],
    [['__proto__=x'], '{"__proto__":"x"}'],
    [[], '{}'],
  ])('%j', async (args, body) => {
    expect(JSON.stringify(await of(args))).toBe(body)
  })

  test('a value from a file or from standard input is taken whole', async () => {
    expect(await of([`policy=@${folder}/policy.hcl`, 'a=-'], 'line\n')).toEqual({
      policy: 'path "a" {}\n',
      a: 'line\n',
    })
  })

  test('a JSON object keeps its types, and fields beside it join it', async () => {
    expect(await of(['-', 'a=1'], '{"n": 2, "deep": {"x": null}}')).toEqual({ n: 2, deep: { x: null }, a: '1' })
    expect(await of([`@${folder}/body.json`])).toEqual({ type: 'rsa-3072', deletion_allowed: true })
    expect(await of(['-', 'names=c'], '{"names": ["a", "b"]}')).toEqual({ names: ['a', 'b', 'c'] })
  })

  test('any name and value arrive as they were given', async () => {
    const name = fc.string({ minLength: 1 }).filter((text) => !text.includes('='))
    const value = fc.string().filter((text) => text !== '-' && !text.startsWith('@') && !text.startsWith('\\@'))
    await fc.assert(
      fc.asyncProperty(name, fc.array(value, { minLength: 1, maxLength: 3 }), async (one, values) => {
        const fields = await of(values.map((text) => `${one}=${text}`))
        expect(Object.entries(fields)).toEqual([[one, values.length === 1 ? values[0] : values]])
      }),
    )
  })
})

describe('a field that is not as it must be is a sentence that repeats no value', () => {
  test.each<[string[], string]>([
    [['a=b', 'hvs.secret'], 'field 2 is not NAME=VALUE, nor "-" or "@FILE" for a JSON object'],
    [['=hvs.secret'], 'field 1 is not NAME=VALUE, nor "-" or "@FILE" for a JSON object'],
    [['a=@/nowhere/x'], 'the file /nowhere/x cannot be read: it does not exist'],
    [['@/nowhere/x.json'], 'the file /nowhere/x.json cannot be read: it does not exist'],
    [['-'], 'what came on standard input is not a JSON object, as in {"type": "rsa-3072"}'],
    [['a=-', 'b=-'], 'standard input can be read only once: "-" is given twice'],
    [['-', 'b=-'], 'what came on standard input is not a JSON object, as in {"type": "rsa-3072"}'],
  ])('%j', async (args, sentence) => {
    await expect(of(args, 'secret, and no JSON')).rejects.toThrow(new FieldError(sentence))
  })

  test('JSON that is no object', async () => {
    await expect(of([`@${folder}/list.json`])).rejects.toThrow(/list\.json is not a JSON object, as in/)
  })
})
