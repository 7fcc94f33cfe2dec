import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatRootKey, newRootKey } from '../../src/core/seal/root-key.ts'
import { openEverything } from '../support/sealed.ts'
import { emulatedCloud, keepCalling } from './clouds.ts'
import { call, keyferry, serve, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
let cloud: Awaited<ReturnType<typeof emulatedCloud>>
beforeAll(async () => {
  cloud = await emulatedCloud(folders.make())
})
afterAll(async () => {
  await cloud.emulator.close()
  folders.removeAll()
})

async function init(): Promise<{ folder: string; data: string; rootKey: string; token: string }> {
  const folder = folders.make()
  const data = join(folder, 'data')
  const { stdout } = await keyferry(['init', '--data', data, '--format', 'json'])
  return { folder, data, rootKey: join(data, 'root.key'), token: JSON.parse(stdout).root_token }
}

/** Of one moment: every key has exactly the versions that it says, every version its key, and all of it opens. */
async function whole(data: string, rootKey: string): Promise<void> {
  const file = join(data, 'keyferry.db')
  const { places } = await openEverything(file, [rootKey])
  const database = new Sqlite(file, { readonly: true })
  const one = (sql: string) => database.prepare(sql).pluck().get()
  expect(one('SELECT sum(latest_version) FROM keys')).toBe(places.key_versions)
  expect(one('SELECT count(*) FROM key_versions WHERE key_id NOT IN (SELECT id FROM keys)')).toBe(0)
  expect(one('SELECT count(*) FROM keys')).toBeGreaterThan(0)
  database.close()
}

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1) ?? ''

