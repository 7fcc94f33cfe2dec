import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AuditBroker } from '../../../src/core/audit/broker.ts'
import type { Head } from '../../../src/core/audit/chain.ts'
import { AuditHasher } from '../../../src/core/audit/hash.ts'
import { fileSink, type Sink } from '../../../src/core/audit/sink.ts'
import { verifyLog } from '../../../src/core/audit/verify.ts'
import { systemContext } from '../../../src/core/context.ts'

const auditKey = Buffer.alloc(32, 7)
let folder: string
let heads: Head[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-audit-'))
  heads = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const broker = (...sinks: Sink[]) =>
  new AuditBroker({
    context: systemContext,
    sinks,
    auditKey,
    keepHeads: async (now) => {
      heads = now
    },
  })
const memorySink = (name = 'memory') => {
  const lines: string[] = []
  const sink: Sink = {
    name,
    write: async (more) => void lines.push(...more),
    reopen: async () => {},
    close: async () => {},
  }
  return { lines, sink }
}
async function* each(lines: readonly string[]) {
  yield* lines
}
const verify = (lines: readonly string[], kept: readonly Head[] = heads, sink = 'memory') =>
  verifyLog(auditKey, each(lines), kept, sink)

async function logOf(count: number): Promise<string[]> {
  const { lines, sink } = memorySink()
  const log = broker(sink)
  await Promise.all(Array.from({ length: count }, (_, index) => log.record(`{"n":${index}}`)))
  await log.close()
  return lines
}

describe('a chained log', () => {
  it('is found whole', async () => {
    const lines = await logOf(20)
    expect(lines.map((line) => JSON.parse(line).n)).toEqual([...Array(20).keys()])
    expect(await verify(lines)).toEqual({ lines: 20, chains: 1, faults: [] })
    expect(heads).toMatchObject([{ sink: 'memory', sequence: 20 }])
  })

  it('is found broken, whatever was changed, moved or taken away', async () => {
    const lines = await logOf(12)
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('change', 'swap', 'drop', 'repeat', 'cut'),
        fc.integer({ min: 0, max: 11 }),
        fc.integer({ min: 0, max: 10 }),
        async (what, at, other) => {
          const tampered = [...lines]
          const line = lines[at] ?? ''
          const second = other === at ? 11 : other
          if (what === 'change') {
            const place = other % line.length
            tampered[at] = `${line.slice(0, place)}${line[place] === 'x' ? 'y' : 'x'}${line.slice(place + 1)}`
          } else if (what === 'swap') {
            ;[tampered[at], tampered[second]] = [tampered[second] ?? '', tampered[at] ?? '']
          } else if (what === 'drop') tampered.splice(at, 1)
          else if (what === 'repeat') tampered.splice(at, 0, line)
          else tampered.length = at
          if (tampered.join('\n') === lines.join('\n')) return
          expect((await verify(tampered)).faults.length).toBeGreaterThan(0)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('says where', async () => {
    const lines = await logOf(5)
    expect((await verify([...lines.slice(0, 2), ...lines.slice(3)])).faults).toEqual([
      { line: 3, message: 'does not follow from the line before it: it was changed, moved, or lines are missing' },
    ])
    expect((await verify(lines.slice(0, 4))).faults).toEqual([
      {
        line: 0,
        message: expect.stringMatching(
          /^run [0-9a-f-]{36} is known to have had 5 lines, and 4 are here: the end was cut off$/,
        ),
      },
    ])
    expect((await verify(lines, heads, 'other')).faults[0]).toEqual({
      line: 1,
      message: 'belongs to the sink "memory"',
    })
    expect((await verify(['garbage', ...lines])).faults).toEqual([
      { line: 1, message: 'is not a line of an audit log' },
    ])
    expect((await verifyLog(Buffer.alloc(32, 8), each(lines), heads, 'memory')).faults).toHaveLength(1)
  })

  it('may be of several runs, one after the other', async () => {
    const [first, second] = [await logOf(3), await logOf(4)]
    expect(await verify([...first, ...second])).toEqual({ lines: 7, chains: 2, faults: [] })
  })
})

describe('sinks', () => {
  it('are files that only the owner can read, also after rotation', async () => {
    const path = join(folder, 'audit.log')
    const log = broker(fileSink(path))
    await log.record('{"n":1}')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    renameSync(path, `${path}.1`)
    await log.reopen()
    await log.record('{"n":2}')
    await log.close()
    const lines = [`${path}.1`, path].flatMap((file) => readFileSync(file, 'utf8').trim().split('\n'))
    expect(await verify(lines, heads, path)).toEqual({ lines: 2, chains: 1, faults: [] })
  })

  it('that cannot write, or hang, fail the record; one that can is enough', async () => {
    const full = fileSink('/dev/full')
    const hanging: Sink = {
      name: 'hanging',
      write: () => new Promise(() => {}),
      reopen: async () => {},
      close: async () => {},
    }
    const missing = fileSink(join(folder, 'no', 'such', 'folder'))
    for (const sink of [full, missing, hanging]) {
      const log = broker(sink)
      await expect(log.record('{"n":1}')).rejects.toMatchObject({
        code: 'unavailable',
        message: 'the request could not be recorded in the audit log: nothing was done',
      })
      expect(log.healthy).toBe(false)
    }
    const { lines, sink } = memorySink()
    const log = broker(full, sink)
    await log.record('{"n":1}')
    expect(log.healthy).toBe(true)
    expect(lines).toHaveLength(1)
  })

  it('that come back are used again, in a chain of their own', async () => {
    const path = join(folder, 'audit.log')
    const log = broker(fileSink(path))
    await log.record('{"n":1}')
    await log.reopen()
    rmSync(path)
    chmodSync(folder, 0o500)
    chmodSync(folder, 0o700)
    await log.record('{"n":2}')
    expect(readFileSync(path, 'utf8')).toContain('"n":2')
  })

  it('that are none record nothing', async () => {
    const log = broker()
    await log.record('{"n":1}')
    expect([log.on, log.healthy]).toEqual([false, true])
  })
})

describe('hashing', () => {
  const hasher = new AuditHasher(auditKey)

  it('is by namespace, and the same for the same value', () => {
    expect(hasher.hash('a', 'secret')).toMatch(/^hmac-sha256:[0-9a-f]{64}$/)
    expect(hasher.hash('a', 'secret')).toBe(hasher.hash('a', 'secret'))
    expect(hasher.hash('a', 'secret')).not.toBe(hasher.hash('b', 'secret'))
  })

  it('leaves no text of any value, at any depth', () => {
    const canary = fc.string({ minLength: 8 }).map((text) => `canary-${text}`)
    fc.assert(
      fc.property(fc.object({ values: [canary, fc.integer(), fc.boolean()], maxDepth: 4 }), (value) => {
        const strings: string[] = []
        JSON.stringify(value, (_, item) => {
          if (typeof item === 'string') strings.push(item)
          return item
        })
        const hashed = JSON.stringify(hasher.hashAll('a', value))
        for (const text of strings)
          if (!Object.keys(value).includes(text)) expect(hashed).not.toContain(JSON.stringify(text).slice(1, -1))
      }),
    )
  })
})
