import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from './gateway.ts'

/** What the driver prints of a run, or of the median of several. */
export interface Load {
  rps: number
  p50_ms: number
  p99_ms: number
  max_ms: number
  errors: number
  first_error?: string
  server_cpu_ms_per_request?: number
}

export interface LoadOptions {
  method?: string
  /** With {i} and {c}, as load/main.go says. */
  path: string
  body?: string
  clients: number
  /** How long, in seconds, or how many. */
  seconds?: number
  count?: number
  warmSeconds?: number
  runs?: number
}

export interface Step {
  name: string
  method: string
  path: string
  body?: string
}

/** A server under load. */
export interface Target {
  url: string
  token: string
  pid: number
}

/** The load driver (load/main.go): it takes little CPU from the server beside it. */
export class Driver {
  readonly #file: string

  private constructor(file: string) {
    this.#file = file
  }

  /** Builds it; undefined where Go is missing. Throws when it does not build. */
  static build(): Driver | undefined {
    try {
      execFileSync('go', ['version'], { stdio: 'ignore' })
    } catch {
      return undefined
    }
    const file = join(temporaryFolder(), 'load')
    execFileSync('go', ['build', '-o', file, '.'], { cwd: fileURLToPath(new URL('../load', import.meta.url)) })
    return new Driver(file)
  }

  /** Requests of one kind. */
  async load(target: Target, options: LoadOptions): Promise<Load> {
    const { method = 'GET', path, body, warmSeconds } = options
    const warm = warmSeconds === undefined ? [] : ['-warm', `${warmSeconds}s`]
    const kind = ['-method', method, '-path', path, ...(body === undefined ? [] : ['-body', body]), ...warm]
    return await this.#run(target, kind, options)
  }

  /** Sequences of requests; each counts as one. */
  async sequences(target: Target, steps: readonly Step[], options: Omit<LoadOptions, 'path'>): Promise<Load> {
    const file = join(temporaryFolder(), 'steps.json')
    writeFileSync(file, JSON.stringify(steps))
    return await this.#run(target, ['-seq', file], options)
  }

  async #run(target: Target, kind: string[], options: Omit<LoadOptions, 'path'>): Promise<Load> {
    const { clients, seconds, count, runs = 1 } = options
    const args = [
      '-base',
      target.url,
      '-token',
      target.token,
      '-pid',
      `${target.pid}`,
      '-q',
      '-runs',
      `${runs}`,
      '-c',
      `${clients}`,
    ]
    if (seconds !== undefined) args.push('-d', `${seconds}s`)
    if (count !== undefined) args.push('-n', `${count}`)
    const child = spawn(this.#file, [...args, ...kind], { stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.on('data', (text) => {
      printed += text
    })
    await once(child, 'close')
    const load = JSON.parse(printed) as Load
    if (load.errors > 0) throw new Error(`${load.errors} requests failed, the first with: ${load.first_error}`)
    return load
  }
}
