import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { counted, startProgress } from '../../src/commands/progress.ts'
import { keyferry, launcher, serve, temporaryFolders } from './keyferry.ts'

describe('progress', () => {
  const terminal = (isTTY: boolean) => {
    const written: string[] = []
    return { written, output: { isTTY, columns: 20, write: (text: string) => written.push(text) } }
  }

  test('is one line that is written over, some times a second, and taken away', () => {
    const { written, output } = terminal(true)
    let now = 0
    const progress = startProgress(output, () => now)
    for (const count of [1, 2, 3]) progress.show(`Done: ${count}`)
    now = 100
    progress.show('Done: 4')
    progress.show('Another thing that is longer than the line')
    progress.end()
    progress.end()
    expect(written).toEqual(['\rDone: 1\u001b[K', '\rDone: 4\u001b[K', '\rAnother thing that \u001b[K', '\r\u001b[K'])
  })

  test('is nothing where there is no terminal, and what is counted passes unchanged', async () => {
    const { written, output } = terminal(false)
    const progress = startProgress(output)
    async function* pieces() {
      yield Buffer.from('one')
      yield Buffer.from('two')
    }
    const passed: string[] = []
    for await (const piece of counted(pieces(), { progress, what: 'Encrypting', total: 6 })) passed.push(String(piece))
    progress.end()
    expect([passed, written]).toEqual([['one', 'two'], []])
  })
})

describe('long work on a terminal', () => {
  const folders = temporaryFolders()
  let data: string
  let log: string
  beforeAll(async () => {
    data = join(folders.make(), 'data')
    log = join(folders.make(), 'audit.log')
    await keyferry(['init', '--data', data])
    const { gateway, url } = await serve(['--data', data, '--audit-file', log])
    for (let count = 0; count < 510; count++) await (await fetch(`${url}/v1/auth/token/lookup-self`)).arrayBuffer()
    await gateway.stop()
  })
  afterAll(() => folders.removeAll())

  /** With standard error a terminal, and standard output a file; gives what was on each. */
  function onTerminal(args: string[]): { status: number | null; shown: string; stdout: string } {
    const script = `import os, pty, subprocess, sys
terminal, other = pty.openpty()
child = subprocess.Popen(sys.argv[1:], stderr=other, stdout=subprocess.PIPE)
os.close(other)
shown = b''
try:
    while chunk := os.read(terminal, 1000):
        shown += chunk
except OSError:
    pass
sys.stdout.buffer.write(child.stdout.read())
sys.stderr.buffer.write(shown)
sys.exit(child.wait())`
    const { status, stdout, stderr } = spawnSync('python3', ['-c', script, process.execPath, '--', launcher, ...args], {
      encoding: 'utf8',
    })
    return { status, stdout, shown: stderr }
  }
  const clear = '\r\u001b[K'

  test('backup, restore, rotate-root and audit verify say how far they are, and clean up', () => {
    const file = join(folders.make(), 'x.backup')
    const restored = join(folders.make(), 'restored')
    const root = ['--root-key-file', join(data, 'root.key')]
    for (const [args, said] of [
      [
        ['backup', '--data', data, '--out', file],
        /^\rCopying the database and checking the copy\u001b\[K\rEncrypting: 0\.\d of 0\.\d MB\u001b\[K/,
      ],
      [
        ['restore', '--in', file, '--data', restored, ...root],
        /\rDecrypting: 0\.\d of 0\.\d MB\u001b\[K\rChecking the database\u001b\[K\rComparing the copies/,
      ],
      [
        ['rotate-root', '--data', data, '--data-keys'],
        /^\rNamespaces with fresh data keys: 1\u001b\[K\r\u001b\[K\rSealing anew what is under the old ones/,
      ],
      [['audit', 'verify', '--data', data, log], /^\rLines that were checked: 1000\u001b\[K/],
    ] as const) {
      const { status, stdout, shown } = onTerminal([...args])
      expect([args[0], status, stdout.includes('\r')]).toEqual([args[0], 0, false])
      expect(shown).toMatch(said)
      expect(shown.endsWith(clear)).toBe(true)
    }
  })

  test('audit verify gives JSON, with its faults', async () => {
    const verify = (file: string) =>
      keyferry(['audit', 'verify', '--data', data, '--sink', log, '--format', 'json', file])
    const { code, stdout, stderr } = await verify(log)
    expect([code, stderr, JSON.parse(stdout)]).toEqual([0, '', { lines: expect.any(Number), chains: 1, faults: [] }])
    const other = join(folders.make(), 'other.log')
    writeFileSync(other, 'no line of a log\n')
    const wrong = await verify(other)
    expect([wrong.code, wrong.stderr]).toEqual([65, ''])
    expect(JSON.parse(wrong.stdout).faults[0]).toEqual({ line: 1, message: 'is not a line of an audit log' })
  })
})
