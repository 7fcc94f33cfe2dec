import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { judge } from '../../../src/core/backup/compare.ts'
import { makeRestored } from '../../../src/core/backup/restore.ts'
import { systemContext } from '../../../src/core/context.ts'
import { importIdOf, versionOfImportId } from '../../../src/core/distribution/import-id.ts'
import { newRootKey } from '../../../src/core/seal/root-key.ts'
import type { CopyRow, CopyVersionRow } from '../../../src/core/store.ts'
import { checkDatabase, copyDatabase } from '../../../src/store/sqlite/backup.ts'
import { openStore } from '../../../src/store/sqlite/index.ts'
import { type TestCore, testCore } from '../../support/gateway.ts'
import { MemoryCloud, memoryProvider } from '../../support/memory-provider.ts'

let folder: string
const open: TestCore[] = []
const clouds = new Map<string, MemoryCloud>()

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-'))
  clouds.clear()
  for (const name of ['one', 'two']) clouds.set(name, new MemoryCloud())
})
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
  rmSync(folder, { recursive: true })
})

async function gateway(file: string, rootKey?: TestCore['rootKey']): Promise<TestCore> {
  const made = await testCore({
    file: join(folder, file),
    providers: [memoryProvider(clouds)],
    ...(rootKey && { rootKey }),
  })
  open.push(made)
  return made
}

async function distributed(): Promise<TestCore> {
  const made = await gateway('first.db')
  const { core, scope, waiting } = made
  await core.keys.write(scope, 'orders', { type: 'ecdsa-p256' }, waiting)
  for (const name of ['one', 'two']) {
    await core.kms.write(scope, name, { provider: 'memory', keyCollection: name, credentials: { secret: 's' } })
    await core.distribution.distribute(scope, name, 'orders', { purpose: ['sign'] }, waiting)
  }
  return made
}

/** The database as it is now, restored into a file of its own. */
async function restored(from: TestCore, file = 'restored.db'): Promise<{ token: string; gateway: TestCore }> {
  copyDatabase(join(folder, 'first.db'), join(folder, file))
  const store = openStore({ file: join(folder, file) })
  const { token } = await makeRestored(store, { current: from.rootKey, previous: undefined }, 1, systemContext)
  store.close()
  return { token, gateway: await gateway(file, from.rootKey) }
}

const there = (name: string) => [...(clouds.get(name)?.keys.values() ?? [])].flat()

describe('a restored database', () => {
  it('lets nobody in but the holder of the new root token', async () => {
    const before = await distributed()
    const { core } = before
    const root = (await core.namespace('')) ?? expect.fail()
    const caller = await core.authenticator.authenticate(before.rootToken)
    const child = await core.tokens.create(
      caller,
      root,
      { policies: ['default'], type: 'service' },
      { sudo: true, path: 'auth/token/create' },
    )
    const wrapped = await core.wrapping.wrap('root', 'sys/x', '{"a":1}', 600)
    const { token, gateway: after } = await restored(before)
    expect((await after.core.authenticator.authenticate(token)).token.policies).toContain('root')
    for (const old of [before.rootToken, child.token, wrapped.token])
      await expect(after.core.authenticator.authenticate(old)).rejects.toThrow()
    await expect(after.core.wrapping.unwrap(wrapped.token)).rejects.toThrow()
    // In the first one all still work.
    await core.authenticator.authenticate(child.token)
    await core.wrapping.unwrap(wrapped.token)
  })

  it('sends nothing to any cloud until it is released', async () => {
    const before = await distributed()
    const { gateway: after } = await restored(before)
    await before.core.close()
    const { core, scope } = after
    const sent = () => clouds.get('one')?.calls.filter(({ call }) => call === 'import' || call === 'set-enabled').length
    const calls = sent()
    const soon = { deadline: Date.now() + 300 }
    const rotated = await core.keys.rotate(scope, 'orders', soon)
    expect(rotated.warnings).toHaveLength(2)
    expect(await core.distribution.remove(scope, 'two', 'orders', soon)).toHaveLength(1)
    expect(sent()).toBe(calls)
    expect(there('two')).toHaveLength(1)
    expect(await core.restore.hold()).toMatchObject({ backupMadeAt: 1 })
    await core.restore.release({ unreachable: false })
    await expect.poll(() => [there('one').length, there('two').length]).toEqual([2, 0])
    await expect(core.restore.release({ unreachable: false })).rejects.toThrow(/^nothing is held/)
  })

  it('tells what a newer cloud has, and numbers new versions above it', async () => {
    const before = await distributed()
    const { gateway: after } = await restored(before)
    // The first gateway lived on: two more versions everywhere, one of them disabled later.
    const { core: first, scope, waiting } = before
    await first.keys.rotate(scope, 'orders', waiting)
    await first.keys.rotate(scope, 'orders', waiting)
    await first.keys.write(scope, 'orders', { minEnabledVersion: 2 }, waiting)
    await first.close()
    const { core } = after
    const { copies, differences, highest } = await core.restore.compare()
    expect(copies).toBe(2)
    const said = differences.map(({ kms, kind, what }) => `${kms} ${kind}: ${what.replace(/\([0-9a-f]+\)/, '(…)')}`)
    expect(said.sort()).toEqual(
      ['one', 'two'].flatMap((kms) => [
        `${kms} disabled: version 1 (…) is disabled, and was not when the backup was made`,
        `${kms} lost: version 2 (…) was made after the backup: its material is in the KMS alone`,
        `${kms} lost: version 3 (…) was made after the backup: its material is in the KMS alone`,
      ]),
    )
    expect(highest.map(({ version }) => version)).toEqual([3])
    expect((await core.keys.rotate(after.scope, 'orders', { deadline: 0 })).version).toBe(4)
    await core.restore.release({ unreachable: false })
    await expect.poll(() => there('one').map(({ importId }) => versionOfImportId(importId))).toEqual([1, 2, 3, 4])
    await expect.poll(async () => (await core.distribution.read(after.scope, 'one', 'orders')).state).toBe('settled')
    const copy = await core.distribution.read(after.scope, 'one', 'orders')
    expect(Object.keys(copy.versions)).toEqual(['1', '2', '3', '4'])
    // What the database says counts again: version 1 was enabled when the backup was made.
    expect(there('one').map(({ enabled }) => enabled)).toEqual([true, true, true, true])
    expect((await core.keys.rotate(after.scope, 'orders', waiting)).version).toBe(5)
    expect(there('two')).toHaveLength(5)
  })

  it('is not released while a cloud cannot be looked at, unless that is accepted', async () => {
    const before = await distributed()
    const { gateway: after } = await restored(before)
    clouds.get('two')?.revoked.add('s')
    await expect(after.core.restore.release({ unreachable: false })).rejects.toMatchObject({
      code: 'unavailable',
      message:
        '1 of 2 copies could not be looked at, so that numbers of new versions could be taken there already; the first is key "orders" in KMS "two", which cannot be looked at: these credentials were revoked',
    })
    expect(await after.core.restore.hold()).toBeDefined()
    const { differences } = await after.core.restore.release({ unreachable: true })
    expect(differences.map(({ kind }) => kind)).toEqual(['unreachable'])
    expect(await after.core.restore.hold()).toBeUndefined()
  })

  it('is made under its own root key alone', async () => {
    const before = await distributed()
    copyDatabase(join(folder, 'first.db'), join(folder, 'copy.db'))
    expect(checkDatabase(join(folder, 'copy.db')).rootId).toBe(before.rootKey.id)
    const store = openStore({ file: join(folder, 'copy.db') })
    const other = { current: newRootKey(), previous: undefined }
    await expect(makeRestored(store, other, 1, systemContext)).rejects.toMatchObject({ code: 'corrupt' })
    expect(await store.restore.hold()).toBeUndefined()
    store.close()
  })
})

