import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { openEverything } from '../support/sealed.ts'
import { copied, folders, make, read, start, templateOfData } from './data-copies.ts'
import { Keyferry, keyferry, serve } from './keyferry.ts'

templateOfData()

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
