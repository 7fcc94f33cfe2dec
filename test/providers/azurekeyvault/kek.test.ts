import { describe, expect, it } from 'vitest'
import { failure, importRequest, MemoryRegister, openAnother, root } from './harness.ts'
import { bench, collection, count, fingerprint, kekBench, raw, register } from './kek-bench.ts'

kekBench()

/** Opens a connection and has it make its key encryption key; gives the pinned row. */
async function withKek() {
  const connection = await openAnother(bench, { register })
  await connection.importVersion(importRequest())
  const row = register.current(collection)
  if (!row?.keyId) throw new Error('nothing was pinned')
  return { connection, row, keyId: row.keyId }
}

describe('a key encryption key of our own', () => {
  it('is RSA-HSM, for import alone, under a fresh random name, pinned with version and fingerprint', async () => {
    const { row, keyId } = await withKek()
    expect(row).toMatchObject({ state: 'pinned', name: expect.stringMatching(/^keyferry-kek-[0-9a-f]{32}$/) })
    expect(keyId).toMatch(new RegExp(`^${collection}/keys/${row.name}/[0-9a-f]{32}$`))
    const { body } = await raw.call('GET', keyId)
    expect(body.key).toMatchObject({ kty: 'RSA-HSM', key_ops: ['import'] })
    expect(row.fingerprint).toBe(fingerprint(body.key))
  })

  it('is made once by imports that start together, in one process', async () => {
    const connections = [
      await bench.provider.open(bench.settings, root, register),
      await bench.provider.open(bench.settings, root, register),
    ]
    await Promise.all(Array.from({ length: 10 }, (_, n) => connections[n % 2]?.importVersion(importRequest())))
    expect(count('create')).toBe(1)
    expect(register.rows).toHaveLength(1)
  })

  it('is shared by processes that start together: the version that is pinned first counts for both', async () => {
    const processes = [await openAnother(bench, { register }), await openAnother(bench, { register })]
    await Promise.all(processes.map((one) => one.importVersion(importRequest())))
    expect(register.rows).toHaveLength(1)
    await Promise.all(processes.map((one) => one.importVersion(importRequest())))
  })

  it('is the version that another process pinned first, not the one that was made here', async () => {
    class Overtaken extends MemoryRegister {
      override async pin(id: string, keyId: string, print: string) {
        const name = keyId.slice(0, keyId.lastIndexOf('/'))
        const theirs = await raw.call('POST', `${name}/create`, { kty: 'RSA-HSM', key_size: 4096, key_ops: ['import'] })
        await raw.call('PATCH', keyId, { attributes: { enabled: false } })
        await super.pin(id, theirs.body.key.kid, fingerprint(theirs.body.key))
        return await super.pin(id, keyId, print)
      }
    }
    await (await openAnother(bench, { register: new Overtaken() })).importVersion(importRequest())
    expect(count('import')).toBe(1)
  })

  it('is verified once by each connection', async () => {
    const { row } = await withKek()
    const second = await openAnother(bench, { register })
    bench.emulator.clearRequests()
    for (let n = 0; n < 3; n++) await second.importVersion(importRequest())
    expect(count('get', row.name)).toBe(1)
    expect(count('create')).toBe(0)
  })

  it('stays the pinned version when its name gets a newer one', async () => {
    const { connection, keyId, row } = await withKek()
    const newer = await raw.call('POST', `${collection}/keys/${row.name}/create`, {
      kty: 'RSA-HSM',
      key_size: 4096,
      key_ops: ['import'],
    })
    expect(newer.status).toBe(200)
    await connection.importVersion(importRequest())
    await (await openAnother(bench, { register })).importVersion(importRequest())
    expect(register.rows.map((one) => [one.keyId, one.retired])).toEqual([[keyId, null]])
  })
})

