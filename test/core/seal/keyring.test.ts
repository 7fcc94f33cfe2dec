import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type BetterSqlite3 from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { Keyring, newDataKey } from '../../../src/core/seal/keyring.ts'
import { newRootKey, type RootKey } from '../../../src/core/seal/root-key.ts'
import type { DataKeyRow } from '../../../src/core/store.ts'
import { testCore } from '../../support/gateway.ts'

const Sqlite = createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3
const copyOf = (root: RootKey): RootKey => ({ id: root.id, key: Buffer.from(root.key) })
const binding = { objectId: 'a', version: 1, kind: 'key-material' } as const

/** A keyring over rows by namespace, the newest first. */
function ringOver(root: RootKey, rows: Record<string, DataKeyRow[]>) {
  let reads = 0
  const keyring = new Keyring(root, {
    dataKeys: async (namespaceId) => {
      reads += 1
      return rows[namespaceId] ?? []
    },
  })
  return { keyring, reads: () => reads }
}

describe('a keyring', () => {
  it('seals under the newest data key of the namespace, and opens what older ones sealed', async () => {
    const root = newRootKey()
    const older = newDataKey(root, 'team', 1)
    const box = older.sealer.seal(binding, Buffer.from('secret'))
    const newer = newDataKey(root, 'team', 2)
    const { keyring } = ringOver(copyOf(root), { team: [newer.row, older.row] })
    const sealer = await keyring.forNamespace('team')
    expect(sealer.open(binding, box).toString()).toBe('secret')
    const fresh = sealer.seal(binding, Buffer.from('more'))
    expect(newer.sealer.open(binding, fresh).toString()).toBe('more')
    expect(() => older.sealer.open(binding, fresh)).toThrow(/names a data key that its namespace does not have/)
  })

  it('opens nothing under another root key, nor with the data key of another namespace', async () => {
    const root = newRootKey()
    const { row } = newDataKey(root, 'team', 1)
    const corrupt = expect.objectContaining({ code: 'corrupt' })
    await expect(ringOver(newRootKey(), { team: [row] }).keyring.forNamespace('team')).rejects.toEqual(corrupt)
    await expect(ringOver(copyOf(root), { other: [row] }).keyring.forNamespace('other')).rejects.toEqual(corrupt)
    await expect(ringOver(copyOf(root), {}).keyring.forNamespace('team')).rejects.toThrow('a namespace has no data key')
    await expect(
      ringOver(copyOf(root), { team: [{ ...row, id: 'f'.repeat(32) }] }).keyring.forNamespace('team'),
    ).rejects.toEqual(corrupt)
  })

  it('opens a data key once for all who ask at the same time', async () => {
    const root = newRootKey()
    const { row } = newDataKey(root, 'team', 1)
    const { keyring, reads } = ringOver(copyOf(root), { team: [row] })
    const sealers = await Promise.all([1, 2, 3].map(() => keyring.forNamespace('team')))
    keyring.close()
    for (const sealer of sealers) expect(() => sealer.seal(binding, Buffer.from('x'))).toThrow(/stopping/)
    expect(reads()).toBeGreaterThan(0)
  })

  it('never seals under a key that was zeroed: closed, or of a namespace that is gone', async () => {
    const root = newRootKey()
    const { row, sealer: peer } = newDataKey(root, 'team', 1)
    const box = peer.seal(binding, Buffer.from('secret'))
    for (const end of ['close', 'forget'] as const) {
      const { keyring } = ringOver(copyOf(root), { team: [row] })
      const sealer = await keyring.forNamespace('team')
      if (end === 'close') keyring.close()
      else keyring.forget('team')
      const unavailable = expect.objectContaining({ code: 'unavailable' })
      expect(() => sealer.seal(binding, Buffer.from('late'))).toThrow(unavailable)
      expect(() => sealer.open(binding, box)).toThrow(unavailable)
      if (end === 'close') await expect(keyring.forNamespace('team')).rejects.toEqual(unavailable)
      if (end === 'close') await expect(keyring.newDataKey('other', 1)).rejects.toEqual(unavailable)
    }
  })

  it('zeroes the root key and every data key when it is closed', async () => {
    const root = newRootKey()
    const { row } = newDataKey(root, 'team', 1)
    const held = copyOf(root)
    const { keyring } = ringOver(held, { team: [row] })
    await keyring.forNamespace('team')
    keyring.close()
    expect(held.key).toEqual(Buffer.alloc(32))
  })
})

it('a key that is made while the gateway stops is made whole or not at all', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-'))
  const file = join(folder, 'keyferry.db')
  const { core, store, scope, rootKey, waiting } = await testCore({ file })
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  const other = new Sqlite(file)
  other.exec('BEGIN IMMEDIATE')
  // The write waits for another process, and the gateway stops meanwhile.
  const rotation = core.keys.rotate(scope, 'orders', waiting)
  await new Promise((go) => setTimeout(go, 50))
  const closed = core.close()
  await new Promise((go) => setTimeout(go, 50))
  other.exec('ROLLBACK')
  await closed
  await rotation.catch(() => undefined)
  const key = await store.keys.find(scope.mountId, 'orders')
  const sealer = await new Keyring(copyOf(rootKey), store.namespaces).forNamespace('root')
  const versions = await store.keys.versions(key?.id ?? '', 1)
  expect(versions).toHaveLength(key?.latestVersion ?? 0)
  for (const { version } of versions) {
    const stored = await store.keys.version(key?.id ?? '', version)
    if (!key || !stored) throw new Error(`version ${version} is not there`)
    expect(sealer.open({ objectId: key.id, version, kind: 'key-material' }, stored.box).length).toBeGreaterThan(100)
  }
  store.close()
  other.close()
  rmSync(folder, { recursive: true })
})
