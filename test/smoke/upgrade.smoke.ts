import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, expect, test } from 'vitest'
import { temporaryFolders } from '../commands/keyferry.ts'
import { binary, repository } from './commands.ts'
import { Served } from './served.ts'

const folders = temporaryFolders()
afterAll(() => folders.removeAll())

const keyferry = (...args: string[]) => spawnSync(binary, args, { env: {}, encoding: 'utf8' })
const lastLine = (text: string) => text.trimEnd().split('\n').at(-1) ?? ''

const golden = join(repository, 'test/golden')
const serve = (data: string) => [binary, 'serve', '--data', data, '--listen', '127.0.0.1:0']
const schemaOf = (data: string) => {
  const { stdout } = keyferry('doctor', '--data', data, '--format', 'json')
  const { findings } = JSON.parse(stdout) as { findings: { code: string; level: string; message: string }[] }
  return findings.find(({ code }) => code === 'schema')?.message
}

test('an upgrade, as docs/deploy.md has it: backup, stop, the newer program, start; and every key is as it was', async () => {
  // What the first version left behind.
  const data = join(folders.make(), 'data')
  mkdirSync(data, { mode: 0o700 })
  copyFileSync(join(golden, '0000_start.db'), join(data, 'keyferry.db'))
  copyFileSync(join(golden, '0000_start.key'), join(data, 'root.key'))
  for (const name of ['keyferry.db', 'root.key']) chmodSync(join(data, name), 0o600)
  const [before, after] = ['before', 'after'].map((name) => join(data, `../${name}.backup`)) as [string, string]
  expect(keyferry('backup', '--data', data, '--out', before)).toMatchObject({ status: 0, stderr: '' })
  expect(schemaOf(data)).toBe('the database has an older schema, which the next start brings up to date')

  const upgraded = await Served.start(serve(data), { env: {} })
  expect(await upgraded.send('nobody', 'GET', 'sys/health')).toBe(200)
  expect(await upgraded.stop()).toBe(0)
  expect(schemaOf(data)).toBe('the database has the schema of this version')
  expect(keyferry('backup', '--data', data, '--out', after)).toMatchObject({ status: 0, stderr: '' })

  // A restore gives a root token, which the database of before does not: so that keys can be read, from both backups.
  const { keys } = JSON.parse(readFileSync(join(golden, '0000_start.json'), 'utf8')) as {
    keys: Record<string, { publicKeys: Record<string, string | null> }>
  }
  for (const backup of [before, after]) {
    const folder = join(folders.make(), 'restored')
    const rootKey = ['--root-key-file', join(data, 'root.key')]
    const restored = keyferry('restore', '--in', backup, '--data', folder, ...rootKey, '--offline')
    expect(restored.status, restored.stderr).toBe(0)
    const token = lastLine(restored.stdout)
    const gateway = await Served.start([...serve(folder), ...rootKey], { env: {} })
    try {
      for (const [name, { publicKeys }] of Object.entries(keys)) {
        const env = { VAULT_ADDR: gateway.url, VAULT_TOKEN: token }
        const read = spawnSync(binary, ['read', '--format', 'json', `keymgmt/key/${name}`], { env, encoding: 'utf8' })
        const { versions } = (
          JSON.parse(read.stdout) as { data: { versions: Record<string, { public_key?: string }> } }
        ).data
        const found = Object.entries(versions).map(([version, one]) => [version, one.public_key ?? null])
        expect([name, Object.fromEntries(found)]).toEqual([name, publicKeys])
      }
    } finally {
      expect(await gateway.stop()).toBe(0)
    }
  }
})

test('back from an upgrade, as docs/deploy.md has it: the backup of before is restored, and the keys are there', async () => {
  const folder = folders.make()
  const [data, backup, before] = ['data', 'before.backup', 'before'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const token = lastLine(keyferry('init', '--data', data).stdout)
  const old = await Served.start([binary, 'serve', '--data', data, '--listen', '127.0.0.1:0'], { env: {} })
  expect(await old.send(token, 'POST', 'keymgmt/key/orders', { type: 'ecdsa-p256' })).toBe(204)
  // While it serves, as an upgrade begins.
  expect(keyferry('backup', '--data', data, '--out', backup).status).toBe(0)
  expect(await old.stop()).toBe(0)

  // What a newer program leaves behind, as far as this one can know: a migration that it has never heard of.
  const database = new Database(join(data, 'keyferry.db'))
  const later = Date.now() + 1_000_000_000_000
  database.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)').run('of a later version', later)
  database.close()
  const refused = keyferry('serve', '--data', data, '--listen', '127.0.0.1:0')
  expect(refused.stderr).toBe(
    `keyferry: the database ${data}/keyferry.db was written by a newer keyferry than this one: run that one\n`,
  )
  expect(refused.status).toBe(69)

  const restored = keyferry('restore', '--in', backup, '--data', before, '--root-key-file', join(data, 'root.key'))
  expect({ status: restored.status, stderr: restored.stderr }).toMatchObject({ status: 0 })
  copyFileSync(join(data, 'root.key'), join(before, 'root.key'))
  const again = await Served.start([binary, 'serve', '--data', before, '--listen', '127.0.0.1:0'], { env: {} })
  const released = keyferry('release', '--data', before)
  expect({ status: released.status, stderr: released.stderr }).toEqual({ status: 0, stderr: '' })
  expect(released.stdout).toMatch(/^Released: the gateway works on copies again\.$/m)
  const fresh = lastLine(restored.stdout)
  expect(await again.send(fresh, 'GET', 'keymgmt/key/orders')).toBe(200)
  expect(await again.send(fresh, 'POST', 'keymgmt/key/orders/rotate')).toBe(204)
  expect(await again.send(token, 'GET', 'keymgmt/key/orders')).toBe(403)
  expect(await again.stop()).toBe(0)
})