test('a backup of a busy gateway is whole, and restores to one that nobody of before can enter', {
  timeout: 120_000,
}, async () => {
  const { folder, data, rootKey, token } = await init()
  const { gateway, url } = await serve(['--data', data, '--config', cloud.config])
  expect((await cloud.distribute(url, token, 'orders')).status).toBe(204)
  const tokenOf = (answer: { body: unknown }) => (answer.body as { auth: { client_token: string } }).auth.client_token
  const child = tokenOf(await call(url, token, 'POST', 'auth/token/create', { policies: ['root'] }))
  const batch = tokenOf(
    await call(url, token, 'POST', 'auth/token/create', { policies: ['default'], type: 'batch', no_parent: true }),
  )
  await call(url, token, 'POST', 'sys/auth/approle', { type: 'approle' })
  await call(url, token, 'POST', 'auth/approle/role/ci', { token_policies: ['default'] })
  const roleId = (await call(url, token, 'GET', 'auth/approle/role/ci/role-id')).body?.data?.role_id
  const secretId = (await call(url, token, 'POST', 'auth/approle/role/ci/secret-id')).body?.data?.secret_id
  const login = (at: string) => call(at, '', 'POST', 'auth/approle/login', { role_id: roleId, secret_id: secretId })
  expect((await login(url)).status).toBe(200)

  // Keys are made, rotated and deleted all the while; each backup must be of one moment.
  const busy = keepCalling(async (number) => {
    const path = `keymgmt/key/key-${number}`
    const made = await call(url, token, 'POST', path, { type: 'aes256-gcm96', deletion_allowed: true })
    const rotated = await call(url, token, 'POST', `${path}/rotate`)
    if (number % 3 === 0) await call(url, token, 'DELETE', path)
    expect([made.status, rotated.status]).toEqual([204, 204])
  })
  const files = ['1', '2', '3'].map((name) => join(folder, `${name}.backup`))
  for (const file of files) {
    const { code, stderr, stdout } = await keyferry(['backup', '--data', data, '--out', file])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(
      /^Wrote \S+: \d+ bytes, sealed for the root key\. To restore it, root key [0-9a-f]{32} is needed\.\n$/,
    )
    expect(statSync(file).mode & 0o777).toBe(0o600)
  }
  expect(await busy.stop()).toBeGreaterThan(5)
  expect(readdirSync(data).filter((name) => name.startsWith('.'))).toEqual([])
  for (const file of files) expect(readFileSync(file).includes('key-1')).toBe(false)
  // The clouds move on after the last backup.
  await call(url, token, 'POST', 'keymgmt/key/orders/rotate')
  await call(url, token, 'POST', 'keymgmt/key/orders/rotate')
  expect((await gateway.stop()).code).toBe(0)

  for (const file of files.slice(0, -1)) {
    const other = join(folder, `${file}-data`)
    const ended = await keyferry(['restore', '--in', file, '--data', other, '--root-key-file', rootKey, '--offline'])
    expect([ended.code, ended.stderr]).toEqual([0, ''])
    await whole(other, rootKey)
  }
  const target = join(folder, 'restored')
  const restore = ['restore', '--in', files[2] ?? '', '--data', target, '--root-key-file', rootKey]
  const ended = await keyferry([...restore, '--config', cloud.config])
  expect([ended.code, ended.stderr]).toEqual([0, ''])
  expect(ended.stdout).toMatch(/^Revoked: \d+ tokens, 1 secret id, 0 wrapped answers\.$/m)
  expect(
    ended.stdout.match(/key "orders" in KMS "prod" \(orders-\d+\): version [23] \([0-9a-f]{32}\) was made after/g),
  ).toHaveLength(2)
  expect(readdirSync(target)).toEqual(['keyferry.db'])
  await whole(target, rootKey)
  const fresh = lastLine(ended.stdout)

  const again = await serve(['--data', target, '--config', cloud.config, '--root-key-file', rootKey])
  await again.gateway.says('stderr', /restored from a backup: nothing is sent to any KMS until/)
  for (const old of [token, child, batch])
    expect((await call(again.url, old, 'GET', 'auth/token/lookup-self')).status).toBe(403)
  expect((await login(again.url)).status).toBe(400)
  expect((await call(again.url, fresh, 'GET', 'auth/token/lookup-self')).status).toBe(200)
  const names = (await call(again.url, fresh, 'GET', 'keymgmt/key?list=true')).body?.data?.keys as string[]
  expect(names).toContain('orders')
  const held = await call(again.url, fresh, 'GET', 'keymgmt/kms/prod/key/orders')
  expect(Object.keys(held.body?.data?.versions ?? {})).toEqual(['1'])

  const common = ['--data', target, '--config', cloud.config, '--root-key-file', rootKey]
  const dry = await keyferry(['release', ...common, '--dry-run'])
  expect([dry.code, lastLine(dry.stdout)]).toEqual([0, 'Nothing was released.'])
  const released = await keyferry(['release', ...common])
  expect([released.code, lastLine(released.stdout)]).toEqual([0, 'Released: the gateway works on copies again.'])
  expect((await keyferry(['release', ...common])).stderr).toBe(
    'keyferry: nothing is held: there was no restore, or it was released before\n',
  )
  expect(await call(again.url, fresh, 'POST', 'keymgmt/key/orders/rotate')).toMatchObject({ status: 204 })
  const read = await call(again.url, fresh, 'GET', 'keymgmt/kms/prod/key/orders')
  expect(Object.keys(read.body?.data?.versions ?? {})).toEqual(['1', '2', '3', '4'])
  expect((await call(again.url, fresh, 'GET', 'keymgmt/key/orders')).body?.data).toMatchObject({ latest_version: 4 })
  expect((await again.gateway.stop()).code).toBe(0)
})

test('for a recipient no root key is needed to make one, and the identity to open it', {
  timeout: 60_000,
}, async () => {
  const { folder, data, rootKey, token } = await init()
  const [identity, recipient] = [join(folder, 'private.pem'), join(folder, 'public.pem')]
  execFileSync('openssl', ['genpkey', '-algorithm', 'X25519', '-out', identity])
  execFileSync('openssl', ['pkey', '-in', identity, '-pubout', '-out', recipient])
  const away = join(folder, 'away.key')
  writeFileSync(away, readFileSync(rootKey), { mode: 0o600 })
  truncateSync(rootKey)
  const file = join(folder, 'one.backup')
  const made = await keyferry(['backup', '--data', data, '--out', file, '--recipient', recipient])
  expect([made.code, made.stderr]).toEqual([0, ''])
  const restore = (...more: string[]) =>
    keyferry(['restore', '--in', file, '--data', join(folder, 'new'), '--root-key-file', away, ...more])
  expect(await restore()).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/give its private half with --identity\n$/),
  })
  expect(await restore('--identity', recipient)).toMatchObject({
    code: 78,
    stderr: `keyferry: ${recipient} holds no X25519 private key in PEM\n`,
  })
  const ended = await restore('--identity', identity)
  expect([ended.code, ended.stderr]).toEqual([0, ''])
  const { gateway, url } = await serve(['--data', join(folder, 'new'), '--root-key-file', away])
  expect((await call(url, lastLine(ended.stdout), 'GET', 'auth/token/lookup-self')).status).toBe(200)
  expect((await call(url, token, 'GET', 'auth/token/lookup-self')).status).toBe(403)
  await gateway.stop()
})

