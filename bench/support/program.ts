import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { onNode } from '../../test/smoke/commands.ts'

/** A program that runs until it is stopped. */
export interface Program {
  pid: number
  /** By SIGTERM, unless told. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** The arguments with which this Node runs Keyferry, as its first line has them. The `--` keeps Node from taking flags for its own. */
export function keyferry(...args: string[]): string[] {
  return [...onNode.slice(1), ...args]
}

/** Starts Node with `args`. What it says on standard error is shown only when it ends by itself. */
export function start(args: string[]): Program & { child: ChildProcess } {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let complaint = ''
  child.stderr?.on('data', (text) => {
    complaint = `${complaint}${text}`.slice(-2000)
  })
  let stopping = false
  child.once('exit', (code, signal) => {
    running.delete(child)
    if (!stopping) throw new Error(`${args.join(' ')} ended by itself (${code ?? signal}): ${complaint}`)
  })
  return {
    child,
    pid: child.pid ?? 0,
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode !== null || child.signalCode !== null) return
      stopping = true
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
    },
  }
}

/** Starts Node with `args` and resolves once it has printed a line for which `found` gives something. */
export async function startAndRead<T>(
  args: string[],
  found: (line: string) => T | undefined,
): Promise<Program & { found: T }> {
  const { child, pid, stop } = start(args)
  if (!child.stdout) throw new Error('no standard output')
  const lines = createInterface(child.stdout)
  const value = await new Promise<T>((resolve) => {
    lines.on('line', (line) => {
      const value = found(line)
      if (value !== undefined) resolve(value)
    })
  })
  return { pid, stop, found: value }
}

/** Runs Node with `args` to its end; gives what it printed. */
export async function run(args: string[]): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (text) => {
    printed += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${args.join(' ')} ended with exit code ${code}`)
  return printed
}
