import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, expect, test } from 'vitest'
import { temporaryFolders } from '../commands/keyferry.ts'
import { binary } from './commands.ts'
import { Served } from './served.ts'

const folders = temporaryFolders()
afterAll(() => folders.removeAll())

const keyferry = (...args: string[]) => spawnSync(binary, args, { env: {}, encoding: 'utf8' })
const lastLine = (text: string) => text.trimEnd().split('\n').at(-1) ?? ''

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
  expect(await old.stop()).toBe(0)
  expect(keyferry('backup', '--data', data, '--out', backup).status).toBe(0)

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

  const env = { KEYFERRY_ROOT_KEY: readFileSync(join(data, 'root.key'), 'utf8') }
  const restored = spawnSync(binary, ['restore', '--in', backup, '--data', before], { env, encoding: 'utf8' })
  expect({ status: restored.status, stderr: restored.stderr }).toMatchObject({ status: 0 })
  const again = await Served.start([binary, 'serve', '--data', before, '--listen', '127.0.0.1:0'], { env })
  expect(await again.send(lastLine(restored.stdout), 'GET', 'keymgmt/key/orders')).toBe(200)
  expect(await again.send(token, 'GET', 'keymgmt/key/orders')).toBe(403)
  expect(await again.stop()).toBe(0)
})
