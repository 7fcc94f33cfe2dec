import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyVaultEmulator, startKeyVaultEmulator } from '../../../src/emulator/azurekeyvault/index.ts'
import { clientOf, kidOf, owner, vaultCaller } from './harness.ts'

let emulator: KeyVaultEmulator
const start = Date.UTC(2026, 0, 1)

beforeAll(async () => {
  emulator = await startKeyVaultEmulator({
    vaults: [
      { name: 'slow', kind: 'premium', deletionSeconds: 30, softDeleteRetentionDays: 7 },
      { name: 'quick', kind: 'premium' },
      { name: 'guarded', kind: 'premium', purgeProtection: true },
    ],
    principals: [owner],
    now: () => start,
    tokenLifetimeSeconds: 10 * 365 * 86_400,
  })
})
afterAll(() => emulator.close())

const create = { kty: 'EC' }
const jwk = {
  kty: 'EC',
  crv: 'P-256',
  // RFC 7515, appendix A.3.1.
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
}

describe('deleting and recovering take their time', () => {
  test('each state of a name, by the clock', async () => {
    const vault = await vaultCaller(emulator, 'slow.vault.azure.net')
    const first = await vault('POST', '/keys/name/create', create)
    const before = Math.floor(emulator.now() / 1000)

    const deleted = await vault('DELETE', '/keys/name')
    expect(deleted.status).toBe(200)
    expect(deleted.json).toMatchObject({
      recoveryId: 'https://slow.vault.azure.net/deletedkeys/name',
      deletedDate: before,
      scheduledPurgeDate: before + 7 * 86_400,
      key: first.json.key,
      attributes: { recoveryLevel: 'CustomizedRecoverable+Purgeable', recoverableDays: 7 },
    })

    // Being deleted.
    const deleting = {
      code: 'Conflict',
      message: 'Key name is currently being deleted and cannot be re-created; retry later.',
      innererror: { code: 'ObjectIsBeingDeleted' },
    }
    for (const request of [
      await vault('POST', '/keys/name/create', create),
      await vault('PUT', '/keys/NAME', { key: jwk }),
    ]) {
      expect(request.status).toBe(409)
      expect({ ...request.json.error, message: request.json.error?.message.replace('NAME', 'name') }).toEqual(deleting)
    }
    expect((await vault('GET', '/keys/name')).json.error?.code).toBe('KeyNotFound')
    expect((await vault('DELETE', '/keys/name')).status).toBe(404)
    const early = await vault('GET', '/deletedkeys/name')
    expect([early.status, early.json.error]).toEqual([
      404,
      { code: 'KeyNotFound', message: 'Deleted Key not found: name' },
    ])
    for (const [method, path] of [
      ['DELETE', '/deletedkeys/name'],
      ['POST', '/deletedkeys/name/recover'],
    ] as const) {
      const answer = await vault(method, path)
      expect([answer.status, answer.json.error]).toEqual([
        409,
        {
          code: 'Conflict',
          message: 'Key is currently being deleted.',
          innererror: { code: 'ObjectIsBeingDeleted' },
        },
      ])
    }
    expect((await vault('GET', '/deletedkeys')).json.value).toEqual([])

    // Deleted.
    emulator.advanceClock(30_000)
    expect((await vault('GET', '/deletedkeys/name')).json).toMatchObject({ key: first.json.key, deletedDate: before })
    const again = await vault('PUT', '/keys/name', { key: jwk })
    expect([again.status, again.json.error]).toEqual([
      409,
      {
        code: 'Conflict',
        message:
          'Key name is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can ' +
          'only be recovered or purged.',
        innererror: { code: 'ObjectIsDeletedButRecoverable' },
      },
    ])
    expect((await vault('GET', '/keys')).json.value).toEqual([])

    // Being recovered.
    const recovered = await vault('POST', '/deletedkeys/name/recover')
    expect([recovered.status, kidOf(recovered)]).toEqual([200, kidOf(first)])
    expect((await vault('GET', '/keys/name')).status).toBe(404)
    for (const answer of [
      await vault('PUT', '/keys/name', { key: jwk }),
      await vault('DELETE', '/deletedkeys/name'),
      await vault('POST', '/deletedkeys/name/recover'),
    ]) {
      expect([answer.status, answer.json.error?.innererror?.code]).toEqual([409, 'ObjectIsBeingRecovered'])
    }

    // There again: an import is a new version of the old key.
    emulator.advanceClock(30_000)
    expect(kidOf(await vault('GET', '/keys/name'))).toBe(kidOf(first))
    const second = await vault('PUT', '/keys/name', { key: jwk })
    expect(second.status).toBe(200)
    const versions = (await vault('GET', '/keys/name/versions')).json.value as { kid: string }[]
    expect(versions.map(({ kid }) => kid).sort()).toEqual([kidOf(first), kidOf(second)].sort())
  })

  test('after the retention the name is free', async () => {
    const vault = await vaultCaller(emulator, 'slow.vault.azure.net')
    await vault('POST', '/keys/kept/create', create)
    await vault('DELETE', '/keys/kept')
    emulator.advanceClock(7 * 86_400_000 - 1)
    expect((await vault('GET', '/deletedkeys/kept')).status).toBe(200)
    expect((await vault('POST', '/keys/kept/create', create)).status).toBe(409)
    emulator.advanceClock(1)
    expect((await vault('GET', '/deletedkeys/kept')).status).toBe(404)
    expect((await vault('POST', '/keys/kept/create', create)).status).toBe(200)
  })
})

