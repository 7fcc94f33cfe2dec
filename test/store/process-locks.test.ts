import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openStore } from '../../src/store/sqlite/index.ts'
import { ProcessLocks } from '../../src/store/sqlite/process-locks.ts'

let folder: string
let file: string
const children: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-'))
  file = join(folder, 'keyferry.db')
  writeFileSync(file, '')
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Another process, which holds its lock until it is killed; gives its name. */
async function another(database = file): Promise<{ child: ChildProcess; self: string }> {
  const module = join(import.meta.dirname, '../../src/store/sqlite/process-locks.ts')
  const program = `import { ProcessLocks } from ${JSON.stringify(module)}
    console.log(new ProcessLocks(${JSON.stringify(database)}, console.error).self)
    setInterval(() => globalThis.gc(), 100)`
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [first] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, self: first.toString().trim() }
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

const there = () => (existsSync(join(folder, 'processes')) ? readdirSync(join(folder, 'processes')) : undefined)
const idOf = (self: string) => self.replace('lock:', '')

it('tells the living from the dead, the moment that they die, with whatever follows their names', async () => {
  const locks = new ProcessLocks(file)
  const { child, self } = await another()
  expect(self).toMatch(/^lock:[\da-f-]{36}$/)
  expect([locks.isDead(self), locks.isDead(`${self}/part`), locks.isDead(locks.self)]).toEqual([false, false, false])
  await killed(child)
  await expect.poll(() => locks.isDead(`${self}/part`)).toBe(true)
  expect(there()).toEqual([`${idOf(locks.self)}.lock`])
  locks.close()
})

it('a process that is only asked leaves no trace, and one that closes none either', () => {
  const asked = new ProcessLocks(file)
  expect(asked.isDead('lock:00000000-0000-4000-8000-000000000000')).toBe(true)
  expect(there()).toBeUndefined()
  const [one, two] = [new ProcessLocks(file), new ProcessLocks(file)]
  const names = [one.self, two.self]
  expect(one.self).toBe(names[0])
  expect(there()?.sort()).toEqual(names.map((name) => `${idOf(name)}.lock`).sort())
  expect(statSync(join(folder, 'processes')).mode & 0o777).toBe(0o700)
  expect(statSync(join(folder, 'processes', there()?.[0] ?? '')).mode & 0o777).toBe(0o600)
  one.close()
  expect([two.isDead(names[0] ?? ''), asked.isDead(names[1] ?? '')]).toEqual([true, false])
  two.close()
  expect(there()).toBeUndefined()
  asked.close()
})

it('of the same process too: asking for the lock of another part of it does not lose it', async () => {
  const [one, two] = [new ProcessLocks(file), new ProcessLocks(file)]
  for (let times = 0; times < 3; times++) {
    expect(two.isDead(one.self)).toBe(false)
    await new Promise((go) => setTimeout(go, 600))
  }
  // Whether it is still held shows from outside.
  const { self, child } = await another()
  expect(there()?.sort()).toEqual([one.self, self].map((name) => `${idOf(name)}.lock`).sort())
  await killed(child)
  one.close()
  two.close()
})

it('who comes sweeps away what the dead left, also half a lock', async () => {
  const lost = []
  for (let index = 0; index < 2; index++) {
    const { child, self } = await another()
    await killed(child)
    lost.push(self)
  }
  writeFileSync(join(folder, 'processes', 'unfinished.new'), '')
  writeFileSync(join(folder, 'processes', 'keep.txt'), '')
  const locks = new ProcessLocks(file)
  expect(there()).toHaveLength(3)
  expect(locks.self).toMatch(/^lock:/)
  expect(there()?.sort()).toEqual([`${idOf(locks.self)}.lock`, 'keep.txt'].sort())
  for (const self of lost) expect(locks.isDead(self)).toBe(true)
  locks.close()
})

it('nothing is said of names that are none, nor of processes without a lock', () => {
  const locks = new ProcessLocks(file)
  for (const name of ['', 'one', '12:34', 'time:00000000-0000-4000-8000-000000000000', 'lock:../../x', 'lock:'])
    expect(locks.isDead(name)).toBe(false)
})

it('where no lock can be made, the process goes on without and says so', () => {
  writeFileSync(join(folder, 'processes'), 'a file in the way')
  const warnings: string[] = []
  const locks = new ProcessLocks(file, (message) => warnings.push(message))
  expect(locks.self).toMatch(/^time:/)
  expect(locks.isDead(locks.self)).toBe(false)
  expect(warnings).toEqual([
    expect.stringMatching(/^no lock can be held in \S+processes \(.+\): should this process be killed/),
  ])
  locks.close()
})

it('locks are beside the real file, whatever leads there', async () => {
  const elsewhere = join(folder, 'elsewhere')
  mkdirSync(elsewhere)
  symlinkSync(file, join(elsewhere, 'keyferry.db'))
  const locks = new ProcessLocks(join(elsewhere, 'keyferry.db'))
  const { self } = await another()
  expect(locks.isDead(self)).toBe(false)
  expect(locks.self && readdirSync(elsewhere)).toEqual(['keyferry.db'])
  locks.close()
})

it('how long ago a process began says nothing', async () => {
  const { self } = await another()
  const path = join(folder, 'processes', `${idOf(self)}.lock`)
  const hour = Date.now() / 1000 - 3_600
  utimesSync(path, hour, hour)
  const locks = new ProcessLocks(file)
  expect(locks.isDead(self)).toBe(false)
})

it('a store names its process only when something is held', () => {
  const other = join(folder, 'other.db')
  const store = openStore({ file: other })
  expect(there()).toBeUndefined()
  expect(store.processes.self).toMatch(/^lock:/)
  expect(there()).toHaveLength(1)
  store.close()
  expect(there()).toBeUndefined()
  const memory = openStore({ file: ':memory:' })
  expect(memory.processes.isDead(memory.processes.self)).toBe(false)
  memory.close()
})
