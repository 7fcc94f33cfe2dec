import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEverything } from '../support/sealed.ts'
import { emulatedCloud } from './clouds.ts'
import { call, Keyferry, keyferry, serve, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
const mounts: string[] = []
let template: string
let token: string
beforeAll(async () => {
  template = join(folders.make(), 'data')
  const { stdout } = await keyferry(['init', '--data', template, '--format', 'json'])
  token = JSON.parse(stdout).root_token
  const { gateway, url } = await serve(['--data', template])
  for (let number = 0; number < 60; number++)
    await call(url, token, 'POST', `keymgmt/key/key-${number}`, { type: 'ecdsa-p256' })
  await gateway.stop()
})
afterAll(() => {
  for (const path of mounts) execFileSync('umount', [path])
  folders.removeAll()
})

function copied(parent = folders.make()): string {
  const data = join(parent, 'data')
  cpSync(template, data, { recursive: true })
  chmodSync(data, 0o700)
  return data
}

const make = (url: string, name: string) =>
  call(url, token, 'POST', `keymgmt/key/${name}`, { type: 'aes256-gcm96', deletion_allowed: true })
const start = (data: string) => keyferry(['serve', '--data', data, '--listen', '127.0.0.1:0'])
const read = (url: string, name: string) => call(url, token, 'GET', `keymgmt/key/${name}`)

/** A small disk; undefined where this user may not have one. */
function smallDisk(megabytes: number): string | undefined {
  const path = folders.make()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tmpfs', path], { stdio: 'pipe' })
  } catch {
    return undefined
  }
  mounts.push(path)
  return path
}

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

describe('damaged pages', () => {
  test('are never served as if they were whole: a sentence and 65, or an answer that is right', {
    timeout: 120_000,
  }, async () => {
    const pristine = copied()
    const file = join(pristine, 'keyferry.db')
    const pages = statSync(file).size / 4096
    const { gateway, url } = await serve(['--data', pristine])
    const truth = (await read(url, 'key-7')).body
    await gateway.stop()
    const outcomes = new Set<string>()
    // The header, the schema, and pages spread over the file.
    for (const page of [0, 1, 2, 3, ...[0.2, 0.4, 0.6, 0.8, 0.95].map((part) => Math.floor(pages * part))]) {
      const data = copied()
      scribble(join(data, 'keyferry.db'), page * 4096 + (page === 0 ? 100 : 0), 2_000)
      const backup = await keyferry(['backup', '--data', data, '--out', join(folders.make(), 'x')])
      expect(backup.stderr).toMatch(/^$|^keyferry: [^\n]+\n$/)
      expect([0, 65]).toContain(backup.code)
      outcomes.add(`backup ${backup.code}`)
      const process = new Keyferry(['serve', '--data', data, '--listen', '127.0.0.1:0'])
      const answers = await Promise.race([
        process.says('stdout', /answers at (\S+)\n/).then(
          ([, at = '']) => at,
          () => undefined,
        ),
        process.ended.then(() => undefined),
      ])
      if (answers === undefined) {
        const { code, stderr } = await process.ended
        expect(code, stderr).toBe(65)
        outcomes.add('start 65')
        continue
      }
      const answer = await read(answers, 'key-7')
      if (answer.status === 200) expect({ ...answer.body, request_id: '' }).toEqual({ ...truth, request_id: '' })
      outcomes.add(`read ${answer.status}`)
      await process.stop()
    }
    expect(outcomes).toContain('backup 65')
    expect([...outcomes].some((one) => one === 'start 65' || one === 'read 500' || one === 'read 503')).toBe(true)
  })

  test('a sealed value that was changed does not open, and a value of another row does not either', {
    timeout: 60_000,
  }, async () => {
    const data = copied()
    const file = join(data, 'keyferry.db')
    const database = new Sqlite(file)
    database.exec(`UPDATE signing_keys SET box = (SELECT box FROM key_versions LIMIT 1)`)
    database.close()
    expect(await start(data)).toMatchObject({
      code: 65,
      stderr: 'keyferry: a sealed value in the database does not open: it was changed, or belongs to something else\n',
    })
  })

  test('a file that was cut short is refused', async () => {
    for (const part of [0.3, 0.7]) {
      const data = copied()
      const file = join(data, 'keyferry.db')
      truncateSync(file, Math.floor((statSync(file).size * part) / 4096) * 4096)
      const { code, stdout, stderr } = await start(data)
      expect([code, stdout]).toEqual([65, ''])
      expect(stderr).toMatch(/^keyferry: [^\n]+\n$/)
    }
  })
})

test('without its log a killed gateway comes up as it was before, never with half of something', {
  timeout: 60_000,
}, async () => {
  const data = copied()
  const { gateway, url } = await serve(['--data', data])
  for (const name of ['late-1', 'late-2', 'late-3']) expect((await make(url, name)).status).toBe(204)
  await gateway.stop('SIGKILL')
  const file = join(data, 'keyferry.db')
  const wal = `${file}-wal`
  expect(statSync(wal).size).toBeGreaterThan(0)
  // With the log everything that was answered is there; of a log that was cut or changed, what precedes it; without one, none.
  const log = readFileSync(wal)
  const variants: [string, Buffer | undefined, number[]][] = [
    ['whole', log, [3]],
    ['cut', log.subarray(0, log.length - 6_000), [0, 1, 2]],
    ['changed', changedAt(log, log.length - 9_000), [0, 1, 2]],
    ['lost', undefined, [0]],
  ]
  for (const [, bytes, there] of variants) {
    const other = join(folders.make(), 'data')
    mkdirSync(other, { mode: 0o700 })
    for (const name of ['keyferry.db', 'root.key']) copyFileSync(join(data, name), join(other, name))
    if (bytes) writeFileSync(join(other, 'keyferry.db-wal'), bytes)
    const again = await serve(['--data', other])
    let found = 0
    for (const name of ['late-1', 'late-2', 'late-3']) {
      const { status } = await read(again.url, name)
      expect([200, 404]).toContain(status)
      if (status === 200) found += 1
    }
    expect(there).toContain(found)
    expect((await make(again.url, 'after')).status).toBe(204)
    expect((await again.gateway.stop()).code).toBe(0)
    const { places } = await openEverything(join(other, 'keyferry.db'), [join(other, 'root.key')])
    expect(places.key_versions).toBe(60 + found + 1)
  }
})

function scribble(file: string, offset: number, length: number): void {
  const handle = openSync(file, 'r+')
  writeSync(handle, Buffer.alloc(length, 0xa5), 0, length, offset)
  closeSync(handle)
}

function changedAt(bytes: Buffer, offset: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[offset] = (copy[offset] ?? 0) ^ 0xff
  return copy
}
