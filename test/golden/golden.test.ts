import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, describe, expect, test } from 'vitest'
import journal from '../../migrations/meta/_journal.json' with { type: 'json' }
import type { Golden } from '../../scripts/golden.ts'
import { parseRootKey } from '../../src/core/seal/root-key.ts'
import { startKeyVaultEmulator } from '../../src/emulator/azurekeyvault/index.ts'
import { createAzureKeyVaultProvider } from '../../src/providers/azurekeyvault/index.ts'
import { keyferry, serve } from '../commands/keyferry.ts'
import { testCore } from '../support/gateway.ts'
import { openEverything } from '../support/sealed.ts'

const here = import.meta.dirname
const tags = readdirSync(here)
  .filter((name) => name.endsWith('.db'))
  .map((name) => name.slice(0, -3))
const folder = mkdtempSync(join(tmpdir(), 'keyferry-golden-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A data folder of its own, since opening a file brings it up to date. */
function dataFolder(tag: string, name: string): string {
  const data = join(folder, `${tag}-${name}`)
  mkdirSync(data, { mode: 0o700 })
  copyFileSync(join(here, `${tag}.db`), join(data, 'keyferry.db'))
  copyFileSync(join(here, `${tag}.key`), join(data, 'root.key'))
  chmodSync(join(data, 'root.key'), 0o600)
  return data
}

test('there is one for every migration: npm run golden makes that of the newest', () => {
  expect(tags.sort()).toEqual(journal.entries.map(({ tag }) => tag).sort())
})

describe.each(tags)('a database that was made under %s', (tag) => {
  const golden = JSON.parse(readFileSync(join(here, `${tag}.json`), 'utf8')) as Golden

  test('is served by the program of today', async () => {
    const data = dataFolder(tag, 'served')
    const { gateway } = await serve(['--data', data])
    expect((await gateway.stop()).code).toBe(0)
    const { places } = await openEverything(join(data, 'keyferry.db'), [join(data, 'root.key')])
    const versions = Object.values(golden.keys).reduce((sum, { latestVersion }) => sum + latestVersion, 0)
    expect(places).toMatchObject({ key_versions: versions, kms: 1, signing_keys: 1 })
  })

  test('is backed up, restored, and its keys rotated', async () => {
    const data = dataFolder(tag, 'old')
    const [file, restored] = [join(folder, `${tag}.backup`), join(folder, `${tag}-restored`)]
    expect((await keyferry(['backup', '--data', data, '--out', file])).code).toBe(0)
    const rootKey = ['--root-key-file', join(data, 'root.key')]
    const restore = await keyferry(['restore', '--in', file, '--data', restored, ...rootKey, '--offline'])
    expect([restore.code, restore.stderr]).toEqual([0, ''])
    expect((await keyferry(['rotate-root', '--data', data, '--make-key'])).code).toBe(0)
    expect((await keyferry(['rotate-root', '--data', data, '--data-keys'])).code).toBe(0)
    await openEverything(join(data, 'keyferry.db'), [join(data, 'root.key')])
  })

  test('gives every key as it was, rotates one and distributes one', async () => {
    const { vault, principal } = golden
    const emulator = await startKeyVaultEmulator({
      vaults: [{ name: vault, kind: 'premium' }],
      principals: [principal],
    })
    const address = `127.0.0.1:${emulator.port}`
    const cloud = {
      connectTo: address,
      authorityConnectTo: address,
      ca: emulator.caCertificate,
      instanceDiscovery: false,
    }
    const data = dataFolder(tag, 'core')
    const rootKey = parseRootKey(readFileSync(join(data, 'root.key'), 'utf8'), tag)
    const providers = [createAzureKeyVaultProvider({ clouds: { AzurePublicCloud: cloud } })]
    const { core, scope, waiting, close } = await testCore({ file: join(data, 'keyferry.db'), rootKey, providers })
    try {
      expect((await core.keys.list(scope)).sort()).toEqual(Object.keys(golden.keys).sort())
      for (const [name, { type, latestVersion, publicKeys }] of Object.entries(golden.keys)) {
        const key = await core.keys.read(scope, name)
        expect(key).toMatchObject({ type, latestVersion })
        expect(Object.fromEntries(key.versions.map((one) => [one.version, one.publicKey]))).toEqual(publicKeys)
      }
      for (const name of golden.distributed)
        expect((await core.distribution.read(scope, 'prod', name)).state).toBe('settled')
      for (const name of golden.namespaces) expect(await core.namespace(name)).toMatchObject({ path: name })
      expect((await core.keys.rotate(scope, 'ecdsa-p384', waiting)).version).toBe(2)
      await core.distribution.distribute(scope, 'prod', 'ecdsa-p384', { purpose: ['sign'] }, waiting)
      const copy = await core.distribution.read(scope, 'prod', 'ecdsa-p384')
      expect([copy.state, Object.keys(copy.versions)]).toEqual(['settled', ['1', '2']])
    } finally {
      await close()
      await emulator.close()
    }
  })

  test('is refused, untouched, by a program that does not know its schema', async () => {
    const data = dataFolder(tag, 'newer')
    const file = join(data, 'keyferry.db')
    const database = new Sqlite(file)
    database.prepare(`INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', ?)`).run(9e15)
    database.close()
    const before = readFileSync(file)
    const { code, stderr } = await keyferry(['serve', '--data', data, '--listen', '127.0.0.1:0'])
    expect([code, stderr]).toEqual([
      69,
      `keyferry: the database ${file} was written by a newer keyferry than this one: run that one\n`,
    ])
    const backup = join(folder, `${tag}-newer.backup`)
    expect((await keyferry(['backup', '--data', data, '--out', backup])).code).toBe(0)
    const restore = await keyferry([
      'restore',
      '--in',
      backup,
      '--data',
      join(folder, `${tag}-x`),
      '--root-key-file',
      join(data, 'root.key'),
    ])
    expect(restore).toMatchObject({
      code: 69,
      stderr: expect.stringMatching(/it was made by a newer keyferry \(\S+\) than this one: use that one\n$/),
    })
    expect(readFileSync(file).equals(before)).toBe(true)
  })
})
