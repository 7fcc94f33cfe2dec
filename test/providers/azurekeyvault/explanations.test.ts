import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Connection } from '../../../src/core/kms/provider.ts'
import type { FaultSpec } from '../../../src/emulator/azurekeyvault/index.ts'
import { type Bench, clientSecret, failure, importRequest, openAnother, startBench } from './harness.ts'

let bench: Bench
let connection: Connection
beforeAll(async () => {
  bench = await startBench()
  connection = await bench.open()
  await connection.importVersion(importRequest())
})
afterAll(() => bench.emulator.close())
afterEach(() => bench.emulator.clearFaults())

describe('refusals in plain words', () => {
  const refusing = (operation: string, status: number, code: string, message: string, inner?: string): FaultSpec => ({
    match: { operation },
    action: { status, body: { error: { code, message, ...(inner && { innererror: { code: inner } }) } } },
  })

  it.each<[string, FaultSpec, string, string | undefined]>([
    [
      'firewall',
      refusing('import', 403, 'Forbidden', 'Client address is not authorized', 'ForbiddenByFirewall'),
      "the vault's firewall does not let this address in",
      'Forbidden/ForbiddenByFirewall',
    ],
    [
      'firewall, by words',
      refusing('import', 403, 'Forbidden', 'Client address is not authorized and caller is not a trusted service.'),
      "the vault's firewall does not let this address in",
      'Forbidden',
    ],
    [
      'private link',
      refusing('import', 403, 'Forbidden', 'x', 'ForbiddenByConnection'),
      'public access switched off',
      'Forbidden/ForbiddenByConnection',
    ],
    [
      'private link, by words',
      refusing(
        'import',
        403,
        'Forbidden',
        'Public network access is disabled and request is not from a trusted service',
      ),
      'public access switched off',
      'Forbidden',
    ],
    [
      'policy of the organisation',
      refusing('import', 403, 'Forbidden', 'x', 'ForbiddenByPolicy'),
      'a policy of the organisation (Azure Policy) forbids such keys',
      undefined,
    ],
    [
      'RBAC, by words',
      refusing('import', 403, 'Forbidden', 'Caller is not authorized to perform action on resource.'),
      'no role on this vault with the permission "import"',
      undefined,
    ],
    [
      'something else',
      refusing('import', 403, 'Forbidden', 'x'),
      'the identity lacks the permission "import" on keys there',
      undefined,
    ],
    [
      'api-version',
      refusing(
        'import',
        400,
        'BadParameter',
        'The specified version (9.9) is not recognized. Consider using the latest supported api-version.',
      ),
      'it does not know the api-version',
      undefined,
    ],
    [
      'being deleted',
      refusing('import', 409, 'Conflict', 'Key is currently being deleted', 'ObjectIsBeingDeleted'),
      'a key of that name is being deleted',
      'Conflict/ObjectIsBeingDeleted',
    ],
    [
      'being recovered',
      refusing('import', 409, 'Conflict', 'x', 'ObjectIsBeingRecovered'),
      'a key of that name is being recovered',
      undefined,
    ],
    [
      'type',
      refusing('import', 400, 'BadParameter', 'Invalid kty value: oct', 'KeyTypeNotSupported'),
      'it does not hold keys of this type',
      'BadParameter/KeyTypeNotSupported',
    ],
    ['too many', refusing('import', 429, 'Throttled', 'x'), 'the vault gets more requests than it takes', 'Throttled'],
    [
      'trouble',
      refusing('import', 500, 'InternalServerError', 'x'),
      'the service has a problem of its own',
      'InternalServerError',
    ],
  ])('%s', async (_what, fault, sentence, serviceCode) => {
    bench.emulator.injectFault(fault)
    const error = await failure(connection.importVersion(importRequest()))
    expect(error.message).toContain(sentence)
    expect(error.message).toContain(`prod-keys.vault.azure.net answered ${fault.action.status}`)
    if (serviceCode !== undefined) expect(error.serviceCode).toBe(serviceCode)
  })

  it('a standard vault that is asked for an HSM', async () => {
    const standard = await bench.open({ ...bench.settings, keyCollection: 'plain-keys' })
    const error = await failure(standard.importVersion(importRequest()))
    expect(error).toMatchObject({ kind: 'refused', effect: 'none' })
    expect(error.message).toContain(
      'the vault is of the standard tier, which has no HSM: use a premium vault, or distribute with protection software',
    )
  })

  it('an api-version that the vault does not know', async () => {
    const old = await startBench({ cloud: { serviceVersion: '6.0' } })
    const error = await failure((await old.open()).describe('nothing'))
    expect(error).toMatchObject({ kind: 'refused', status: 400 })
    expect(error.message).toContain("the cloud's serviceVersion must be one that it serves")
    await old.emulator.close()
  })
})

describe('no secret in an error', () => {
  const canaries = [
    clientSecret,
    encodeURIComponent(clientSecret),
    'eyJhbGciOiJub25lIn0.eyJjYW5hcnkiOjF9.c2ln',
    'canary-query',
  ]

  it.each<[string, FaultSpec]>([
    ['of the vault', { match: { operation: 'import' }, action: { status: 403 } }],
    ['of the authority', { match: { operation: 'token' }, action: { status: 401 } }],
    ['of a lost connection', { match: { operation: 'import' }, action: { drop: 'after' } }],
  ])('%s, even when the service repeats it', async (_what, fault) => {
    const said = `You sent ${canaries.slice(0, 3).join(' and ')} with Bearer abcdef.ghi to https://prod-keys.vault.azure.net/keys?sig=canary-query&x=1\r\n`
    const body = { error: { code: `Forbidden${clientSecret}`, message: said }, error_description: said }
    bench.emulator.injectFault({ ...fault, action: { ...fault.action, ...(fault.action.status && { body }) } })
    const fresh = await openAnother(bench, { register: bench.register })
    const error = await failure(fresh.importVersion(importRequest()))
    const all = [
      error.message,
      error.stack,
      error.serviceCode,
      inspect(error, { depth: 20, showHidden: true, getters: true }),
    ].join('\n')
    for (const canary of canaries) expect(all).not.toContain(canary)
    expect(all).not.toMatch(/Bearer [^[]/)
    expect(all).not.toMatch(/[\w+/=-]{200,}/)
    expect(error.message).not.toMatch(/[\r\n]/)
  })
})
