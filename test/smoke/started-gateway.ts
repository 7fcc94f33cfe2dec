import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

export interface StartOptions {
  cwd?: string
  /** The whole environment; nothing of this process's own is added. */
  env?: Record<string, string>
  /** Flags behind those that are given anyway. */
  flags?: readonly string[]
}

export interface StartedGateway {
  /** Addresses and credentials, as `--env-file` has them. */
  env: Readonly<Record<string, string>>
  pid: number
  said(): string
  stop(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** Only to end what hangs. */
const patienceMs = 60_000

/** Starts `COMMAND dev` on a free port, and waits until it is ready. */
export async function startGateway(command: readonly string[], options: StartOptions = {}): Promise<StartedGateway> {
  const [program = '', ...args] = command
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-smoke-'))
  const file = join(folder, 'dev.env')
  const { cwd, env, flags = [] } = options
  const child = spawn(program, [...args, 'dev', '--listen', '127.0.0.1:0', '--env-file', file, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
    ...(env !== undefined && { env }),
  })
  let said = ''
  let gone = false
  for (const output of [child.stdout, child.stderr]) {
    output.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  }
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('error', (error) => {
      said += error.message
      gone = true
      resolve({ code: null, signal: null })
    })
    child.once('close', (code, signal) => {
      gone = true
      resolve({ code, signal })
    })
  })
  const stop = async () => {
    // Not `child.kill`, after which Deno reports the signal in place of the exit code.
    if (!gone) process.kill(child.pid ?? 0, 'SIGTERM')
    const end = setTimeout(() => child.kill('SIGKILL'), patienceMs)
    const result = await ended
    clearTimeout(end)
    rmSync(folder, { recursive: true, force: true })
    return result
  }
  const deadline = performance.now() + patienceMs
  while (!existsSync(file)) {
    if (gone || performance.now() > deadline) {
      await stop()
      throw new Error(`${command.join(' ')} dev was never ready:\n${said}`)
    }
    await sleep(10)
  }
  return { env: readEnvFile(file), pid: child.pid ?? 0, said: () => said, stop }
}

/** `NAME='value'` lines; no value of a gateway has a quote in it. (`parseEnv` of node:util is missing in Deno.) */
function readEnvFile(file: string): Record<string, string> {
  const lines = readFileSync(file, 'utf8').matchAll(/^([A-Z_]+)='(.*)'$/gm)
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]))
}
