import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Connection, WrappingKeyRotation } from '../../../src/core/kms/provider.ts'
import { createAzureKeyVaultProvider } from '../../../src/providers/azurekeyvault/index.ts'
import { clientId, failure, fivePermissions, importRequest, root } from './harness.ts'
import { bench, collection, count, kekBench, raw, register } from './kek-bench.ts'

kekBench()

let now: number
let connect: (more?: { keyCollection?: string }) => Promise<Connection>
beforeEach(() => {
  now = Date.now()
  const provider = createAzureKeyVaultProvider({ ...bench.options, now: () => now })
  connect = (more = {}) => provider.open({ ...bench.settings, ...more }, root, register)
})
afterEach(() => bench.emulator.restrict(clientId, null))

const enabled = async (keyId: string) => (await raw.call('GET', keyId)).body.attributes.enabled

async function rotate(connection: Connection): Promise<WrappingKeyRotation> {
  const rotation = await connection.rotateWrappingKey?.()
  if (!rotation) throw new Error('there is no rotation')
  return rotation
}

describe('rotating the key encryption key', () => {
  it('makes one under a new name, pins it, and disables the former one, which is never deleted', async () => {
    const connection = await connect()
    await connection.importVersion(importRequest())
    const former = register.current(collection)
    const rotation = await rotate(connection)
    const row = register.current(collection)
    expect(row).toMatchObject({ state: 'pinned', keyId: rotation.keyId, fingerprint: rotation.fingerprint })
    expect(row?.name).not.toBe(former?.name)
    expect(rotation).toMatchObject({ formerKeyId: former?.keyId, attestation: null, warnings: [] })
    expect(register.rows.map(({ retired }) => retired)).toEqual(['was replaced on request', null])
    expect([await enabled(former?.keyId ?? ''), await enabled(rotation.keyId)]).toEqual([false, true])
    expect((await raw.call('GET', rotation.keyId)).body.key).toMatchObject({ kty: 'RSA-HSM', key_ops: ['import'] })
    expect(count('delete')).toBe(0)
  })

  it('is followed by every KMS on the vault: later imports are wrapped under the new one', async () => {
    const connections = [await connect(), await connect(), await connect()]
    for (const connection of connections) await connection.importVersion(importRequest())
    await rotate(connections[0] ?? (await connect()))
    for (const connection of connections) await connection.importVersion(importRequest())
    expect(register.rows).toHaveLength(2)
    expect(count('create')).toBe(2)
  })

  it('disturbs no import that is under way', async () => {
    const connection = await connect()
    await connection.importVersion(importRequest())
    const imports = Array.from({ length: 12 }, () => connection.importVersion(importRequest()))
    await rotate(await connect())
    expect(await Promise.all(imports)).toHaveLength(12)
    expect(register.rows).toHaveLength(2)
  })

  it('makes the first one where there is none yet', async () => {
    const rotation = await rotate(await connect())
    expect(rotation.formerKeyId).toBeNull()
    expect(register.rows.map(({ state, retired }) => [state, retired])).toEqual([['pinned', null]])
    expect(count('create')).toBe(1)
  })

  it('is refused within a minute of the last one, so that none is made in a loop', async () => {
    const connection = await connect()
    await rotate(connection)
    now += 30_000
    const error = await failure(rotate(await connect()))
    expect(error).toMatchObject({
      kind: 'refused',
      message: 'the key encryption key of this vault was replaced 30 s ago: wait until that is 60 s',
    })
    expect(count('create')).toBe(1)
    now += 30_000
    await rotate(connection)
    expect(count('create')).toBe(2)
  })

  it('asked for ten times at once is done once', async () => {
    const connection = await connect()
    await connection.importVersion(importRequest())
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => rotate(connection)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(count('create')).toBe(2)
  })

  it('changes nothing for others when the identity may not make keys', async () => {
    const connection = await connect()
    await connection.importVersion(importRequest())
    bench.emulator.restrict(clientId, ['get', 'import', 'update', 'delete'])
    const error = await failure(rotate(connection))
    expect(error).toMatchObject({ kind: 'refused', status: 403 })
    expect(error.message).toContain('"create"')
    expect(register.rows.map(({ retired }) => retired)).toEqual([null])
    await connection.importVersion(importRequest())
  })

  it('needs no more than the five permissions, and says when the former one cannot be disabled', async () => {
    bench.emulator.restrict(clientId, [...fivePermissions])
    const connection = await connect()
    await connection.importVersion(importRequest())
    expect((await rotate(connection)).warnings).toEqual([])
    now += 60_000
    bench.emulator.restrict(clientId, ['create', 'delete', 'get', 'import'])
    const { warnings, formerKeyId } = await rotate(connection)
    expect(warnings).toEqual([expect.stringMatching(/^the former key encryption key may still be enabled: .*"update"/)])
    expect(await enabled(formerKeyId ?? '')).toBe(true)
    await connection.importVersion(importRequest())
  })

  it('finds a lost answer again by its name, and else leaves the former one in place', async () => {
    const connection = await connect()
    await connection.importVersion(importRequest())
    bench.emulator.injectFault({ match: { operation: 'create' }, action: { drop: 'after' }, times: 1 })
    await rotate(connection)
    expect(count('create')).toBe(2)
    now += 60_000
    const before = register.current(collection)
    bench.emulator.injectFault({ match: { operation: 'create' }, action: { drop: 'before' }, times: 1 })
    expect(await failure(rotate(connection))).toMatchObject({ kind: 'unavailable' })
    expect(register.current(collection)).toEqual(before)
    await connection.importVersion(importRequest())
  })

  it('refuses a new one that is not as it must be, and keeps the former one', async () => {
    const connection = await connect()
    await connection.importVersion(importRequest())
    const before = register.current(collection)
    const key = { kid: `${collection}/keys/x/${'0'.repeat(32)}`, kty: 'RSA-HSM', key_ops: ['import', 'sign'] }
    const body = { key, attributes: { enabled: true } }
    bench.emulator.injectFault({ match: { operation: 'create' }, action: { status: 200, body } })
    const error = await failure(rotate(connection))
    expect(error).toMatchObject({ kind: 'refused' })
    expect(error.message).toMatch(/that was made in the vault has other operations than import alone$/)
    expect(register.current(collection)).toEqual(before)
  })

  it('takes the one that another process made first', async () => {
    const connection = await connect()
    await connection.importVersion(importRequest())
    const other = await createAzureKeyVaultProvider(bench.options).open(bench.settings, root, register)
    const [one, two] = await Promise.all([rotate(connection), rotate(other)])
    const current = register.current(collection)?.keyId
    expect(register.rows.filter(({ retired }) => retired === null)).toHaveLength(1)
    expect([one?.keyId, two?.keyId]).toContain(current)
    await connection.importVersion(importRequest())
    await other.importVersion(importRequest())
  })

  it('gives the attestation of a Managed HSM', async () => {
    const { attestation } = await rotate(await connect({ keyCollection: 'hard-keys.managedhsm.azure.net' }))
    expect(attestation).toEqual({
      certificatePemFile: 'Key Vault emulator: no certificate chain.',
      privateKeyAttestation: expect.stringMatching(/^[\w-]{50,}$/),
      publicKeyAttestation: expect.stringMatching(/^[\w-]{50,}$/),
      version: '1.0',
    })
  })

  it('is a warning where the attestation cannot be read', async () => {
    bench.emulator.injectFault({ match: { operation: 'attestation' }, action: { status: 500 } })
    const { attestation, warnings } = await rotate(await connect({ keyCollection: 'hard-keys.managedhsm.azure.net' }))
    expect(attestation).toBeNull()
    expect(warnings).toEqual([expect.stringContaining('the attestation of the new key encryption key was not read')])
  })

  it('is not for a KMS that names its own', async () => {
    const kek = { kek_id: `${collection}/keys/mine/${'0'.repeat(32)}`, kek_fingerprint: `sha256:${'0'.repeat(64)}` }
    const settings = { ...bench.settings, credentials: { ...bench.settings.credentials, ...kek } }
    const error = await failure(rotate(await bench.provider.open(settings, root, register)))
    expect(error).toMatchObject({ kind: 'refused', message: expect.stringContaining('(kek_id, kek_fingerprint)') })
    expect(bench.provider.shown?.(settings, root)).toEqual(kek)
    expect(bench.provider.shown?.(bench.settings, root)).toEqual({})
  })
})
