import { execFileSync } from 'node:child_process'
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { openEverything } from '../support/sealed.ts'
import { emulatedCloud } from './clouds.ts'
import { copied, folders, make, read, smallDisk, start, templateOfData, token } from './data-copies.ts'
import { call, keyferry, serve } from './keyferry.ts'

templateOfData()

describe('a full disk', () => {
  test('refuses changes with nothing of them done, reads on, and takes changes again with room', {
    timeout: 60_000,
  }, async (context) => {
    const disk = smallDisk(8)
    if (disk === undefined) return context.skip('a small disk cannot be mounted here')
    const data = copied(disk)
    const { gateway, url } = await serve(['--data', data])
    expect((await make(url, 'before')).status).toBe(204)
    execFileSync('sh', ['-c', `head -c 100m /dev/zero > '${join(disk, 'filler')}' || true`], { stdio: 'pipe' })
    const refused = []
    for (let number = 0; number < 60 && refused.length < 3; number++) {
      const answer = await make(url, `full-${number}`)
      if (answer.status !== 204) {
        expect(answer).toMatchObject({ status: 503 })
        expect((await read(url, `full-${number}`)).status).toBe(404)
        refused.push(`full-${number}`)
      }
    }
    expect(refused.length).toBe(3)
    expect((await read(url, 'before')).body?.data).toMatchObject({ latest_version: 1 })
    const backup = await keyferry(['backup', '--data', data, '--out', join(disk, 'one.backup')])
    expect([backup.code, existsSync(join(disk, 'one.backup'))]).toEqual([69, false])
    expect(backup.stderr).toMatch(/^keyferry: the database \S+: the disk is full\n$/)
    rmSync(join(disk, 'filler'))
    expect((await make(url, refused[0] ?? '')).status).toBe(204)
    expect((await gateway.stop()).code).toBe(0)
    await openEverything(join(data, 'keyferry.db'), [join(data, 'root.key')])
  })

  test('in the middle of a distribution leaves nothing half done: it goes on with room, and each version is there once', {
    timeout: 90_000,
  }, async (context) => {
    const disk = smallDisk(8)
    if (disk === undefined) return context.skip('a small disk cannot be mounted here')
    const data = copied(disk)
    const { emulator, config, distribute } = await emulatedCloud(folders.make())
    const { gateway, url } = await serve(['--data', data, '--config', config])
    try {
      expect(await distribute(url, token, 'first')).toMatchObject({ status: 204 })
      emulator.injectFault({ match: { operation: 'import' }, action: { delayMs: 2_000 } })
      const answer = distribute(url, token, 'second')
      const database = new Sqlite(join(data, 'keyferry.db'), { readonly: true })
      const sent = database.prepare('SELECT count(*) FROM copy_versions WHERE sent_at IS NOT NULL').pluck()
      await expect.poll(() => sent.get(), { timeout: 20_000, interval: 5 }).toBe(1)
      database.close()
      execFileSync('sh', ['-c', `head -c 100m /dev/zero > '${join(disk, 'filler')}' || true`], { stdio: 'pipe' })
      // So long that what came of the import cannot be recorded.
      await new Promise((go) => setTimeout(go, 3_000))
      rmSync(join(disk, 'filler'))
      emulator.clearFaults()
      expect(await answer).toEqual({ status: 204, body: undefined })
      const copy = await call(url, token, 'GET', 'keymgmt/kms/prod/key/second')
      expect(Object.keys(copy.body?.data?.versions ?? {})).toEqual(['1'])
      const imports = emulator.requests.filter(({ operation, status }) => operation === 'import' && status === 200)
      expect(imports).toHaveLength(2)
    } finally {
      await gateway.stop()
      await emulator.close()
    }
  })

  test('refuses a backup and a restore, and leaves nothing of them', { timeout: 60_000 }, async (context) => {
    const disk = smallDisk(1)
    if (disk === undefined) return context.skip('a small disk cannot be mounted here')
    const data = copied()
    const out = join(folders.make(), 'one.backup')
    expect((await keyferry(['backup', '--data', data, '--out', out])).code).toBe(0)
    writeFileSync(join(disk, 'filler'), Buffer.alloc(900_000))
    const here = join(disk, 'one.backup')
    const backup = await keyferry(['backup', '--data', data, '--out', here])
    expect([backup.code, backup.stderr]).toEqual([
      73,
      `keyferry: the backup ${here} cannot be written: the disk is full\n`,
    ])
    const target = join(disk, 'restored')
    const restore = await keyferry([
      'restore',
      '--in',
      out,
      '--data',
      target,
      '--root-key-file',
      join(data, 'root.key'),
    ])
    expect(restore.code).not.toBe(0)
    expect(restore.stderr).toMatch(/^keyferry: [^\n]*the disk is full\n$/)
    expect(execFileSync('ls', ['-A', disk]).toString()).toBe('filler\n')
  })
})