describe('refusals', () => {
  let made: Awaited<ReturnType<typeof init>>
  let file: string
  beforeAll(async () => {
    made = await init()
    file = join(made.folder, 'one.backup')
    expect((await keyferry(['backup', '--data', made.data, '--out', file])).code).toBe(0)
  })
  const restore = (from: string, key = made.rootKey) =>
    keyferry(['restore', '--in', from, '--data', join(made.folder, 'none'), '--root-key-file', key, '--offline'])

  test('a backup is never written over, nor where it cannot be', async () => {
    const before = readFileSync(file)
    const again = await keyferry(['backup', '--data', made.data, '--out', file])
    expect([again.code, again.stderr]).toEqual([
      73,
      `keyferry: the backup ${file} cannot be written: it exists already\n`,
    ])
    expect(readFileSync(file).equals(before)).toBe(true)
    const nowhere = join(made.folder, 'no', 'where')
    expect((await keyferry(['backup', '--data', made.data, '--out', nowhere])).stderr).toBe(
      `keyferry: the backup ${nowhere} cannot be written: it does not exist\n`,
    )
    expect(readdirSync(made.folder).sort()).toEqual(['data', 'one.backup'])
  })

  test('one that was changed, cut off, or is none makes no folder', async () => {
    const bytes = readFileSync(file)
    const bad = join(folders.make(), 'bad.backup')
    const changed = Buffer.from(bytes)
    changed[200_000] = (changed[200_000] ?? 0) ^ 1
    const broken = 'it was changed or cut off, or is not sealed for this key'
    for (const [content, sentence] of [
      [changed, broken],
      [bytes.subarray(0, -1), broken],
      [bytes.subarray(0, 100_000), broken],
      [Buffer.from('hello'), 'it is not a backup of keyferry'],
    ] as const) {
      writeFileSync(bad, content)
      const { code, stderr } = await restore(bad)
      expect([code, stderr]).toEqual([65, `keyferry: the backup ${bad}: ${sentence}\n`])
    }
    expect(readdirSync(made.folder).sort()).toEqual(['data', 'one.backup'])
  })

  test('another root key, a folder that is there, a backup that is not', async () => {
    const other = join(folders.make(), 'other.key')
    writeFileSync(other, formatRootKey(newRootKey()), { mode: 0o600 })
    expect(await restore(file, other)).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(
        /it is sealed under root key [0-9a-f]{32}, and the one that is configured is [0-9a-f]{32}\n$/,
      ),
    })
    const there = await keyferry(['restore', '--in', file, '--data', made.data, '--root-key-file', made.rootKey])
    expect([there.code, there.stderr]).toEqual([
      73,
      `keyferry: ${made.data} is a data folder already: nothing was changed. Choose another, or go on with this one\n`,
    ])
    expect(await restore(join(made.folder, 'missing'))).toMatchObject({
      code: 78,
      stderr: `keyferry: the backup ${join(made.folder, 'missing')} cannot be restored: it does not exist\n`,
    })
    expect(await keyferry(['restore', '--in', file, '--data', join(made.folder, 'none')])).toMatchObject({
      code: 78,
      stderr:
        'keyferry: there is no root key: give it with --root-key-file, KEYFERRY_ROOT_KEY or the credential keyferry-root-key\n',
    })
  })
})