describe('what a look at a cloud shows', () => {
  const copy = { id: 'c' } as CopyRow
  const row = (version: number, more: Partial<CopyVersionRow> = {}): CopyVersionRow => ({
    copyId: 'c',
    version,
    importId: importIdOf(version, 'ours'),
    sentAt: null,
    remoteVersion: `r${version}`,
    seenAt: 1,
    enabled: true,
    ...more,
  })
  const seen = (version: number, importId: string | null, enabled = true) => ({
    remoteVersion: `r${version}`,
    importId,
    enabled,
  })
  const kinds = (known: CopyVersionRow[], remote: Parameters<typeof judge>[2]) =>
    judge(copy, known, remote).differences.map(({ kind }) => kind)

  it('nothing, where all is as it was', () => {
    const versions = [seen(1, importIdOf(1, 'ours')), seen(2, importIdOf(2, 'ours'))]
    const remote = { state: 'present' as const, latest: seen(2, importIdOf(2, 'ours')), versions }
    expect(judge(copy, [row(1), row(2)], remote)).toEqual({ differences: [], lost: [], most: 2 })
  })

  it('a key that is gone, deleted, or never was there', () => {
    expect(kinds([row(1)], { state: 'absent' })).toEqual(['missing'])
    expect(kinds([row(1)], { state: 'deleted' })).toEqual(['missing'])
    expect(kinds([row(1, { remoteVersion: null })], { state: 'absent' })).toEqual([])
  })

  it('a version of somebody else, one without a number, one with a number that is taken', () => {
    for (const id of [null, 'abc', importIdOf(1, 'another')]) {
      const versions = [seen(1, importIdOf(1, 'ours')), seen(9, id)]
      expect(kinds([row(1)], { state: 'present', latest: seen(9, id), versions })).toEqual(['stranger'])
    }
  })

  it('a version that is gone is seen only where all are listed', () => {
    const latest = seen(2, importIdOf(2, 'ours'))
    expect(kinds([row(1), row(2)], { state: 'present', latest, versions: [latest] })).toEqual(['missing-version'])
    expect(kinds([row(1), row(2)], { state: 'present', latest })).toEqual([])
  })
})

it('an import id says which version it is of', () => {
  for (const version of [1, 2, 10, 999_999]) expect(versionOfImportId(importIdOf(version, 'x-y'))).toBe(version)
  for (const id of [null, '', 'v0-x', 'v-x', '1-x', 'v1', 'w1-x', 'v01-x', `v${'9'.repeat(12)}-x`])
    expect(versionOfImportId(id)).toBeUndefined()
})