test('a file that may not grow: changes are refused with nothing done, and taken again once it may', {
  timeout: 60_000,
}, async (context) => {
  const data = copied()
  const { gateway, url } = await serve(['--data', data])
  const limit = (bytes: string) =>
    execFileSync('prlimit', ['--pid', String(gateway.child.pid), `--fsize=${bytes}:unlimited`], { stdio: 'pipe' })
  expect((await make(url, 'before')).status).toBe(204)
  try {
    limit(String(statSync(join(data, 'keyferry.db-wal')).size))
  } catch {
    await gateway.stop()
    return context.skip('files of another process cannot be limited here')
  }
  for (let number = 0; number < 3; number++) {
    expect(await make(url, `limited-${number}`)).toMatchObject({
      status: 503,
      body: { errors: [expect.stringMatching(/: nothing was changed$/)] },
    })
    expect((await read(url, `limited-${number}`)).status).toBe(404)
  }
  expect((await read(url, 'before')).status).toBe(200)
  limit('unlimited')
  expect((await make(url, 'limited-0')).status).toBe(204)
  expect((await gateway.stop()).code).toBe(0)
  const { places } = await openEverything(join(data, 'keyferry.db'), [join(data, 'root.key')])
  expect(places.key_versions).toBe(60 + 2)
})

test('a read-only disk: the start is refused, and so are a backup and a rotation', {
  timeout: 60_000,
}, async (context) => {
  const disk = smallDisk(8)
  if (disk === undefined) return context.skip('a disk cannot be mounted here')
  const data = copied(disk)
  execFileSync('mount', ['-o', 'remount,ro', disk])
  const [served, backup, rotated] = await Promise.all([
    start(data),
    keyferry(['backup', '--data', data, '--out', join(folders.make(), 'x')]),
    keyferry(['rotate-root', '--data', data, '--make-key']),
  ])
  expect(served).toMatchObject({ code: 69, stdout: '' })
  expect(served.stderr).toMatch(/^keyferry: the database \S+: it cannot be (written|opened)[^\n]*\n$/)
  expect(backup).toMatchObject({
    code: 73,
    stderr: 'keyferry: the backup cannot be made: the file system is read-only\n',
  })
  expect(rotated).toMatchObject({
    code: 73,
    stderr: expect.stringMatching(/the file system is read-only: nothing was changed\n$/),
  })
})

test('a database that another program locks: changes wait, and are refused with nothing done', {
  timeout: 60_000,
}, async () => {
  const data = copied()
  const { gateway, url } = await serve(['--data', data])
  const other = new Sqlite(join(data, 'keyferry.db'))
  other.exec('BEGIN IMMEDIATE')
  const waiting = make(url, 'short')
  await new Promise((go) => setTimeout(go, 300))
  other.exec('ROLLBACK')
  expect((await waiting).status).toBe(204)
  other.exec('BEGIN IMMEDIATE')
  expect(await make(url, 'long')).toMatchObject({
    status: 503,
    body: { errors: ['the database is locked by another process: nothing was changed'] },
  })
  expect((await read(url, 'short')).status).toBe(200)
  other.exec('ROLLBACK')
  other.close()
  expect((await read(url, 'long')).status).toBe(404)
  expect((await make(url, 'long')).status).toBe(204)
  expect((await gateway.stop()).code).toBe(0)
})
