import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Sink } from '../../src/core/audit/sink.ts'
import { gateway } from '../http/gateway.ts'
import { as, good, makeNamespace } from '../http/tenants.ts'
import { keyferry, launcher, temporaryFolders } from './keyferry.ts'

const folders = temporaryFolders()
const lines: string[] = []
let log: string

beforeAll(async () => {
  const sink: Sink = {
    name: 'test',
    write: async (more) => void lines.push(...more.map((line) => line.trimEnd())),
    reopen: async () => {},
    close: async () => {},
  }
  const vault = await gateway({}, { audit: { sinks: [sink] } })
  for (const namespace of ['pay', 'payments', 'payments/eu']) {
    await makeNamespace(vault, namespace)
    const send = as(vault, vault.rootToken, namespace)
    await good(send('PUT', 'keymgmt/key/k', { type: 'ecdsa-p256' }))
    await good(send('PUT', 'keymgmt/kms/v', { provider: 'memory', key_collection: 'vault' }))
    await good(send('PUT', 'keymgmt/kms/v/key/k', { purpose: 'sign', protection: 'hsm', name: `k-${lines.length}` }))
  }
  for (let time = 0; time < 2; time++) {
    await makeNamespace(vault, 'reused')
    await good(as(vault, vault.rootToken, 'reused')('GET', 'sys/mounts'))
    await good(vault.send('DELETE', 'sys/namespaces/reused'))
  }
  await good(vault.send('GET', 'sys/mounts'))
  await vault.close()
  log = join(folders.make(), 'audit.log')
  writeFileSync(log, `${lines.join('\n')}\n`)
})
afterAll(() => folders.removeAll())

const pathOf = (line: string): string => JSON.parse(line).request.namespace.path ?? ''
const of = (...paths: string[]) => lines.filter((line) => paths.includes(pathOf(line)))

describe('keyferry audit view', () => {
  it('prints the lines of one namespace as they are, and those below it where asked', async () => {
    const expected: [string[], string[]][] = [
      [['--namespace', 'payments'], of('payments/')],
      [['--namespace', '/payments/'], of('payments/')],
      [['--namespace', 'pay', '--below'], of('pay/')],
      [['--namespace', 'payments', '--below'], of('payments/', 'payments/eu/')],
      [['--namespace', 'root'], of('')],
      [['--namespace', 'pay', '--id', 'other'], []],
      [['--namespace', 'nobody'], []],
    ]
    for (const [flags, wanted] of expected) {
      const { code, stdout, stderr } = await keyferry(['audit', 'view', log, ...flags])
      expect([flags, code, stderr]).toEqual([flags, 0, ''])
      expect(stdout).toBe(wanted.map((line) => `${line}\n`).join(''))
    }
    expect(of('payments/').some((line) => JSON.parse(line).type.startsWith('cloud-'))).toBe(true)
    expect(of('payments/').length).toBeGreaterThan(5)
  })

  it('of a path that was of two tenants, one after the other, gives the lines of the one that is asked for', async () => {
    const both = of('reused/')
    const ids = [...new Set(both.map((line) => JSON.parse(line).request.namespace.id as string))]
    expect(ids).toHaveLength(2)
    const last = ids.map((id) => JSON.parse(both.findLast((line) => line.includes(id)) ?? '').time)
    for (const flags of [
      ['--namespace', 'reused'],
      ['--namespace', 'root', '--below'],
    ]) {
      expect(await keyferry(['audit', 'view', log, ...flags])).toMatchObject({
        code: 64,
        stdout: '',
        stderr: `keyferry: "reused" was the path of 2 namespaces, one after the other: ${ids[0]} (last line ${last[0]}), ${ids[1]} (last line ${last[1]}). --id is missing. "keyferry audit view --help" shows what is allowed\n`,
      })
    }
    const shown = async (...flags: string[]) => (await keyferry(['audit', 'view', log, ...flags])).stdout
    for (const id of ids) {
      const wanted = both.filter((line) => JSON.parse(line).request.namespace.id === id)
      expect(await shown('--namespace', 'reused', '--id', id)).toBe(wanted.map((line) => `${line}\n`).join(''))
      expect(await shown('--namespace', 'pay', '--id', id)).toBe('')
    }
    expect(await shown('--namespace', 'reused', '--id', ids.join())).toBe(both.map((line) => `${line}\n`).join(''))
    const everyId = [...new Set(lines.map((line) => JSON.parse(line).request.namespace.id as string))]
    expect(await shown('--namespace', 'root', '--below', '--id', everyId.join())).toBe(
      lines.map((line) => `${line}\n`).join(''),
    )
  })

  it('reads what can be read only once where it is told whose lines are wanted', async () => {
    const [id = ''] = of('pay/').map((line) => JSON.parse(line).request.namespace.id as string)
    const command = 'log=$1 node=$2 program=$3; shift 3; cat "$log" | "$node" -- "$program" audit view "$@"'
    const piped = (...flags: string[]) =>
      spawnSync(
        '/bin/sh',
        ['-c', command, 'sh', log, process.execPath, launcher, '/dev/stdin', '--namespace', 'pay', ...flags],
        { encoding: 'utf8' },
      )
    expect(piped()).toMatchObject({ status: 64, stdout: '', stderr: expect.stringContaining('--id is missing') })
    expect(piped('--id', id)).toMatchObject({
      status: 0,
      stdout: of('pay/')
        .map((line) => `${line}\n`)
        .join(''),
    })
  })

  it('leaves out what is no line of an audit log, and says so', async () => {
    const mixed = join(folders.make(), 'mixed.log')
    writeFileSync(mixed, `nothing\n{}\nnull\n${of('payments/')[0]}\n{"request":{"namespace":{"path":"payments/"}}}\n`)
    const { code, stdout, stderr } = await keyferry(['audit', 'view', mixed, '--namespace', 'payments'])
    expect(stdout).toBe(`${of('payments/')[0]}\n`)
    expect([code, stderr]).toEqual([65, 'keyferry: left out: 4 that are not lines of an audit log\n'])
  })

  it('says what is missing', async () => {
    const calls: [string[], number, string][] = [
      [['--namespace', 'a'], 64, 'the audit log is missing. "keyferry audit view --help" shows what is allowed'],
      [[log], 64, '--namespace PATH is missing. "keyferry audit view --help" shows what is allowed'],
      [['none.log', '--namespace', 'a'], 78, 'the audit log none.log cannot be read: it does not exist'],
    ]
    for (const [args, code, message] of calls) {
      const ended = await keyferry(['audit', 'view', ...args])
      expect([ended.code, ended.stderr, ended.stdout]).toEqual([code, `keyferry: ${message}\n`, ''])
    }
  })
})