describe('when making it goes wrong', () => {
  it('a lost answer is found again by the recorded name, in the same call', async () => {
    bench.emulator.injectFault({ match: { operation: 'create' }, action: { drop: 'after' }, times: 1 })
    await withKek()
    expect(count('create')).toBe(1)
    expect(register.rows).toHaveLength(1)
  })

  it('a lost answer is found again by the next process', async () => {
    bench.emulator.injectFault({ match: { operation: 'create' }, action: { drop: 'after' }, times: 1 })
    bench.emulator.injectFault({ match: { operation: 'get' }, action: { status: 500 } })
    const error = await failure((await openAnother(bench, { register })).importVersion(importRequest()))
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' })
    const planned = register.current(collection)
    expect(planned).toMatchObject({ state: 'planned', keyId: null })
    bench.emulator.clearFaults()
    const { row } = await withKek()
    expect(row.name).toBe(planned?.name)
    expect(count('create')).toBe(1)
  })

  it('one that was never made is made under the recorded name', async () => {
    bench.emulator.injectFault({ match: { operation: 'create' }, action: { drop: 'before' }, times: 1 })
    const error = await failure((await openAnother(bench, { register })).importVersion(importRequest()))
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' })
    expect(error.message).toContain('could not make a key encryption key for BYOK')
    const planned = register.current(collection)
    const { row } = await withKek()
    expect(row.name).toBe(planned?.name)
  })

  it.each([
    [429, 'throttled'],
    [403, 'refused'],
    [500, 'unavailable'],
  ])('a %i of its making is %s, and without effect on the import', async (status, kind) => {
    bench.emulator.injectFault({ match: { operation: 'create' }, action: { status } })
    const error = await failure((await openAnother(bench, { register })).importVersion(importRequest()))
    expect(error).toMatchObject({ kind, effect: 'none' })
    expect(count('import')).toBe(0)
    expect(count('create')).toBe(1)
  })

  it('one that was deleted before it was used is given up, and not taken for a name of the imported key', async () => {
    const planned = await register.plan(collection, `keyferry-kek-${'1'.repeat(32)}`)
    const url = `${collection}/keys/${planned.name}`
    await raw.call('POST', `${url}/create`, { kty: 'RSA-HSM', key_size: 4096, key_ops: ['import'] })
    await raw.call('DELETE', url)
    const connection = await openAnother(bench, { register })
    const error = await failure(connection.importVersion(importRequest()))
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' })
    expect(error.message).toContain('was deleted before it was ever used: the next attempt makes another')
    await connection.importVersion(importRequest())
    expect(register.rows.map(({ retired }) => retired)).toEqual(['was deleted before it was ever used', null])
  })

  it('a key that is not as it must be is never used, and never looked for again', async () => {
    const planted = await register.plan(collection, `keyferry-kek-${'0'.repeat(32)}`)
    await raw.call('POST', `${collection}/keys/${planted.name}/create`, {
      kty: 'RSA-HSM',
      key_size: 2048,
      key_ops: ['encrypt', 'decrypt'],
    })
    const connection = await openAnother(bench, { register })
    const error = await failure(connection.importVersion(importRequest()))
    expect(error).toMatchObject({ kind: 'refused', effect: 'none' })
    expect(error.message).toContain('has other operations than import alone')
    expect(count('import')).toBe(0)
    expect(register.rows[0]?.retired).toBe('has other operations than import alone')
    await connection.importVersion(importRequest())
    expect(register.current(collection)?.name).not.toBe(planted.name)
  })
})