test('purged for good: the name is free, and its old version gone', async () => {
  const vault = await vaultCaller(emulator, 'quick.vault.azure.net')
  const first = await vault('POST', '/keys/name/create', create)
  await vault('DELETE', '/keys/name')
  const purged = await vault('DELETE', '/deletedkeys/name')
  expect([purged.status, purged.text]).toEqual([204, ''])
  expect((await vault('DELETE', '/deletedkeys/name')).status).toBe(404)
  expect((await vault('POST', '/keys/name/create', create)).status).toBe(200)
  expect((await vault('GET', new URL(kidOf(first)).pathname)).status).toBe(404)
})

test('with purge protection nothing is purged before its time', async () => {
  const vault = await vaultCaller(emulator, 'guarded.vault.azure.net')
  await vault('POST', '/keys/name/create', create)
  const deleted = await vault('DELETE', '/keys/name')
  expect(deleted.json.attributes?.recoveryLevel).toBe('Recoverable')
  const purge = await vault('DELETE', '/deletedkeys/name')
  expect([purge.status, purge.json.error?.code, purge.json.error?.innererror?.code]).toEqual([
    403,
    'Forbidden',
    'OperationNotAllowed',
  ])
  emulator.advanceClock(90 * 86_400_000)
  expect((await vault('GET', '/deletedkeys/name')).status).toBe(404)
})

test("the SDK's own pollers see a deletion and a recovery settle", async () => {
  const client = clientOf(emulator, 'slow.vault.azure.net')
  await client.createEcKey('polled')
  const deletion = await client.beginDeleteKey('polled', { intervalInMs: 1 })
  await deletion.poll()
  expect(deletion.isDone()).toBe(false)
  emulator.advanceClock(30_000)
  expect((await deletion.pollUntilDone()).name).toBe('polled')
  const recovery = await client.beginRecoverDeletedKey('polled', { intervalInMs: 1 })
  await recovery.poll()
  expect(recovery.isDone()).toBe(false)
  emulator.advanceClock(30_000)
  expect((await recovery.pollUntilDone()).name).toBe('polled')
  expect((await client.getKey('polled')).name).toBe('polled')
})

test('unknown names', async () => {
  const vault = await vaultCaller(emulator, 'quick.vault.azure.net')
  for (const [method, path, message] of [
    ['GET', '/keys/none', 'A key with (name/id) none was not found in this key vault.'],
    ['DELETE', '/keys/none', 'A key with (name/id) none was not found in this key vault.'],
    ['GET', '/keys/none/versions', 'A key with (name/id) none was not found in this key vault.'],
    ['GET', '/keys/none/0123', 'A key with (name/id) none was not found in this key vault.'],
    ['GET', '/deletedkeys/none', 'Deleted Key not found: none'],
    ['DELETE', '/deletedkeys/none', 'Deleted Key not found: none'],
    ['POST', '/deletedkeys/none/recover', 'Deleted Key not found: none'],
  ] as const) {
    const answer = await vault(method, path)
    expect([answer.status, answer.json.error?.code]).toEqual([404, 'KeyNotFound'])
    expect(answer.json.error?.message.startsWith(message)).toBe(true)
  }
})

test.each(['0', '26', '-1', 'x', '1e1', ''])('maxresults=%s is refused', async (maxresults) => {
  const vault = await vaultCaller(emulator, 'quick.vault.azure.net')
  const answer = await vault('GET', `/keys?maxresults=${maxresults}`)
  expect([answer.status, answer.json.error?.message]).toEqual([
    400,
    `The maxresults parameter must be a number from 1 to 25, not ${maxresults}.`,
  ])
})
