/**
 * `npm run figures`: size, start, memory and processor time of the binary (`npm run build:binary` first), beside the sources on Node and on
 * Deno, as a table. On Linux; on a machine that does nothing else, or the times say little.
 */
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { binary, denoProgram, onDeno, onNode, repository } from '../test/smoke/commands.ts'

const starts = 15
const warmUp = 60_000
const measured = 20_000
const rounds = 5
const connections = 16
/** In ms: long enough for what the start left behind to be gone, with the key worker still there; and for that to have ended, too. */
const idleMs = 15_000
const restMs = 40_000

const agent = new Agent({ keepAlive: true, maxSockets: connections })
const folder = mkdtempSync(join(tmpdir(), 'keyferry-figures-'))
/** As an installation does: pages of a file that was just linked are mapped in bigger pieces, which count as memory. */
const installed = join(folder, 'keyferry')
copyFileSync(binary, installed)

const ways: Record<string, string[]> = { binary: [installed], Node: onNode, Deno: onDeno(denoProgram()) }
try {
  console.log(`binary: ${(statSync(binary).size / 1e6).toFixed(1)} MB`)
  const gateways = []
  for (const [name, command] of Object.entries(ways)) {
    const data = join(folder, name)
    const { stdout } = run(command, ['init', '--data', data])
    const token = stdout.trimEnd().split('\n').at(-1) ?? ''
    const times: number[] = []
    for (let count = 0; count < starts; count++) times.push(await startTime(command, data))
    times.sort((one, other) => one - other)
    const gateway = await serve(command, data)
    await sleep(idleMs)
    const idle = memory(gateway.pid)
    await sleep(restMs - idleMs)
    const rest = memory(gateway.pid)
    console.log(
      [
        `${name}:`,
        `start ${times[0]?.toFixed(0)} to ${times.at(-1)?.toFixed(0)} ms, median ${times[starts >> 1]?.toFixed(0)};`,
        `idle with a key worker ${idle.VmRSS} MB, of which ${idle.RssAnon} anonymous; without ${rest.VmRSS} and ${rest.RssAnon}`,
      ].join(' '),
    )
    await ask(gateway.port, token, 'PUT', 'keymgmt/key/orders', '{"type":"rsa-2048"}')
    await reads(gateway.port, token, warmUp)
    gateways.push({ ...gateway, name, token, costs: [] as number[] })
  }
  // In turns, so that what else is on the machine befalls all alike; and the cheapest counts, since others only ever add to it.
  for (let round = 0; round < rounds; round++) {
    for (const { pid, port, token, costs } of gateways) {
      const before = processorMs(pid)
      await reads(port, token, measured)
      costs.push(((processorMs(pid) - before) * 1000) / measured)
    }
  }
  for (const { name, costs } of gateways) {
    const [cheapest = 0, ...others] = costs.sort((one, other) => one - other)
    console.log(`${name}: ${cheapest.toFixed(0)} µs of processor a read (up to ${others.at(-1)?.toFixed(0)})`)
  }
  for (const gateway of gateways) await gateway.stop()
} finally {
  rmSync(folder, { recursive: true })
}

function run([program = '', ...before]: string[], args: string[]) {
  const result = spawnSync(program, [...before, ...args], { cwd: repository, encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.stderr}`)
  return result
}

/** From exec to the first answer, in ms. */
async function startTime(command: string[], data: string): Promise<number> {
  const began = performance.now()
  const gateway = await serve(command, data)
  const ms = performance.now() - began
  await gateway.stop()
  return ms
}

/** Starts a gateway, and resolves at its first answer. */
async function serve([program = '', ...before]: string[], data: string) {
  const port = await freePort()
  const args = [...before, 'serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--log-level', 'error']
  const child = spawn(program, args, { cwd: repository, stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`)
    await sleep(1)
  }
  return {
    pid: child.pid ?? 0,
    port,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    return (await ask(port, '', 'GET', 'sys/health')) === 200
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED') return false
    throw error
  }
}

function ask(port: number, token: string, method: string, path: string, body?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      agent,
      method,
      path: `/v1/${path}`,
      headers: token === '' ? {} : { 'X-Vault-Token': token },
    }
    const sent = request(options, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

async function reads(port: number, token: string, count: number): Promise<void> {
  let left = count
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (left-- > 0) {
        const status = await ask(port, token, 'GET', 'keymgmt/key/orders')
        if (status !== 200) throw new Error(`a read answered ${status}`)
      }
    }),
  )
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

/** Processor time of a process so far, user and system, in ms. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ')
  // Fields 14 and 15 of proc(5), in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Lines of /proc/PID/status that count memory, in MB of 1,000,000 bytes. */
function memory(pid: number): Record<string, number> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').matchAll(/^(\w+):\s+(\d+) kB$/gm)
  return Object.fromEntries([...lines].map(([, name, kB]) => [name, Math.round((Number(kB) * 1024) / 1e6)]))
}
