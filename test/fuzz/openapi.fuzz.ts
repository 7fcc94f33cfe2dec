import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { missingCommand } from '../clients/tools.ts'
import { call, Keyferry, temporaryFolders } from '../commands/keyferry.ts'
import { fuzz, type Report, schemathesis } from './schemathesis.ts'

/** How many requests at least: `KEYFERRY_FUZZ_REQUESTS=20000 npm run test:fuzz`; with another `KEYFERRY_FUZZ_SEED`, other ones. */
const wanted = Number(process.env.KEYFERRY_FUZZ_REQUESTS ?? 2000)
const firstSeed = Number(process.env.KEYFERRY_FUZZ_SEED ?? 1)
const missing = missingCommand('python3', '-c', 'import venv, ensurepip')
const absent = missing !== undefined && process.env.CI !== 'true'

/** After these the caller has no rights, or too many requests: sent last, and each with a token of its own. */
const selfHarming = [
  'token-write-revoke-self',
  'token-write-revoke',
  'token-write-revoke-orphan',
  'system-write-quotas-rate-limit',
]

interface Parameter {
  name: string
  in: string
  schema: Record<string, unknown>
}

interface Document {
  paths: Record<string, Record<string, { operationId: string; parameters?: Parameter[] }>>
}

/**
 * The document with what is there in place of names: what is mounted, and few names for what is made, so that requests meet. The
 * parameters of `sys/health` that ask for a status, a 5xx too, are left out.
 */
function narrowed(document: Document): Document {
  for (const operation of Object.values(document.paths).flatMap((item) => Object.values(item))) {
    if (operation.operationId === 'system-read-sys-health') operation.parameters = []
    for (const parameter of operation.parameters ?? []) {
      const { name, in: place, schema } = parameter
      if (place !== 'path') continue
      if (name.endsWith('_mount_path')) parameter.schema = { type: 'string', enum: [schema.default] }
      else if (/^(?:name|key_name|role_name|role)$/.test(name))
        parameter.schema = { type: 'string', enum: ['one', 'two'] }
    }
  }
  return document
}

describe.skipIf(absent)(`schemathesis${missing === undefined ? '' : ` (${missing})`}`, () => {
  const folders = temporaryFolders()
  const folder = folders.make()
  const document = join(folder, 'openapi.json')
  let command: string
  let gateway: Keyferry
  let url: string

  beforeAll(async () => {
    expect(missing).toBeUndefined()
    command = await schemathesis()
    gateway = new Keyferry(['dev', '--dev-root-token-id', 'root', '--listen', '127.0.0.1:0'])
    const [, found = ''] = await gateway.says('stdout', /VAULT_ADDR='([^']+)'/)
    url = found
    const [, kms = ''] = await gateway.says('stdout', /keymgmt\/kms\/prod" -d '([^']+)'/)
    const told = await fetch(`${url}/openapi.json`)
    writeFileSync(document, JSON.stringify(narrowed((await told.json()) as Document)))
    const prepared = [
      await call(url, 'root', 'POST', 'sys/auth/approle', { type: 'approle' }),
      await call(url, 'root', 'POST', 'sys/auth/jwt', { type: 'jwt' }),
      await call(url, 'root', 'POST', 'auth/approle/role/one', { token_policies: 'default' }),
      await call(url, 'root', 'POST', 'keymgmt/kms/one', JSON.parse(kms)),
      await call(url, 'root', 'POST', 'keymgmt/key/one', { type: 'rsa-2048' }),
      await call(url, 'root', 'POST', 'keymgmt/kms/one/key/one', { purpose: 'sign' }),
    ]
    expect(prepared.map(({ status }) => status)).toEqual(prepared.map(() => 204))
  })
  afterAll(async () => {
    await gateway?.stop()
    folders.removeAll()
  })

  /** Nothing that the gateway calls its own fault is in its log, and it still serves. */
  const checkGateway = async () => {
    expect(gateway.stderr).not.toMatch(/request failed|unhandled|fatal/i)
    expect((await fetch(`${url}/v1/sys/health`)).status).toBe(200)
  }

  const tokenWith = async (policy: string): Promise<string> => {
    const { status, body } = await call(url, 'root', 'POST', 'auth/token/create', { policies: [policy], ttl: '1h' })
    expect(status).toBe(200)
    return (body as { auth: { client_token: string } }).auth.client_token
  }

  it(`finds no answer that is not declared, and no fault of the server, in ${wanted} requests`, async () => {
    let requests = 0
    const accepted = new Set<string>()
    for (let round = 0; requests < wanted; round++) {
      const examples = Math.max(10, Math.ceil((wanted - requests) / 200))
      const seed = firstSeed + round
      const report: Report = await fuzz(command, {
        folder,
        document,
        url,
        token: 'root',
        examples,
        seed,
        not: selfHarming,
      })
      expect(report.failures).toEqual([])
      expect(report.errors).toEqual([])
      expect(report.tested).toBeGreaterThan(130)
      requests += report.requests
      for (const name of report.accepted) accepted.add(name)
      console.log(
        `seed ${seed}: ${report.requests} requests to ${report.tested} operations, ${accepted.size} took some`,
      )
    }
    // Not only refused at the door: most operations did what they are for.
    expect(accepted.size).toBeGreaterThan(80)
    await checkGateway()
  })

  it('nor in those of a caller who may make things and not change them', async () => {
    // Which of the two a write would be is found out for such a caller alone.
    const policy = 'path "*" { capabilities = ["create", "read", "list", "delete", "patch", "sudo"] }'
    await call(url, 'root', 'PUT', 'sys/policies/acl/maker', { policy })
    const token = await tokenWith('maker')
    const report = await fuzz(command, { folder, document, url, token, examples: 3, seed: firstSeed, not: selfHarming })
    expect([report.failures, report.errors]).toEqual([[], []])
    await checkGateway()
  })

  it('would find what is not declared', async () => {
    const told = JSON.parse(readFileSync(document, 'utf8')) as Document
    const read = told.paths['/v1/{keymgmt_mount_path}/key/{name}']?.get as unknown as { responses: object }
    read.responses = { 204: { description: 'nothing' } }
    const wrong = join(folder, 'wrong.json')
    writeFileSync(wrong, JSON.stringify(told))
    const only = ['key-management-read-key']
    const report = await fuzz(command, { folder, document: wrong, url, token: 'root', examples: 5, seed: 1, only })
    expect(report.failures).not.toEqual([])
  })

  it.each(selfHarming)('nor in those to %s', async (only) => {
    const token = await tokenWith('root')
    const report = await fuzz(command, { folder, document, url, token, examples: 40, seed: firstSeed, only: [only] })
    expect([report.failures, report.errors, report.tested]).toEqual([[], [], 1])
    await checkGateway()
  })
})