describe('one that is gone or changed', () => {
  it.each<[string, (keyId: string, row: { fingerprint: string | null }) => Promise<unknown>, string]>([
    ['deleted', (keyId) => raw.call('DELETE', keyId.slice(0, keyId.lastIndexOf('/'))), 'is not there any more'],
    ['disabled', (keyId) => raw.call('PATCH', keyId, { attributes: { enabled: false } }), 'is disabled'],
    [
      'expired',
      (keyId) => raw.call('PATCH', keyId, { attributes: { exp: 1_000_000_000 } }),
      'is not valid at this time',
    ],
  ])('%s while in use: the import is refused, a new one is made, and the import sent once more', async (_what, change, reason) => {
    const { connection, row, keyId } = await withKek()
    await change(keyId, row)
    bench.emulator.clearRequests()
    await connection.importVersion(importRequest())
    expect([count('import'), count('create')]).toEqual([2, 1])
    expect(register.rows.map(({ retired }) => retired)).toEqual([reason, null])
    expect(register.rows[1]?.name).not.toBe(row.name)
  })

  it.each<[string, (keyId: string, row: { fingerprint: string | null; keyId: string | null }) => unknown, string]>([
    ['deleted', (keyId) => raw.call('DELETE', keyId.slice(0, keyId.lastIndexOf('/'))), 'is not there any more'],
    ['disabled', (keyId) => raw.call('PATCH', keyId, { attributes: { enabled: false } }), 'is disabled'],
    [
      'of other material',
      (_, row) => Object.assign(row, { fingerprint: `sha256:${'0'.repeat(64)}` }),
      'has other key material than the one that was pinned',
    ],
    [
      'of another vault',
      (_, row) => Object.assign(row, { keyId: `https://other.vault.azure.net/keys/x/${'0'.repeat(32)}` }),
      'was recorded with an id that is not of this vault',
    ],
  ])('%s before a connection first uses it: replaced, and no import is refused', async (_what, change, reason) => {
    const { row, keyId } = await withKek()
    await change(keyId, row)
    bench.emulator.clearRequests()
    await (await openAnother(bench, { register })).importVersion(importRequest())
    expect([count('import'), count('create')]).toEqual([1, 1])
    expect(register.rows.map(({ retired }) => retired)).toEqual([reason, null])
  })

  it('is not suspected for long: a refusal with a sound key is final after one look', async () => {
    const { connection, row } = await withKek()
    bench.emulator.injectFault({
      match: { operation: 'import' },
      action: { status: 400, body: { error: { code: 'BadParameter', message: 'no' } } },
    })
    bench.emulator.clearRequests()
    const error = await failure(connection.importVersion(importRequest()))
    expect(error).toMatchObject({ kind: 'refused', effect: 'none', serviceCode: 'BadParameter' })
    expect([count('import'), count('get', row.name), count('create')]).toEqual([1, 1, 0])
  })

  it('is not blamed when it cannot be looked at: the refusal itself is told', async () => {
    const { connection } = await withKek()
    const body = { error: { code: 'BadParameter', message: 'no' } }
    bench.emulator.injectFault({ match: { operation: 'import' }, action: { status: 400, body } })
    bench.emulator.injectFault({ match: { operation: 'get' }, action: { status: 503 } })
    expect(await failure(connection.importVersion(importRequest()))).toMatchObject({ kind: 'refused', status: 400 })
  })

  it('is replaced once, never in a loop', async () => {
    const { connection, keyId } = await withKek()
    await raw.call('PATCH', keyId, { attributes: { enabled: false } })
    bench.emulator.injectFault({
      match: { operation: 'import' },
      action: { status: 400, body: { error: { code: 'BadParameter', message: 'no' } } },
    })
    bench.emulator.clearRequests()
    await failure(connection.importVersion(importRequest()))
    expect([count('import'), count('create')]).toEqual([2, 1])
  })

  it('is not given up because it cannot be read just now', async () => {
    const { keyId } = await withKek()
    bench.emulator.injectFault({ match: { operation: 'get' }, action: { status: 503 } })
    const error = await failure((await openAnother(bench, { register })).importVersion(importRequest()))
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' })
    expect(register.current(collection)?.keyId).toBe(keyId)
  })

  it('another process replaced it: the new one is taken, none is made', async () => {
    const { connection } = await withKek()
    const first = register.current(collection)
    await register.retire(first?.id ?? '', 'rotated')
    await (await openAnother(bench, { register })).importVersion(importRequest())
    bench.emulator.clearRequests()
    await connection.importVersion(importRequest())
    expect([count('import'), count('create')]).toEqual([1, 0])
  })
})
